package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
)

func newRequest(t *testing.T, origin string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://sfu.example/signaling", nil)
	require.NoError(t, err)
	r.Host = "sfu.example"
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	return r
}

func keyEnv(k accesstoken.Key) []string {
	return []string{"PARLEY_ACCOUNT_SID=" + k.AccountSID, "PARLEY_API_KEY=" + k.SID, "PARLEY_API_SECRET=" + string(k.Secret)}
}

// Whatever is wrong: one line that says what, and how to mend it, a status that
// is not zero, and a program that ends.
func TestBadInput(t *testing.T) {
	key := accesstoken.NewKey()
	good := keyEnv(key)
	audio, text := filepath.Join(t.TempDir(), "tone.ogg"), writeFile(t, "no media")
	_, ogg := testclips.File(media.Opus)
	require.NoError(t, os.WriteFile(audio, ogg, 0o600))
	beginning := func(size int) (path string) {
		_, ivf := testclips.File(media.VP8)
		return writeFile(t, string(ivf[:size]))
	}
	cases := []struct {
		args string
		env  []string
		want []string
	}{
		{"dance", nil, []string{"unknown command", "demo"}},
		{"demo --dance", nil, []string{"--dance", "parley demo --help"}},
		{"demo now", nil, []string{"now", "--help"}},
		{"demo --duration soon", nil, []string{"--duration", "soon"}},
		{"demo --duration -1s", nil, []string{"--duration", "negative"}},
		{"demo --listen 0.0.0.0:0", nil, []string{"127.0.0.1"}},
		{"demo --video /no/such.ivf", nil, []string{"--video", "/no/such.ivf", "no such file"}},
		{"demo --video " + text, nil, []string{"--video", "unknown format", "IVF"}},
		{"demo --video " + beginning(32), nil, []string{"--video", "no frames"}},
		{"demo --video " + beginning(100), nil, []string{"--video", "cut off"}},
		{"join --url ws://127.0.0.1:1/signaling --token t --video " + beginning(32), nil, []string{"--video", "no frames"}},
		{"demo --video " + audio, nil, []string{"opus", "--audio"}},
		{"demo --log-level loud", nil, []string{"loud", "debug"}},
		{"token", good, []string{"--identity"}},
		{"token --identity a", nil, []string{"--api-key", "PARLEY_API_KEY", "parley serve"}},
		{"token --identity a --ttl 48h", good, []string{"--ttl", "24h"}},
		{"token --identity a --ttl -1s", good, []string{"--ttl"}},
		{"token --identity a --role king", good, []string{"king"}},
		{"token --identity a --api-key SK1", good, []string{"SK1", "32 hex digits"}},
		{"token --identity a", good[:1], []string{"PARLEY_API_KEY"}},
		{"token --identity a", good[1:], []string{"PARLEY_ACCOUNT_SID"}},
		{"token --identity a", good[:2], []string{"PARLEY_API_SECRET"}},
		{"serve --listen 7880", good, []string{"--listen", "127.0.0.1:7880"}},
		{"serve --listen 192.0.2.1:0", good, []string{"--listen", "of this machine"}},
		{"serve --config /no/such.yaml", nil, []string{"/no/such.yaml", "no such file"}},
		{"serve --tls-cert cert.pem", good, []string{"--tls-key"}},
		{"serve --tls-cert /no/cert.pem --tls-key /no/key.pem", good, []string{"/no/cert.pem"}},
		{"serve --udp-port 70000", good, []string{"--udp-port", "65535"}},
		{"serve --udp-port-min 100", good, []string{"--udp-port-max"}},
		{"serve --public-ip here", good, []string{"here", "--public-ip"}},
		{"serve --origin app.example", good, []string{"--origin", "https://"}},
		{"serve --turn-udp 3478", good, []string{"--turn-udp", ":3478"}},
		{"serve --turn-tls :0", good, []string{"--turn-tls", "--tls-cert"}},
		{"serve --turn-allow everything", good, []string{"--turn-allow", "203.0.113.0/24"}},
		{"serve --listen 127.0.0.1:0 --turn-tcp 192.0.2.1:0", good, []string{"--turn", "of this machine"}},
		{"join", nil, []string{"--url", "PARLEY_URL"}},
		{"join --url http://127.0.0.1:1 --token t", nil, []string{"--url", "ws://"}},
		{"join --url ws://127.0.0.1:1/signaling", nil, []string{"--token", "PARLEY_TOKEN"}},
		{"join --url ws://127.0.0.1:1/signaling --identity a", nil, []string{"--api-key"}},
		{"join --url ws://127.0.0.1:1/signaling --token t", nil, []string{"refused", "parley serve"}},
		{"join --url ws://127.0.0.1:1/signaling --token t --video /no/such.ivf", nil, []string{"--video", "/no/such.ivf"}},
		{"bench --slow", nil, []string{"--slow", "parley bench --help"}},
	}
	for _, c := range cases {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, status := parleyRun(t, c.env, strings.Fields(c.args)...)
			require.NotZero(t, status)
			require.Empty(t, stdout)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			require.True(t, strings.HasPrefix(stderr, "parley: "), stderr)
			for _, want := range c.want {
				require.Contains(t, stderr, want)
			}
			require.NotContains(t, stderr, string(key.Secret))
		})
	}
}

