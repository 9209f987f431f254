package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sfu.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// settled returns the settings of parley serve for a command line.
func settled(t *testing.T, args ...string) (*cobra.Command, map[string]any, error) {
	t.Helper()
	cmd := newServe()
	require.NoError(t, cmd.ParseFlags(args))
	file, err := settle(cmd, serveSettings)
	return cmd, file, err
}

func TestFlagWinsOverEnvironmentOverFileOverDefault(t *testing.T) {
	const file = "listen: 127.0.0.1:3\nmax_participants: 3\nretry_after: 3s\npublic_ip: [203.0.113.3, 203.0.113.4]\n"
	cases := []struct {
		name, flag       string
		env, file, given string
		want             string
	}{
		{"default", "listen", "", "", "", "127.0.0.1:7880"},
		{"file", "listen", "", file, "", "127.0.0.1:3"},
		{"environment over file", "listen", "127.0.0.1:2", file, "", "127.0.0.1:2"},
		{"flag over both", "listen", "127.0.0.1:2", file, "127.0.0.1:1", "127.0.0.1:1"},
		{"flag over default", "listen", "", "", "127.0.0.1:1", "127.0.0.1:1"},
		{"number in file", "max-participants", "", file, "", "3"},
		{"number in environment", "max-participants", "2", file, "", "2"},
		{"flag equal to the default", "max-participants", "2", file, "50", "50"},
		{"duration in file", "retry-after", "", file, "", (3 * time.Second).String()},
		{"list in file", "public-ip", "", file, "", "[203.0.113.3,203.0.113.4]"},
		{"list in environment", "public-ip", "203.0.113.1,203.0.113.2", file, "", "[203.0.113.1,203.0.113.2]"},
		{"empty environment is none", "listen", "", file, "", "127.0.0.1:3"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(envName(c.flag), c.env)
			var args []string
			if c.file != "" {
				args = append(args, "--config", writeFile(t, c.file))
			}
			if c.given != "" {
				args = append(args, "--"+c.flag, c.given)
			}
			cmd, _, err := settled(t, args...)
			require.NoError(t, err)
			require.Equal(t, c.want, cmd.Flags().Lookup(c.flag).Value.String())
		})
	}
}

func TestConfigFromEnvironment(t *testing.T) {
	t.Setenv("PARLEY_CONFIG", writeFile(t, "region: lab\n"))
	cmd, _, err := settled(t)
	require.NoError(t, err)
	require.Equal(t, "lab", cmd.Flags().Lookup("region").Value.String())
}

func TestEverySettingHasAFlag(t *testing.T) {
	cmd := newServe()
	for _, name := range serveSettings {
		require.NotNil(t, cmd.Flags().Lookup(name), name)
	}
}

func TestSeveralKeysAndICEServersFromFile(t *testing.T) {
	one, two := accesstoken.NewKey(), accesstoken.NewKey()
	two.AccountSID = one.AccountSID
	path := writeFile(t, "account_sid: "+one.AccountSID+"\nlisten: 127.0.0.1:0\napi_keys:\n  "+
		one.SID+": "+string(one.Secret)+"\n  "+two.SID+": "+string(two.Secret)+"\n"+
		"ice_servers:\n  - urls: ['turn:turn.example:3478']\n    username: u\n    credential: c\n")
	_, file, err := settled(t, "--config", path)
	require.NoError(t, err)
	servers, err := iceServers(file[iceServersKey])
	require.NoError(t, err)
	require.Equal(t, []signaling.ICEServer{{URLs: []string{"turn:turn.example:3478"}, Username: "u", Credential: "c"}}, servers)
	for _, bad := range []any{"turn:turn.example", []any{map[string]any{"urls": []any{"a"}, "user": "u"}}, []any{map[string]any{"username": "u"}}} {
		_, err := iceServers(bad)
		require.ErrorContains(t, err, iceServersKey)
	}

	srv := parleyStart(t, nil, "serve", "--config", path)
	url := srv.until("signaling at ")
	for _, key := range []accesstoken.Key{one, two} { // each of them lets in
		out, stderr, status := parleyRun(t, append(keyEnv(key), "PARLEY_URL="+url),
			"join", "--identity", "a", "--room", "lab", "--duration", "100ms")
		require.Zero(t, status, stderr)
		require.Contains(t, out, "Connected lab a")
	}
	out, stderr, status := parleyRun(t, nil, "token", "--identity", "a", "--config", path) // tokens come from the same file
	require.Zero(t, status, stderr)
	require.NotEmpty(t, out)
}

func TestBadConfigFile(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"unknown key", "lissen: 127.0.0.1:1\n", `unknown setting "lissen"`},
		{"no map", "- a\n- b\n", "not a YAML file of settings"},
		{"broken", "listen: [\n", "not a YAML file of settings"},
		{"wrong type", "max_participants: many\n", "max_participants"},
		{"nested", "listen: {a: {b: c}}\n", "it has to be a text"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := settled(t, "--config", writeFile(t, c.text))
			require.ErrorContains(t, err, c.want)
			var u *usageError
			require.ErrorAs(t, err, &u)
		})
	}
}

func TestSecretsStayOutOfMessages(t *testing.T) {
	_, stderr, status := parleyRun(t, []string{"PARLEY_API_KEYS=hunter2hunter2"}, "serve")
	require.NotZero(t, status)
	require.NotContains(t, stderr, "hunter2")
}

func TestOrigins(t *testing.T) {
	check, err := originCheck(nil)
	require.NoError(t, err)
	require.Nil(t, check)
	check, err = originCheck([]string{"https://app.example/"})
	require.NoError(t, err)
	for origin, want := range map[string]bool{
		"": true, "https://app.example": true, "https://APP.example": true, "http://sfu.example": true,
		"https://evil.example": false, "null": false, "https://app.example.evil": false,
	} {
		r := newRequest(t, origin)
		require.Equal(t, want, check(r), origin)
	}
	all, err := originCheck([]string{"*"})
	require.NoError(t, err)
	require.True(t, all(newRequest(t, "https://evil.example")))
	for _, bad := range []string{"app.example", "ftp://app.example", "https://app.example/path"} {
		_, err := originCheck([]string{bad})
		require.Error(t, err, bad)
	}
}
