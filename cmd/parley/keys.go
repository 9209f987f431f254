package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/parley-rtc/parley/internal/sid"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/spf13/cobra"
)

// keyFlags are the account and its API keys.
type keyFlags struct {
	account, key, secret string
	more                 map[string]string
}

var keySettings = []string{"account-sid", "api-key", "api-secret", "api-keys"}

func (k *keyFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&k.account, "account-sid", "", "the account: AC and 32 hex digits")
	f.StringVar(&k.key, "api-key", "", "an API key of the account: SK and 32 hex digits")
	f.StringVar(&k.secret, "api-secret", "", "the secret of the API key")
	f.StringToStringVar(&k.more, "api-keys", nil, "more API keys of the account, as SK…=SECRET")
	f.String(configFlag, "", "a YAML file with settings, named as the flags, with _ for -")
}

// empty reports whether nothing was said about keys.
func (k *keyFlags) empty() bool {
	return k.account == "" && k.key == "" && k.secret == "" && len(k.more) == 0
}

// check says what is missing or misspelled.
func (k *keyFlags) check() error {
	switch {
	case k.account == "":
		return usagef("an API key, but no account: pass --account-sid or set PARLEY_ACCOUNT_SID")
	case !sid.Valid(k.account, sid.Account):
		return usagef("--account-sid %q: an account SID is AC and 32 hex digits in lower case", k.account)
	case k.key == "" && k.secret != "":
		return usagef("an API secret, but no key: pass --api-key or set PARLEY_API_KEY")
	case k.key != "" && k.secret == "":
		return usagef("an API key, but no secret: pass --api-secret or set PARLEY_API_SECRET")
	case k.key == "" && len(k.more) == 0:
		return usagef("an account, but no API key: pass --api-key and --api-secret, or set PARLEY_API_KEY and PARLEY_API_SECRET")
	}
	for key, secret := range k.all() {
		if !sid.Valid(key, sid.Key) {
			return usagef("--api-key %q: the SID of an API key is SK and 32 hex digits in lower case", key)
		}
		if secret == "" {
			return usagef("--api-keys: the secret of %s is empty", key)
		}
	}
	return nil
}

// all returns the secrets by key SID.
func (k *keyFlags) all() map[string]accesstoken.Secret {
	keys := map[string]accesstoken.Secret{}
	for key, secret := range k.more {
		keys[key] = accesstoken.Secret(secret)
	}
	if k.key != "" {
		keys[k.key] = accesstoken.Secret(k.secret)
	}
	return keys
}

// signing returns the key to sign tokens with.
func (k *keyFlags) signing() (accesstoken.Key, error) {
	if k.empty() {
		return accesstoken.Key{}, usagef("no API key to sign with: pass --account-sid, --api-key and --api-secret, " +
			"or set PARLEY_ACCOUNT_SID, PARLEY_API_KEY and PARLEY_API_SECRET, as the server has them; " +
			"'parley serve' without keys makes some and prints them")
	}
	if err := k.check(); err != nil {
		return accesstoken.Key{}, err
	}
	keys := k.all()
	id := k.key
	if id == "" {
		id = slices.Sorted(maps.Keys(keys))[0]
	}
	return accesstoken.Key{AccountSID: k.account, SID: id, Secret: keys[id]}, nil
}

// exports are the lines that give a shell the key.
func exports(k accesstoken.Key) string {
	return fmt.Sprintf("export PARLEY_ACCOUNT_SID=%s\nexport PARLEY_API_KEY=%s\nexport PARLEY_API_SECRET=%s\n",
		k.AccountSID, k.SID, string(k.Secret))
}
