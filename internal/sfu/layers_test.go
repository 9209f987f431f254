package sfu

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// encoder makes the packets of one layer: pictures of three packets, 30 a
// second, whose last bytes tell layer and number. Its clock, numbers and picture
// ids begin anywhere.
type encoder struct {
	l             *layer
	width, height int
	seq, picture  uint16
	ts            uint32
	tl0           uint8
	key           bool
	frames        int
}

func newEncoder(l *layer, width, height int) *encoder {
	n := l.index + 1
	return &encoder{l: l, width: width, height: height, seq: uint16(65000 + 200*n), picture: uint16(0x7ff0 + 7*n), ts: 0xfffff000 * uint32(n), tl0: uint8(250 + n), key: true}
}

// part sends packet i of 3 of the picture at hand.
func (e *encoder) part(i int) {
	first := byte(0x80)
	if i == 0 {
		first = 0x90
	}
	id := e.picture & 0x7fff
	payload := []byte{first, 0xe0, 0x80 | byte(id>>8), byte(id), e.tl0, 0x20}
	switch {
	case i != 0:
		payload = append(payload, 9, 9, 9)
	case e.key:
		payload = append(payload, 0x10, 0, 0, 0x9d, 1, 0x2a, byte(e.width), byte(e.width>>8), byte(e.height), byte(e.height>>8))
	default:
		payload = append(payload, 0x11, 0, 0)
	}
	payload = fmt.Appendf(payload, "|%d|%d|%d", e.l.index, e.frames, i)
	e.l.forward(&rtp.Header{SSRC: uint32(e.l.index + 1), PayloadType: 96, SequenceNumber: e.seq, Timestamp: e.ts, Marker: i == 2}, payload, &vp8, time.Time{})
	e.seq++
	if i == 2 {
		e.frames++
		e.picture++
		e.tl0++
		e.ts += 3000
		e.key = false
	}
}

func (e *encoder) picture3() {
	for i := range 3 {
		e.part(i)
	}
}

// film is a send section that keeps what it is given.
type film struct {
	headers  []rtp.Header
	payloads [][]byte
}

func (f *film) PayloadType(rtc.Codec) (uint8, bool) { return 101, true }

func (f *film) Write(h *rtp.Header, payload []byte, _ time.Time) error {
	f.headers = append(f.headers, *h)
	f.payloads = append(f.payloads, append([]byte(nil), payload...))
	return nil
}

// check proves that what was sent is one stream that a decoder understands:
// numbers without gap, growing times, picture ids one after the other, whole
// pictures, and each of another layer than the one before a key frame.
func (f *film) check(t *testing.T) (layers []int) {
	t.Helper()
	layer := -1
	var before packet.VP8Order
	for i := 0; i < len(f.headers); i += 3 {
		order := packet.ReadVP8Order(f.payloads[i])
		for part := range 3 {
			h := f.headers[i+part]
			require.Equal(t, f.headers[0].SequenceNumber+uint16(i+part), h.SequenceNumber)
			require.Equal(t, f.headers[i].Timestamp, h.Timestamp, "a picture has one time")
			require.Equal(t, part == 2, h.Marker)
			is := packet.ReadVP8Order(f.payloads[i+part])
			require.Equal(t, order.Picture, is.Picture)
			require.Equal(t, order.TL0, is.TL0)
		}
		var l, n, part int
		_, label, _ := bytes.Cut(f.payloads[i], []byte("|"))
		_, err := fmt.Sscanf(string(label), "%d|%d|%d", &l, &n, &part)
		require.NoError(t, err)
		require.Zero(t, part)
		if i > 0 {
			require.Equal(t, (before.Picture+1)&0x7fff, order.Picture, "picture %d", i/3)
			require.Equal(t, before.TL0+1, order.TL0)
			step := f.headers[i].Timestamp - f.headers[i-1].Timestamp
			require.Greater(t, step, uint32(0))
			require.Less(t, step, uint32(90_000))
		}
		if l != layer {
			require.True(t, packet.Keyframe(media.VP8, f.payloads[i]), "layer %d begins with a key frame", l)
			layers = append(layers, l)
		}
		layer, before = l, order
	}
	return layers
}

// inStage runs f with a publication of three layers and one subscriber.
func inStage(t *testing.T, f func(t *testing.T, u *uplink, encoders []*encoder, s *slot, out *film)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		u := newUplink(media.Video, 0)
		defer u.close()
		u.grow(3)
		var encoders []*encoder
		for i, l := range *u.layers.Load() {
			encoders = append(encoders, newEncoder(l, 320<<i, 180<<i))
		}
		out := &film{}
		s := &slot{kind: media.Video, to: out}
		s.begin(u)
		u.attach(s)
		f(t, u, encoders, s, out)
	})
}

func pictures(n int, encoders ...*encoder) {
	for range n {
		for _, e := range encoders {
			e.picture3()
		}
		time.Sleep(time.Second / 30)
	}
}

