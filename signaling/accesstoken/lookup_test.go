package accesstoken_test

import (
	"crypto/sha256"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/signaling"
)

// T3: the issuer is looked up in memory, by its exact form, and nothing that a
// header names is followed.
func TestT03KeysAreNotLookedUpElsewhere(t *testing.T) {
	for _, iss := range []any{
		"", " " + keySID, keySID + " ", keySID + "\x00", strings.ToLower(keySID), keySID[:33], keySID + "0", keySID[2:],
		"../" + keySID, "/dev/null", "file:///dev/null", "http://127.0.0.1/key", "' OR '1'='1", "SK" + strings.Repeat("%00", 10) + "00",
		accountSID, otherKey[:33] + "2", nil, 0, true,
		[]string{keySID},
		fields{"iss": keySID},
	} {
		_, err := newVerifier(t, now).Verify(token(fields{"iss": iss}))
		require.Equal(t, signaling.Code(20103), codeOf(err), "%v: %v", iss, err)
	}

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	asked := make(chan struct{}, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.Close()
			asked <- struct{}{}
		}
	}()
	url := "http://" + ln.Addr().String() + "/key"
	for _, field := range []string{"kid", "jku", "x5u", "x5c", "jwk"} {
		header := fmt.Sprintf(`{"typ":"JWT","alg":"HS256","cty":"twilio-fpa;v=1",%q:%q}`, field, url)
		g, err := newVerifier(t, now).Verify(handmade(sha256.New, secret, header, payload(nil)))
		require.NoError(t, err, field)
		require.Equal(t, keySID, g.KeySID)
		_, err = newVerifier(t, now).Verify(handmade(sha256.New, "of the one who wrote the header", header, payload(nil)))
		require.Equal(t, signaling.Code(20107), codeOf(err), field)
	}
	require.NoError(t, ln.Close())
	<-done
	require.Empty(t, asked, "somebody came for a key")
}

// An unknown key costs a signature too, so that the time of an answer does not
// tell which keys exist. What is counted is the work, since time is too noisy.
func TestT03UnknownKeysCostTheSame(t *testing.T) {
	v := newVerifier(t, now)
	work := func(tok string, want signaling.Code) float64 {
		return testing.AllocsPerRun(100, func() {
			_, err := v.Verify(tok)
			require.Equal(t, want, codeOf(err))
		})
	}
	known := work(handmade(sha256.New, "wrong", goodHeader, payload(nil)), 20107)
	unknown := work(handmade(sha256.New, "wrong", goodHeader, payload(fields{"iss": otherKey[:33] + "2"})), 20103)
	require.InDelta(t, known, unknown, 2)
}
