package accesstoken_test

import (
	"fmt"
	"time"

	"github.com/parley-rtc/parley/signaling/accesstoken"
)

func Example() {
	key := accesstoken.NewKey() // or the one that your media server knows

	token, err := accesstoken.Token{Identity: "alice", Room: "daily", TTL: 10 * time.Minute}.Sign(key)
	if err != nil {
		fmt.Println(err)
		return
	}

	verifier, err := accesstoken.NewVerifier(key.AccountSID, map[string]accesstoken.Secret{key.SID: key.Secret}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	grants, err := verifier.Verify(token)
	fmt.Println(grants.Identity, grants.AllowsRoom("daily", ""), grants.AllowsRoom("weekly", ""), err)
	// Output: alice true false <nil>
}
