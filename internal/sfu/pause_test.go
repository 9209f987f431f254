package sfu

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

var deltaFrame = []byte{0x10, 0x51, 1, 0, 0}

func TestPausedSlotsSendNothingAndGoOnWithAKeyframe(t *testing.T) {
	u := newUplink(media.Video, 0)
	s, out := newTapedSlot()
	s.begin(u)
	u.attach(s)
	send(u, 1, 10, 3000)
	s.pause(true)
	for seq := uint16(11); seq < 50; seq++ {
		send(u, 1, seq, uint32(seq)*300)
	}
	require.Len(t, out.headers, 1)
	require.False(t, u.catchUp(s), "not while it is paused")
	s.pause(false)
	u.forward(&rtp.Header{SSRC: 1, PayloadType: 96, SequenceNumber: 50, Timestamp: 15000}, deltaFrame, &vp8, time.Time{})
	require.Len(t, out.headers, 1, "a picture that needs those before it")
	send(u, 1, 51, 15300)
	send(u, 1, 52, 15600)
	require.Len(t, out.headers, 3)
	require.Equal(t, out.headers[0].SequenceNumber+1, out.headers[1].SequenceNumber, "no gap")
	require.Equal(t, out.headers[0].SequenceNumber+2, out.headers[2].SequenceNumber)
	_, _, ok := s.history(out.headers[2].SequenceNumber, make([]byte, 1500))
	require.True(t, ok)

	s.pause(true)
	s.end()
	s.begin(u)
	send(u, 1, 53, 15900)
	require.Len(t, out.headers, 4, "the next publication begins afresh")
}

func TestPausesComeBetweenPictures(t *testing.T) {
	u := newUplink(media.Video, 0)
	s, out := newTapedSlot()
	s.begin(u)
	u.attach(s)
	packet := func(seq uint16, timestamp uint32, payload []byte, last bool) {
		h := rtp.Header{SSRC: 1, PayloadType: 96, SequenceNumber: seq, Timestamp: timestamp, Marker: last}
		u.forward(&h, payload, &vp8, time.Time{})
	}
	packet(10, 3000, keyframe, true)
	packet(11, 6000, deltaFrame, false)
	s.pause(true)
	packet(12, 6000, deltaFrame, false)
	packet(13, 6000, deltaFrame, true)
	packet(14, 9000, deltaFrame, true)
	require.Len(t, out.headers, 4, "the picture that had begun is whole, and nothing follows")
	require.True(t, out.headers[3].Marker)
}
