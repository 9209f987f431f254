//go:build e2e

package nets_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// turnIP is where somebody else's TURN server is.
const turnIP = "10.77.8.2"

// coturn runs coturn in a namespace of its own, for the one user it knows, and
// lets it lead to the server's media alone.
func (w *world) coturn() {
	w.t.Helper()
	ns := strings.TrimSuffix(w.cli, "cli") + "turn"
	ip(w.t, "netns", "add", ns)
	w.t.Cleanup(func() { ip(w.t, "netns", "del", ns) })
	ip(w.t, "-n", ns, "link", "set", "lo", "up")
	w.plug("r8", "10.77.8.1", ns, "t0", turnIP)
	ip(w.t, "-n", ns, "link", "set", "t0", "up")
	ip(w.t, "-n", ns, "route", "add", "default", "via", "10.77.8.1")

	dir := w.t.TempDir()
	config := filepath.Join(dir, "turn.conf")
	require.NoError(w.t, os.WriteFile(config, []byte(strings.Join([]string{
		"listening-ip=" + turnIP, "relay-ip=" + turnIP, "listening-port=3478", "realm=nets.test",
		"lt-cred-mech", "user=" + turnUser + ":" + turnPassword,
		"allowed-peer-ip=" + serverIP, "denied-peer-ip=0.0.0.0-255.255.255.255",
		"no-tls", "no-dtls", "no-cli", "no-rfc5780", "simple-log", "log-file=stdout",
		"pidfile=" + filepath.Join(dir, "pid"), "userdb=" + filepath.Join(dir, "users"),
	}, "\n")+"\n"), 0o600))
	const untilInputEnds = `turnserver -c "$0" 2>&1 & cat; kill $!; wait $!; exit 0`
	p := w.run(ns, "turnserver", nil, "sh", "-c", untilInputEnds, config)
	// Its sockets are open by then.
	p.awaitThat("line", func(r *report) bool { return strings.Contains(r.Err, "DB connection success") })
}

// What the one user of coturn is called.
const turnUser, turnPassword = "robot", "of the tests alone"

// TestR15CoturnThroughRealFirewall joins by a TURN server that is not ours, and
// by nothing else.
func TestR15CoturnThroughRealFirewall(t *testing.T) {
	w := newWorld(t)
	w.coturn()
	w.start(w.srv, "robot", "PARLEY_NETS_IDENTITY=outside")
	w.firewall("3478", w.url[strings.LastIndex(w.url, ":")+1:strings.LastIndex(w.url, "/")])
	h := hotel{w, "inside", "outside", []string{"PARLEY_NETS_TURN=turn:" + turnIP + ":3478?transport=tcp"}}
	h.measure("coturn/TCP")
}
