package roomtest

import (
	"flag"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/capture"
	"github.com/parley-rtc/parley/internal/faultnet"
)

// wiretap keeps what a server sees on its wire, and what faults keep from it,
// for the test that fails. A nil wiretap keeps nothing.
type wiretap struct {
	tb  testing.TB
	rec *capture.Recorder
}

// newWiretap returns the wiretap of a test. It is made before the server, so
// that it looks at the result when the server is closed.
func newWiretap(tb testing.TB, o Options) *wiretap {
	tb.Helper()
	if o.NoCapture {
		return nil
	}
	w := &wiretap{tb: tb, rec: capture.NewRecorder(0)}
	tb.Cleanup(w.conclude)
	return w
}

// server listens at the sockets of a server.
func (w *wiretap) server() faultnet.Tap {
	if w == nil {
		return nil
	}
	on := w.rec.Interface("server")
	return func(now time.Time, local, remote net.Addr, data []byte, fate faultnet.Fate) {
		comment := ""
		if fate.Lost {
			comment = "lost by a fault of the server's"
		}
		w.packet(on, comment, now, local, remote, data, fate)
	}
}

// participant listens at the sockets of a participant, for what the server
// does not see or the participant does not get.
func (w *wiretap) participant(name string) faultnet.Tap {
	if w == nil {
		return nil
	}
	on := w.rec.Interface(name)
	comment := "lost by a fault of " + name + "'s"
	return func(now time.Time, local, remote net.Addr, data []byte, fate faultnet.Fate) {
		if fate.Lost {
			w.packet(on, comment, now, local, remote, data, fate)
		}
	}
}

func (w *wiretap) packet(on int, comment string, now time.Time, local, remote net.Addr, data []byte, fate faultnet.Fate) {
	from, to := addrPort(remote), addrPort(local)
	if fate.Sent {
		from, to = to, from
	}
	w.rec.Packet(capture.Packet{
		Interface: on, Time: now, Inbound: !fate.Sent, From: from, To: to, Data: data, Comment: comment,
	})
}

func addrPort(a net.Addr) netip.AddrPort {
	if udp, ok := a.(*net.UDPAddr); ok && udp != nil {
		return udp.AddrPort()
	}
	return netip.AddrPort{}
}

// signaling returns a connection that is listened to.
func (w *wiretap) signaling(c net.Conn) net.Conn {
	if w == nil {
		return c
	}
	return w.rec.Conn(c)
}

// keyLog takes the keys of the server's media.
func (w *wiretap) keyLog() io.Writer {
	if w == nil {
		return nil
	}
	return w.rec.KeyLog()
}

// conclude writes everything down if the test has failed, and says where.
func (w *wiretap) conclude() {
	w.tb.Helper()
	if !w.tb.Failed() {
		return
	}
	dir, err := w.folder()
	if err != nil {
		w.tb.Logf("roomtest: no folder for the capture: %v", err)
		return
	}
	for _, f := range []struct {
		name, what string
		write      func(io.Writer) error
	}{
		{"media.pcapng", "packets of media, with the keys inside", w.rec.WritePackets},
		{"media.keys", "the same keys, as SSLKEYLOGFILE", w.rec.WriteKeys},
		{"signaling.jsonl", "signaling messages", w.rec.WriteMessages},
	} {
		path := filepath.Join(dir, f.name)
		if err := save(path, f.write); err != nil {
			w.tb.Logf("roomtest: capture: %v", err)
			continue
		}
		w.tb.Logf("roomtest: capture: %s (%s)", path, f.what)
	}
	if n := w.rec.Forgotten(); n > 0 {
		w.tb.Logf("roomtest: capture: the first %d packets were not kept", n)
	}
}

func save(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // it holds keys
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		_ = f.Close() // the other error is told
		return err
	}
	return f.Close()
}

// unfit are the characters of test names that do not belong into file names.
var unfit = regexp.MustCompile(`[^A-Za-z0-9_.=-]+`)

// folder returns one that is there after the test: that of its artifacts if
// those are wanted, and a new one otherwise.
func (w *wiretap) folder() (string, error) {
	kept := flag.Lookup("test.artifacts") // since Go 1.26
	a, ok := w.tb.(interface{ ArtifactDir() string })
	if ok && kept != nil && kept.Value.String() == "true" {
		return os.MkdirTemp(a.ArtifactDir(), "roomtest-*") // a test may have several servers
	}
	name := unfit.ReplaceAllString(w.tb.Name(), "_")
	return os.MkdirTemp("", "roomtest-"+name[:min(len(name), 80)]+"-*")
}