func TestVersion(t *testing.T) {
	stdout, _, status := parleyRun(t, nil, "--version")
	require.Zero(t, status)
	require.Regexp(t, `^parley \d+\.\d+\.\d+\n$`, stdout)
}

func TestTokenPrintsATokenAndNothingElse(t *testing.T) {
	key := accesstoken.NewKey()
	stdout, stderr, status := parleyRun(t, keyEnv(key), "token", "--identity", "alice", "--room", "lab", "--ttl", "5m")
	require.Zero(t, status, stderr)
	require.Empty(t, stderr)
	v, err := accesstoken.NewVerifier(key.AccountSID, map[string]accesstoken.Secret{key.SID: key.Secret}, nil)
	require.NoError(t, err)
	require.Equal(t, stdout, strings.TrimSpace(stdout)+"\n")
	g, err := v.Verify(strings.TrimSpace(stdout))
	require.NoError(t, err)
	require.Equal(t, "alice", g.Identity)
	require.Equal(t, "lab", g.Room)
	require.WithinDuration(t, time.Now().Add(5*time.Minute), g.Expires, 30*time.Second)
}

// demoSummary is what scripts may rely on.
type demoSummary struct {
	FramesSent       int64   `json:"frames_sent"`
	FramesReceived   int64   `json:"frames_received"`
	PacketsLost      *int64  `json:"packets_lost"`
	MessagesSent     int64   `json:"messages_sent"`
	MessagesReceived int64   `json:"messages_received"`
	JoinMS           float64 `json:"join_ms"`
	FirstFrameMS     float64 `json:"first_frame_ms"`
	Recording        string  `json:"recording"`
	RecordingError   string  `json:"recording_error"`
}

func demoJSON(t *testing.T, stdout string) demoSummary {
	t.Helper()
	require.Equal(t, 1, strings.Count(stdout, "\n"), "one object: %s", stdout)
	var s demoSummary
	require.NoError(t, json.Unmarshal([]byte(stdout), &s), stdout)
	return s
}

func TestDemo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "recordings")
	loud := []string{"PION_LOG_TRACE=all", "PION_LOG_DEBUG=all"} // what is below has nothing to say unless it is asked
	stdout, stderr, status := parleyRun(t, loud, "demo", "--duration", "3s", "--json", "--record", dir)
	require.Zero(t, status, stderr)
	for line := range strings.Lines(stderr) {
		require.Regexp(t, `^(watch at http|  +\d+s  participants )`, line)
	}
	s := demoJSON(t, stdout)
	require.Greater(t, s.FramesReceived, int64(20))
	require.GreaterOrEqual(t, s.FramesSent, s.FramesReceived)
	require.NotNil(t, s.PacketsLost)
	require.Zero(t, *s.PacketsLost)
	require.Greater(t, s.MessagesSent, int64(5))
	require.Equal(t, s.MessagesSent, s.MessagesReceived)
	require.Positive(t, s.JoinMS)
	require.Greater(t, s.FirstFrameMS, s.JoinMS)
	require.Equal(t, dir, filepath.Dir(s.Recording))
	require.Equal(t, ".webm", filepath.Ext(s.Recording))
	info, err := os.Stat(s.Recording)
	require.NoError(t, err)
	require.Greater(t, info.Size(), int64(10_000))
	require.Regexp(t, `watch at http://127\.0\.0\.1:\d+/watch/#token=\S+`, stderr)
	require.Regexp(t, `participants 2  tracks 4  bitrate \d+ kbit/s  loss 0.0 %  round trip \S+`, stderr)
}

