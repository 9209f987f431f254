//go:build e2e

package nets_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// world is three machines: a server, clients with two radios, and the router
// between them. Each is a network namespace.
type world struct {
	t             *testing.T
	cli, srv, rtr string // namespaces
	server        *process
	url           string
	env           []string // of all processes
}

const serverIP = "10.77.9.2"

// newWorld has a server on the network.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := newNetwork(t)
	w.server = w.start(w.srv, "server", "PARLEY_NETS_IP="+serverIP)
	w.url = w.server.await("serving").URL
	return w
}

// newNetwork has the first radio on, and no server.
func newNetwork(t *testing.T) *world {
	t.Helper()
	prefix := fmt.Sprintf("parley%d-", os.Getpid())
	w := &world{t: t, cli: prefix + "cli", srv: prefix + "srv", rtr: prefix + "rtr"}
	for _, ns := range []string{w.rtr, w.cli, w.srv} {
		ip(t, "netns", "add", ns)
		t.Cleanup(func() { ip(t, "netns", "del", ns) })
		ip(t, "-n", ns, "link", "set", "lo", "up")
	}
	for _, l := range []struct{ router, addr, ns, name, own string }{
		{"r1", "10.77.1.1", w.cli, "c1", "10.77.1.2"},
		{"r2", "10.77.2.1", w.cli, "c2", "10.77.2.2"},
		{"r9", "10.77.9.1", w.srv, "s0", serverIP},
	} {
		w.plug(l.router, l.addr, l.ns, l.name, l.own)
	}
	ip(t, "netns", "exec", w.rtr, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
	ip(t, "-n", w.srv, "link", "set", "s0", "up")
	ip(t, "-n", w.srv, "route", "add", "default", "via", "10.77.9.1")
	w.up(1)
	return w
}

// plug lays a cable from the router, with an address on each end. The end in
// the namespace is not up yet.
func (w *world) plug(router, addr, ns, name, own string) {
	w.t.Helper()
	ip(w.t, "-n", w.rtr, "link", "add", router, "type", "veth", "peer", "name", name, "netns", ns)
	ip(w.t, "-n", w.rtr, "addr", "add", addr+"/24", "dev", router)
	ip(w.t, "-n", ns, "addr", "add", own+"/24", "dev", name)
	ip(w.t, "-n", w.rtr, "link", "set", router, "up")
}

// up switches a radio on, and down one off.
func (w *world) up(radio int) {
	w.t.Helper()
	ip(w.t, "-n", w.cli, "link", "set", fmt.Sprint("c", radio), "up")
	ip(w.t, "-n", w.cli, "route", "replace", "default", "via", fmt.Sprintf("10.77.%d.1", radio))
}

func (w *world) down(radio int) {
	w.t.Helper()
	ip(w.t, "-n", w.cli, "link", "set", fmt.Sprint("c", radio), "down")
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	require.NoError(t, err, "ip %s: %s", strings.Join(args, " "), out)
}

// in runs a command in a namespace to its end.
func (w *world) in(ns string, command ...string) {
	w.t.Helper()
	ip(w.t, append([]string{"netns", "exec", ns}, command...)...)
}

// process is a role that runs in a namespace, with what it has reported.
type process struct {
	t    *testing.T
	role string
	in   io.Closer
	proc *os.Process

	mu      sync.Mutex
	reports []report
	more    chan struct{} // closed, and replaced, when there are more reports
	ended   bool
}

// start runs a role in a namespace.
func (w *world) start(ns, role string, env ...string) *process {
	w.t.Helper()
	self, err := os.Executable()
	require.NoError(w.t, err)
	env = append([]string{roleVariable + "=" + role, "PARLEY_NETS_URL=" + w.url}, env...)
	return w.run(ns, role, env, self)
}

// run runs a command in a namespace, which tells what it does in lines of its
// standard output, and ends when its standard input does.
func (w *world) run(ns, role string, env []string, command ...string) *process {
	w.t.Helper()
	cmd := exec.Command("ip", append([]string{"netns", "exec", ns}, command...)...)
	cmd.Env = append(append(os.Environ(), w.env...), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	require.NoError(w.t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(w.t, err)
	require.NoError(w.t, cmd.Start())
	p := &process{t: w.t, role: role, in: in, proc: cmd.Process, more: make(chan struct{})}
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var r report
			if json.Unmarshal(lines.Bytes(), &r) != nil {
				r = report{Event: "line", At: time.Now(), Err: lines.Text()}
			}
			p.add(r)
		}
		p.end()
	}()
	w.t.Cleanup(func() {
		_ = in.Close() // it may be closed
		kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		<-read
		err := cmd.Wait()
		kill.Stop()
		require.NoError(w.t, err, "%s said: %s", role, stderr.String())
	})
	return p
}

func (p *process) add(r report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reports = append(p.reports, r)
	close(p.more)
	p.more = make(chan struct{})
}

func (p *process) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	close(p.more)
	p.more = make(chan struct{})
}

// quit has the role leave in order.
func (p *process) quit() { _ = p.in.Close() } // it may have been told before

// await waits for a report of the sort that came after a time.
func (p *process) await(event string, after ...time.Time) report {
	p.t.Helper()
	return p.awaitThat(event, func(r *report) bool { return len(after) == 0 || r.At.After(after[0]) })
}

// awaitThat waits for a report of the sort that is as it should be.
func (p *process) awaitThat(event string, fits func(*report) bool) report {
	p.t.Helper()
	limit := time.NewTimer(60 * time.Second)
	defer limit.Stop()
	for i := 0; ; {
		p.mu.Lock()
		for ; i < len(p.reports); i++ {
			if r := p.reports[i]; r.Event == event && fits(&r) {
				p.mu.Unlock()
				return r
			}
		}
		more, ended := p.more, p.ended
		p.mu.Unlock()
		require.False(p.t, ended, "%s has ended without %s: %v", p.role, event, p.told())
		select {
		case <-more:
		case <-limit.C:
			require.FailNow(p.t, "it takes too long", "%s of %s; there were %v", event, p.role, p.told())
		}
	}
}

// told returns the events of the role's room.
func (p *process) told() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []string
	for _, r := range p.reports {
		if r.Event != "message" && r.Event != "picture" {
			list = append(list, strings.TrimSpace(r.Event+" "+r.Err))
		}
	}
	return list
}

// gap returns the longest time without a report of the sort, from a time on.
func (p *process) gap(event string, from time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var longest time.Duration
	last := from
	for _, r := range p.reports {
		if r.Event == event && r.At.After(from) {
			longest = max(longest, r.At.Sub(last))
			last = r.At
		}
	}
	return longest
}

// messages returns how many messages came, and what was wrong with their order.
func (p *process) messages() (count uint64, wrong []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := true
	var next uint64
	for _, r := range p.reports {
		if r.Event != "message" {
			continue
		}
		if !first && r.Seq != next {
			wrong = append(wrong, fmt.Sprintf("%d after %d", r.Seq, next-1))
		}
		first, next = false, r.Seq+1
		count++
	}
	return count, wrong
}
