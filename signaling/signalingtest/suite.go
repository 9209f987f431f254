package signalingtest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rtc/parley/signaling"
)

// Peer is the server's side of one session under test.
type Peer interface {
	// Join is what the client sent; it waits for Accept or Reject.
	Join() signaling.Join
	Accept(state signaling.State) error
	Reject(err *signaling.Error) error
	// Send and Receive exchange updates. Receive gives io.EOF when the client
	// has left, and a *signaling.Error with CodeSignalingDisconnected when it
	// was lost.
	Send(update signaling.Update) error
	Receive(ctx context.Context) (signaling.Update, error)
	// End ends the session with err, if it has a code, or plainly.
	End(err *signaling.Error, reason signaling.DisconnectReason, retryAfter time.Duration)
	// Drop cuts the connection without a word.
	Drop()
}

// Fixture is a transport and the server it leads to. What it starts it stops in
// t.Cleanup.
type Fixture struct {
	Transport signaling.Transport
	// Next waits for the transport's next Dial and returns its other side.
	Next func(ctx context.Context) (Peer, error)
	// NoResume says that sessions cannot be resumed.
	NoResume bool
}

// limit ends a case that hangs.
const limit = 20 * time.Second

type suiteCase struct {
	name   string
	resume bool // needs a transport that resumes
	run    func(t *testing.T, f Fixture)
}

// TestTransport runs the conformance suite, each case as a subtest with a
// fixture of its own, and checks that each leaves no goroutine behind.
func TestTransport(t *testing.T, newFixture func(t *testing.T) Fixture) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, before) }) // runs after the fixture's
			c.start(t, newFixture)
		})
	}
}

// TestTransportVirtual is TestTransport with each case in a bubble of package
// testing/synctest: time costs nothing and is exact. The fixture must stay
// within the bubble: no sockets.
func TestTransportVirtual(t *testing.T, newFixture func(t *testing.T) Fixture) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.start(t, newFixture) })
		})
	}
}

func (c suiteCase) start(t *testing.T, newFixture func(t *testing.T) Fixture) {
	f := newFixture(t)
	if c.resume && f.NoResume {
		return
	}
	c.run(t, f)
}
