//go:build e2e

package nets_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A server that gets no processor for five seconds, as under a snapshot of its
// machine, is the same server afterwards.
func TestR12ServerStandsStill(t *testing.T) {
	c := newCall(t)
	began := time.Now()
	require.NoError(t, c.server.proc.Signal(syscall.SIGSTOP))
	still := time.NewTimer(5 * time.Second)
	<-still.C
	require.NoError(t, c.server.proc.Signal(syscall.SIGCONT))
	on := time.Now()
	c.flows(on)
	back := c.viewer.await("picture", on).At.Sub(on)
	c.flows(on.Add(5 * time.Second))
	c.t.Logf("R12 server stopped for 5 s: pictures %v after it goes on, longest gap of messages %v; events of the robot %v, of the viewer %v",
		back, c.viewer.gap("message", began), c.robot.told(), c.viewer.told())
	require.LessOrEqual(t, back, time.Second)
	c.end()
}
