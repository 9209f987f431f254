package roomtest_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// failing is set in the process in which the tests with this name's value fail.
const failing = "ROOMTEST_FAILING"

// story is what a test does before it fails: alice is seen by bob, then loses
// her network.
func story(t *testing.T, srv *roomtest.Server) {
	alice := join(t, srv, "alice", video(t))
	bob := join(t, srv, "bob")
	roomtest.Next[parley.TrackStarted](t, bob.Events())
	srv.Cut("alice")
	roomtest.Next[parley.Reconnecting](t, alice.Events())
	srv.Restore("alice")
}

// TestFailing fails when it is asked to, and else is a test as any other.
func TestFailing(t *testing.T) {
	option := func(o *roomtest.Options) { o.NoCapture = os.Getenv(failing) == "nothing" }
	t.Run("server", func(t *testing.T) {
		story(t, roomtest.NewServer(t, option))
		require.Empty(t, os.Getenv(failing))
	})
	t.Run("virtual", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			story(t, roomtest.NewVirtual(t, option))
			require.Empty(t, os.Getenv(failing))
		})
	})
}

// fail runs a part of TestFailing in a process of its own, which fails, and
// returns what it printed.
func fail(t *testing.T, part, how string, args ...string) string {
	t.Helper()
	args = append(args, "-test.run=^TestFailing$/^"+part+"$", "-test.timeout=60s")
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), failing+"="+how, "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s", out)
	require.Equal(t, 1, exit.ExitCode(), "%s", out)
	return string(out)
}

var capturePath = regexp.MustCompile(`roomtest: capture: (\S+/(media\.pcapng|media\.keys|signaling\.jsonl)) \(`)

// files returns the contents of the files that a failing test names.
func files(t *testing.T, out string) (packets, keys, messages []byte) {
	t.Helper()
	found := map[string][]byte{}
	for _, m := range capturePath.FindAllStringSubmatch(out, -1) {
		data, err := os.ReadFile(m[1])
		require.NoError(t, err)
		found[m[2]] = data
	}
	require.Len(t, found, 3, "%s", out)
	return found["media.pcapng"], found["media.keys"], found["signaling.jsonl"]
}

func TestFailureLeavesCapture(t *testing.T) {
	for _, part := range []string{"server", "virtual"} {
		t.Run(part, func(t *testing.T) {
			out := fail(t, part, "all")
			require.Regexp(t, `(?s)TrackSubscribed\{.*TrackStarted\{`, out, "the events, in order")
			packets, keys, messages := files(t, out)
			checkPackets(t, packets, keys)
			checkMessages(t, messages)
		})
	}
}

// checkPackets looks for the handshakes, each with its key, for media, and for
// what the fault has lost.
func checkPackets(t *testing.T, data, keys []byte) {
	t.Helper()
	le := binary.LittleEndian
	var rtp, lost int
	randoms := map[string]bool{}
	interfaces := 0
	embedded := []byte(nil)
	for len(data) > 0 {
		kind, length := le.Uint32(data), le.Uint32(data[4:])
		require.Equal(t, length, le.Uint32(data[length-4:]))
		body := data[8 : length-4]
		data = data[length:]
		switch kind {
		case 1:
			interfaces++
		case 10:
			embedded = body[8 : 8+le.Uint32(body[4:])]
		case 6:
			ip := body[20 : 20+le.Uint32(body[12:])]
			require.EqualValues(t, 0x45, ip[0])
			payload := ip[28:]
			switch {
			case len(payload) > 59 && payload[0] == 22 && payload[13] == 1: // ClientHello
				randoms[hex.EncodeToString(payload[27:59])] = true
			case payload[0]>>6 == 2:
				rtp++
			}
			if bytes.Contains(body, []byte("lost by a fault of alice's")) {
				require.NotZero(t, le.Uint32(body), "not at the server")
				lost++
			}
		}
	}
	require.Equal(t, 3, interfaces, "the server's, alice's and bob's")
	require.Greater(t, rtp, 10)
	require.NotZero(t, lost)
	require.Equal(t, keys, embedded)
	known := map[string]bool{}
	for l := range strings.Lines(string(keys)) {
		fields := strings.Fields(l)
		require.Len(t, fields, 3)
		require.Equal(t, "CLIENT_RANDOM", fields[0])
		require.Len(t, fields[2], 96)
		known[fields[1]] = true
	}
	require.GreaterOrEqual(t, len(known), 2)
	for random := range known {
		require.Contains(t, randoms, random, "the handshake of this key")
	}
}

func checkMessages(t *testing.T, data []byte) {
	t.Helper()
	require.NotRegexp(t, `eyJ[A-Za-z0-9_-]{10}`, string(data), "a token")
	require.NotRegexp(t, `ice-pwd:[^(]`, string(data))
	require.Contains(t, string(data), "ice-pwd:(redacted)")
	said := map[string]bool{}
	last := time.Time{}
	scan := bufio.NewScanner(bytes.NewReader(data))
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		var l struct {
			Time time.Time
			Who  string
			Dir  string
			Msg  struct {
				Type string
				Body struct{ Type string }
			}
		}
		require.NoError(t, json.Unmarshal(scan.Bytes(), &l), "%s", scan.Text())
		require.False(t, l.Time.Before(last), "in order")
		last = l.Time
		said[l.Who+" "+l.Dir+" "+l.Msg.Type+" "+l.Msg.Body.Type] = true
	}
	require.NoError(t, scan.Err())
	for _, want := range []string{
		"alice in hello connect", "alice out msg connected", "bob in hello connect", "bob out msg connected", "bob out msg update",
	} {
		require.Contains(t, said, want)
	}
}

func TestCaptureIsAmongTheArtifacts(t *testing.T) {
	dir := t.TempDir()
	out := fail(t, "virtual", "all", "-test.artifacts", "-test.outputdir="+dir)
	m := capturePath.FindStringSubmatch(out)
	require.NotNil(t, m, "%s", out)
	rel, err := filepath.Rel(dir, m[1])
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(rel, "_artifacts"+string(filepath.Separator)), "%s", m[1])
	files(t, out)
}

func TestNoCapture(t *testing.T) {
	require.NotContains(t, fail(t, "virtual", "nothing"), "roomtest: capture")
}

func TestSuccessLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFailing$", "-test.v")
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), "roomtest: capture")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