func TestDemoOfFilesEndsWithCtrlC(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(codec media.Codec) string {
		name, data := testclips.File(codec)
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		return path
	}
	p := parleyStart(t, nil, "demo", "--video", write(media.H264), "--audio", write(media.PCMU), "--record", dir, "--json")
	p.until("round trip")
	p.until("round trip")
	require.Zero(t, p.stop(syscall.SIGINT), "%s", &p.stderr)
	s := demoJSON(t, p.stdout.String())
	require.Positive(t, s.FramesReceived)
	require.Equal(t, ".mkv", filepath.Ext(s.Recording))
	require.FileExists(t, s.Recording)
}

func TestUnwritableRecordingLeavesTheCallAlone(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "in the way")
	stdout, stderr, status := parleyRun(t, nil, "demo", "--duration", "2s", "--json", "--record", filepath.Join(file, "below"))
	require.NotZero(t, status)
	s := demoJSON(t, stdout)
	require.Greater(t, s.FramesReceived, int64(5))
	require.Equal(t, s.MessagesSent, s.MessagesReceived)
	require.Empty(t, s.Recording)
	require.Contains(t, s.RecordingError, file)
	require.Contains(t, stderr, "the call goes on")
}

func TestServeJoinAndSIGTERM(t *testing.T) {
	t.Parallel()
	srv := parleyStart(t, nil, "serve", "--listen", "127.0.0.1:0", "--retry-after", "250ms")
	var env []string
	for _, name := range []string{"PARLEY_ACCOUNT_SID", "PARLEY_API_KEY", "PARLEY_API_SECRET"} {
		env = append(env, name+"="+srv.until("export "+name+"="))
	}
	url := srv.until("signaling at ")
	health := strings.TrimSuffix(strings.Replace(url, "ws", "http", 1), "/signaling") + "/healthz"
	resp, err := http.Get(health)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)

	env = append(env, "PARLEY_URL="+url)
	token, stderr, status := parleyRun(t, env, "token", "--identity", "bob", "--room", "lab")
	require.Zero(t, status, stderr)
	alice := parleyStart(t, env, "join", "--identity", "alice", "--room", "lab", "--video", "test", "--audio", "test")
	alice.until("Connected lab alice")
	dir := t.TempDir()
	bob := parleyStart(t, env, "join", "--token", strings.TrimSpace(token), "--record", dir, "--message", "hello", "--json")
	alice.until("Message bob messages: hello")
	for line := bob.until(`"event":"TrackStarted"`); !strings.Contains(line, "VP8"); {
		line = bob.until(`"event":"TrackStarted"`)
	}
	bob.until(`"event":"TrackDimensionsChanged"`)
	require.Zero(t, bob.stop(syscall.SIGTERM), "%s", &bob.stderr)
	files, err := filepath.Glob(filepath.Join(dir, "PA*.webm"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	alice.until("ParticipantDisconnected bob (left)")

	began := time.Now()
	require.Zero(t, srv.stop(syscall.SIGTERM), "%s", &srv.stderr)
	alice.until("Reconnecting")
	require.Less(t, time.Since(began), 3*time.Second)
	require.Zero(t, alice.stop(syscall.SIGINT), "%s", &alice.stderr)
	alice.until("Disconnected (left)")
}

func TestServerEndsWithItsParent(t *testing.T) {
	t.Parallel()
	srv := parleyStart(t, keyEnv(accesstoken.NewKey()), "serve", "--listen", "127.0.0.1:0", "--end-with-stdin")
	srv.until("signaling at ")
	require.NoError(t, srv.stdin.Close())
	require.Zero(t, srv.wait())
}

func TestWrongKeyIsExplained(t *testing.T) {
	t.Parallel()
	srv := parleyStart(t, keyEnv(accesstoken.NewKey()), "serve", "--listen", "127.0.0.1:0")
	url := srv.until("signaling at ")
	key := accesstoken.NewKey()
	other := append(keyEnv(key), "PARLEY_URL="+url)
	_, stderr, status := parleyRun(t, other, "join", "--identity", "a", "--room", "lab")
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "another key than the server has")
	require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
	_, stderr, status = parleyRun(t, []string{"PARLEY_URL=" + url}, "join", "--token", "not-a-token")
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "parley token")

	taken := strings.TrimSuffix(strings.TrimPrefix(url, "ws://"), "/signaling")
	_, stderr, status = parleyRun(t, keyEnv(key), "serve", "--listen", taken)
	require.Equal(t, exitUsage, status)
	require.Contains(t, stderr, "choose another --listen")
}
