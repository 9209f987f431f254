package sfu_test

import (
	"testing"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

// Who comes while the last key frame is young starts with it, and the
// publisher is not asked for another.
func TestNewcomersStartWithTheLastKeyframe(t *testing.T) {
	w := newWorld(t)
	alice := w.client("alice", "demo")
	out := alice.publish(signaling.KindVideo, "cam")
	require.NoError(t, alice.dial())
	alice.connected()
	s := alice.stream(out, media.VP8, 65500) // key frames only, for now
	first := w.client("first", "demo")
	mid := first.slot(media.Video)
	require.NoError(t, first.dial())
	first.connected()
	read(t, first.inlet(mid), 5)
	s.delta.Store(true)
	in := first.inlet(mid)
	for read(t, in, 1)[0].Payload[1]&1 == 0 {
	}
	asked := out.Stats().Keyframes
	for _, name := range []string{"second", "third"} {
		c := w.client(name, "demo")
		mid := c.slot(media.Video)
		require.NoError(t, c.dial())
		c.connected()
		in := c.inlet(mid)
		got := read(t, in, 8)
		require.Zero(t, got[0].Payload[1]&1, "a key frame")
		for i, p := range got[1:] {
			require.EqualValues(t, 1, p.Payload[1]&1)
			require.Equal(t, payloadSeq(got[0].Payload)+uint16(i)+1, payloadSeq(p.Payload), "nothing is left out")
			require.Equal(t, got[0].Timestamp+uint32(i+1)*450, p.Timestamp)
		}
		require.Zero(t, in.Stats().Lost)
	}
	require.Equal(t, asked, out.Stats().Keyframes)
}
