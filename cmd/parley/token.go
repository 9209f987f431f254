package main

import (
	"fmt"
	"time"

	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/spf13/cobra"
)

func newToken() *cobra.Command {
	var keys keyFlags
	var t accesstoken.Token
	var role string
	cmd := &cobra.Command{
		Use:     "token --identity NAME",
		Short:   "Print a token that lets somebody in",
		Long:    "Prints an access token, and nothing else. The keys have to be the server's.",
		Example: "  parley token --identity alice --room daily --ttl 2h",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := settle(cmd, keySettings); err != nil {
				return err
			}
			t.Role = accesstoken.Role(role)
			token, err := mint(&keys, t)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&t.Identity, "identity", "", "who the participant is (required)")
	f.StringVar(&t.Room, "room", "", "the only room that may be entered (default any)")
	f.DurationVar(&t.TTL, "ttl", accesstoken.DefaultTTL, "how long the token is good, at most 24h")
	f.StringVar(&role, "role", string(accesstoken.RolePublisher), "subscriber, publisher, publisheronly or moderator")
	f.StringVar(&t.Metadata, "metadata", "", "text for the other participants")
	keys.register(cmd)
	return cmd
}

// mint signs a token, or says what is missing for it.
func mint(keys *keyFlags, t accesstoken.Token) (string, error) {
	if t.Identity == "" {
		return "", usagef("whose token? pass --identity NAME")
	}
	if t.TTL <= 0 || t.TTL > accesstoken.MaxTTL {
		return "", usagef("--ttl %v: a token is good for more than 0s and at most %v", t.TTL, accesstoken.MaxTTL.Truncate(time.Hour))
	}
	key, err := keys.signing()
	if err != nil {
		return "", err
	}
	token, err := t.Sign(key)
	if err != nil {
		return "", usagef("this token cannot be made: %w", err)
	}
	return token, nil
}
