package parley_test

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/stretchr/testify/require"
)

// Video of many packets a second over a path that reorders them widely: what
// comes late is not taken for a replay (RFC 3711, section 3.3.2).
func TestFastVideoThroughJitter(t *testing.T) {
	inLab(t, 77, func(l *lab) {
		alice := l.join("alice", sending(l.t, "fast", newEncoder(8_000_000)))
		bob := l.join("bob")
		picture := bob.hears("fast")
		time.Sleep(2 * time.Second)
		alice.host.Impair(func(send, _ *faultnet.Faults) { send.Jitter = 200 * time.Millisecond })
		start := time.Now()
		time.Sleep(10 * time.Second)
		frames, late := picture.since(start)
		l.t.Logf("%d of 300 frames, at most %v late", frames, late)
		require.Greater(l.t, frames, 280)
		require.Less(l.t, late, 400*time.Millisecond)
	})
}
