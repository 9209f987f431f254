//go:build e2e

package nets_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// secondIP is another address of the server.
const secondIP = "10.77.9.3"

// firewall has the router let nothing through between the first radio and the
// rest but TCP to ports, as the networks of hotels and companies do.
func (w *world) firewall(ports ...string) {
	w.t.Helper()
	rules := "table inet hotel\ndelete table inet hotel\ntable inet hotel { chain forwarding {\n" +
		"type filter hook forward priority 0; policy accept;\n" +
		"iifname \"r1\" meta l4proto udp drop;\noifname \"r1\" meta l4proto udp drop;\n"
	for _, port := range ports {
		rules += "tcp dport " + port + " accept;\n"
	}
	rules += "iifname \"r1\" meta l4proto tcp reject with tcp reset;\n}\n}\n"
	w.in(w.rtr, "sh", "-c", `printf '%s' "$0" | nft -f -`, rules)
}

// hotel is a call between the server's network and one behind a firewall, with
// pictures both ways.
type hotel struct {
	*world
	inside, outside string   // who publishes where
	env             []string // of those behind the firewall
}

// mostJoin leaves room for a machine that is busy otherwise, and none for a room
// that takes a second attempt. What R15 promises, 3 s and 98 % of the pictures,
// is asserted in virtual time; here it is in the log.
const mostJoin = 15 * time.Second

// measure has a publisher and a viewer join from behind the firewall, and
// pictures go on both ways.
func (h *hotel) measure(what string) {
	h.t.Helper()
	outside := h.start(h.srv, "viewer", "PARLEY_NETS_IDENTITY=watches "+h.inside)
	outside.await("ParticipantConnected")
	robot := h.start(h.cli, "robot", append(h.env, "PARLEY_NETS_IDENTITY="+h.inside)...)
	inside := h.start(h.cli, "viewer", append(h.env, "PARLEY_NETS_IDENTITY=watches "+h.outside)...)
	for _, way := range []struct {
		name   string
		joins  *process
		viewer *process
		from   string
	}{{"publisher", robot, outside, h.inside}, {"subscriber", inside, inside, h.outside}} {
		began := way.joins.await("joining").At
		first := way.viewer.awaitThat("picture", func(r *report) bool { return r.From == way.from })
		const long = 5 * time.Second
		way.viewer.awaitThat("picture", func(r *report) bool { return r.From == way.from && r.At.After(first.At.Add(long)) })
		got, missed := way.viewer.pictures(way.from)
		h.t.Logf("R15 %s, %s: first picture after %v, %d of %d pictures", what, way.name, first.At.Sub(began), got, got+missed)
		require.LessOrEqual(h.t, first.At.Sub(began), mostJoin)
	}
	outside.quit()
	inside.quit()
	robot.quit()
	require.LessOrEqual(h.t, robot.await("left").Count, 0, "goroutines that stayed")
}

// pictureTime is the time from picture to picture of a robot.
const pictureTime = 40 * time.Millisecond

// pictures counts those of a publisher that came, and those that are missing
// between the first and the last.
func (p *process) pictures(from string) (got, missed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := uint64(0)
	for _, r := range p.reports {
		if r.Event != "picture" || r.From != from {
			continue
		}
		const pace = uint64(pictureTime / time.Millisecond)
		if got > 0 && r.Seq > last {
			missed += int((r.Seq-last+pace/2)/pace) - 1
		}
		got, last = got+1, r.Seq
	}
	return got, missed
}

// TestR15TURNThroughRealFirewall joins from a network without UDP by the TURN
// server of parley serve.
func TestR15TURNThroughRealFirewall(t *testing.T) {
	w := newNetwork(t)
	ip(t, "-n", w.srv, "addr", "add", secondIP+"/24", "dev", "s0")
	cert, key := w.certify(serverIP, secondIP)
	w.serve("--listen", serverIP+":443", "--tls-cert", cert, "--tls-key", key, "--allow-private", "--ice-tcp", "off",
		"--turn-tcp", secondIP+":3478", "--turn-tls", secondIP+":443", "--turn-host", secondIP)
	w.start(w.srv, "robot", "PARLEY_NETS_IDENTITY=outside")
	for _, c := range []struct {
		name  string
		ports []string
	}{{"TCP", []string{"443", "3478"}}, {"TLS", []string{"443"}}} {
		w.firewall(c.ports...)
		if c.name == "TCP" {
			w.in(w.rtr, "nft", "insert", "rule", "inet", "hotel", "forwarding", "ip", "daddr", secondIP, "tcp", "dport", "443", "drop")
		}
		(&hotel{w, "inside by " + c.name, "outside", nil}).measure("TURN/" + c.name)
	}
}

// TestR15ICETCPThroughRealFirewall joins from a network without UDP a server that
// has no TURN: media comes by TCP to the port of signaling, or to its own.
func TestR15ICETCPThroughRealFirewall(t *testing.T) {
	for _, c := range []struct{ name, port, flag string }{{"on one port with TLS", "443", ""}, {"on a port of its own", "7881", serverIP + ":7881"}} {
		t.Run(c.name, func(t *testing.T) {
			w := newNetwork(t)
			args := []string{"--listen", serverIP + ":443", "--allow-private"}
			if c.flag == "" {
				cert, key := w.certify(serverIP)
				args = append(args, "--tls-cert", cert, "--tls-key", key)
			} else {
				args = append(args, "--ice-tcp", c.flag)
			}
			w.serve(args...)
			w.start(w.srv, "robot", "PARLEY_NETS_IDENTITY=outside")
			w.firewall("443", c.port)
			(&hotel{w, "inside", "outside", nil}).measure("ICE over TCP " + c.name)
		})
	}
}
