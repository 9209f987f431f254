//go:build e2e

package nets_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// call is a robot with two radios that a viewer beside the server watches.
type call struct {
	*world
	robot, viewer *process
}

func newCall(t *testing.T) *call {
	t.Helper()
	w := newWorld(t)
	c := &call{world: w}
	c.viewer = w.start(w.srv, "viewer")
	c.robot = w.start(w.cli, "robot")
	c.viewer.await("message")
	c.viewer.await("picture")
	return c
}

// flows waits until messages and pictures came that were sent after a time.
func (c *call) flows(after time.Time) {
	c.t.Helper()
	c.viewer.await("message", after)
	c.viewer.await("picture", after)
}

// end has the robot leave, and asserts that no message was lost, came twice or
// out of order, and that nothing of the robot stayed.
func (c *call) end() {
	c.t.Helper()
	c.robot.quit()
	left := c.robot.await("left")
	require.LessOrEqual(c.t, left.Count, 0, "goroutines that stayed")
	got, wrong := c.viewer.messages()
	require.Empty(c.t, wrong)
	c.t.Logf("%d messages sent, %d received", left.Seq, got)
	c.viewer.mu.Lock()
	defer c.viewer.mu.Unlock()
	last := -1
	for i, r := range c.viewer.reports {
		if r.Event == "message" {
			last = i
		}
	}
	require.Equal(c.t, left.Seq-1, c.viewer.reports[last].Seq, "the last one arrived")
}

// From Wi-Fi to LTE: one network is gone, then there is another.
func TestR08RealNetworkJump(t *testing.T) {
	c := newCall(t)
	began := time.Now()
	c.down(1)
	c.up(2)
	c.robot.await("Reconnected", began)
	c.flows(time.Now())
	c.t.Logf("R8 jump: longest gap of pictures %v, of messages %v; the robot's events %v",
		c.viewer.gap("picture", began), c.viewer.gap("message", began), c.robot.told())
	require.LessOrEqual(t, c.viewer.gap("picture", began), 3*time.Second)
	c.end()
}

// Both networks for a while, then only the new one.
func TestR09RealNetworkStep(t *testing.T) {
	c := newCall(t)
	began := time.Now()
	c.up(2)
	c.flows(began.Add(2 * time.Second))
	require.Equal(t, -1, slices.Index(c.robot.told(), "Reconnecting"), "another network is no reason")
	c.down(1)
	off := time.Now()
	c.robot.await("Reconnected", off)
	c.flows(time.Now())
	c.t.Logf("R9 step: longest gap of pictures %v, of messages %v; the robot's events %v",
		c.viewer.gap("picture", began), c.viewer.gap("message", began), c.robot.told())
	require.LessOrEqual(t, c.viewer.gap("picture", began), 3*time.Second)
	c.end()
}

func TestR10TwentyRealNetworkSwitches(t *testing.T) {
	c := newCall(t)
	on := 1
	for range 20 {
		off := on
		on = 3 - on
		flip := time.Now()
		c.down(off)
		c.up(on)
		c.flows(flip.Add(3 * time.Second))
	}
	c.t.Logf("R10: the robot's events %v", c.robot.told())
	c.end()
}
