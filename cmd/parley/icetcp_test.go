package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
)

// TestICETCPSetting has media come by TCP to the port of signaling, to another
// one, or not at all.
func TestICETCPSetting(t *testing.T) {
	const told = "by TCP at "
	keys := keyEnv(accesstoken.NewKey())
	for _, c := range []struct{ name, env, file, want string }{
		{"default", "", "", "signaling"},
		{"environment", "PARLEY_ICE_TCP=127.0.0.1:0", "", "other"},
		{"file", "", "ice_tcp: 127.0.0.1:0\n", "other"},
		{"off", "", "ice_tcp: off\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			env, args := keys, []string{"serve", "--listen", "127.0.0.1:0"}
			if c.env != "" {
				env = append(env, c.env)
			}
			if c.file != "" {
				args = append(args, "--config", writeFile(t, c.file))
			}
			srv := parleyStart(t, env, args...)
			url := srv.until("signaling at ")
			if c.want == "" {
				srv.until("health at ")
				require.Zero(t, srv.stop(syscall.SIGTERM))
				require.NotContains(t, srv.stderr.String(), told)
				return
			}
			at := srv.until(told)
			require.Equal(t, c.want == "signaling", strings.Contains(url, at), at)
			require.Zero(t, srv.stop(syscall.SIGTERM))
		})
	}
	_, stderr, status := parleyRun(t, keys, "serve", "--ice-tcp", "7881")
	require.NotZero(t, status)
	require.Contains(t, stderr, "--ice-tcp")
}