func TestLayersFollowThePreferredSize(t *testing.T) {
	inStage(t, func(t *testing.T, _ *uplink, encoders []*encoder, s *slot, out *film) {
		pictures(3, encoders...)
		for _, c := range []struct{ width, height, layer int }{
			{0, 0, 2}, {320, 180, 0}, {640, 360, 1}, {1280, 720, 2}, {100, 100, 0}, {320, 720, 0}, {420, 360, 1}, {4000, 3000, 2}, {320, 240, 0},
		} {
			s.prefer(c.width, c.height)
			require.Equal(t, c.layer, s.wished(), "%d x %d", c.width, c.height)
			pictures(2, encoders...)
			encoders[c.layer].key = true
			pictures(4, encoders...)
			require.Equal(t, c.layer, sending(s).index)
		}
		require.Equal(t, []int{0, 1, 2, 0, 1, 2, 0, 1, 2, 0}, out.check(t), "at first what comes")
	})
}

func TestLayersChangeBetweenPictures(t *testing.T) {
	inStage(t, func(t *testing.T, _ *uplink, encoders []*encoder, s *slot, out *film) {
		s.prefer(320, 180)
		pictures(5, encoders...)
		s.prefer(1280, 720)
		low, high := encoders[0], encoders[2]
		low.part(0)
		high.key = true
		high.part(0)
		low.part(1)
		high.part(1)
		low.part(2) // now it may begin, with all that has come of it
		high.part(2)
		require.Equal(t, []int{0, 2}, out.check(t))
		pictures(5, encoders...)

		// The rest of the picture never comes: it is not waited for long.
		s.prefer(320, 180)
		high.part(0)
		before := len(out.headers)
		low.key = true
		pictures(2, low)
		require.Len(t, out.headers, before, "the rest of the picture may still come")
		time.Sleep(holdTime)
		pictures(1, low)
		require.Greater(t, len(out.headers), before)
		require.Equal(t, 0, sending(s).index)
	})
}

func TestTheBestLayerThatFlowsIsSent(t *testing.T) {
	inStage(t, func(t *testing.T, u *uplink, encoders []*encoder, s *slot, out *film) {
		pictures(10, encoders...)
		encoders[2].key = true
		pictures(10, encoders...)
		require.Equal(t, 2, sending(s).index)
		// A browser gives the upper layers up, one after the other.
		for top := 1; top >= 0; top-- {
			for range 30 {
				pictures(1, encoders[:top+1]...)
				encoders[top].key = s.aimed().index == top
			}
			require.Equal(t, top, sending(s).index)
			require.Equal(t, 2, s.wished(), "the wish stays")
		}
		encoders[2].key = true
		pictures(5, encoders...)
		require.Equal(t, 2, sending(s).index, "and is fulfilled when it can be")
		require.Equal(t, []int{0, 1, 2, 1, 0, 1, 2}, out.check(t))
		require.EqualValues(t, 7, u.flowing.Load())
		time.Sleep(2 * silence)
		require.Zero(t, u.flowing.Load())
		pictures(2, encoders[1]) // the lowest is the one that is missing
		require.Equal(t, 1, s.aimed().index)
	})
}

func TestPacketsBeforeAChangeOfLayersAreSentAgain(t *testing.T) {
	inStage(t, func(t *testing.T, _ *uplink, encoders []*encoder, s *slot, out *film) {
		for i, size := range []int{320, 1280, 320, 640} {
			s.prefer(size, size*9/16)
			for _, e := range encoders {
				e.key = true
			}
			pictures(8+i, encoders...)
		}
		require.Equal(t, []int{0, 2, 0, 1}, out.check(t))
		buf := make([]byte, 1500)
		for i, sent := range out.headers {
			h, payload, ok := s.history(sent.SequenceNumber, buf)
			require.True(t, ok, i)
			require.Equal(t, sent.Timestamp, h.Timestamp)
			require.Equal(t, sent.Marker, h.Marker)
			require.Equal(t, sent.PayloadType, h.PayloadType)
			require.Equal(t, out.payloads[i], payload)
		}
		_, _, ok := s.history(out.headers[0].SequenceNumber-1, buf)
		require.False(t, ok)
		_, _, ok = s.history(s.next, buf)
		require.False(t, ok)
		pictures(700, encoders...)
		_, _, ok = s.history(out.headers[0].SequenceNumber, buf)
		require.False(t, ok, "too long ago")
	})
}

func TestForwardingLayersAllocatesNothing(t *testing.T) {
	inStage(t, func(t *testing.T, u *uplink, encoders []*encoder, s *slot, _ *film) {
		s.to = &discard{}
		pictures(2, encoders...)
		encoders[2].key = true
		pictures(300, encoders...)
		require.Equal(t, 2, sending(s).index)
		payload := []byte{0x90, 0xe0, 0x80, 1, 1, 0x20, 0x11, 0, 0}
		h := rtp.Header{SSRC: 3, PayloadType: 96, SequenceNumber: encoders[2].seq, Timestamp: 5}
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			h.SequenceNumber++
			u.layer(2).forward(&h, payload, &vp8, time.Time{})
		}))
	})
}

// sending returns the layer that was sent last.
func sending(s *slot) *layer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}
