package main

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestServePeerToPeer has two participants meet in a server of peer-to-peer rooms,
// which sees nothing of what they send each other.
func TestServePeerToPeer(t *testing.T) {
	t.Parallel()
	srv := parleyStart(t, nil, "serve", "--listen", "127.0.0.1:0", "--default-room-type", "peer-to-peer")
	var env []string
	for _, name := range []string{"PARLEY_ACCOUNT_SID", "PARLEY_API_KEY", "PARLEY_API_SECRET"} {
		env = append(env, name+"="+srv.until("export "+name+"="))
	}
	url := srv.until("signaling at ")
	env = append(env, "PARLEY_URL="+url)
	alice := parleyStart(t, env, "join", "--identity", "alice", "--room", "lab", "--video", "test")
	alice.until("Connected lab alice")
	bob := parleyStart(t, env, "join", "--identity", "bob", "--room", "lab", "--message", "hello")
	alice.until("Message bob messages: hello")
	bob.until("TrackStarted")

	resp, err := http.Get(strings.TrimSuffix(strings.Replace(url, "ws", "http", 1), "/signaling") + "/metrics")
	require.NoError(t, err)
	metrics, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Contains(t, string(metrics), "\nparley_participants 2\n")
	require.Contains(t, string(metrics), "\nparley_peer_connections_total 0\n")

	require.Zero(t, bob.stop(syscall.SIGTERM), "%s", &bob.stderr)
	require.Zero(t, alice.stop(syscall.SIGTERM), "%s", &alice.stderr)
	_, stderr, status := parleyRun(t, nil, "serve", "--listen", "127.0.0.1:0", "--default-room-type", "mesh")
	require.Equal(t, exitUsage, status)
	require.Contains(t, stderr, "group or peer-to-peer")
}
