package sfu

import (
	"errors"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// tape is a send section that records. It knows VP8 as 101.
type tape struct {
	headers []rtp.Header
	fail    bool
}

func (t *tape) PayloadType(c rtc.Codec) (uint8, bool) { return 101, c.Codec == media.VP8 }

func (t *tape) Write(h *rtp.Header, _ []byte, _ time.Time) error {
	if t.fail {
		return errors.New("not connected")
	}
	t.headers = append(t.headers, *h)
	return nil
}

func (t *tape) last() rtp.Header { return t.headers[len(t.headers)-1] }

var (
	vp8      = rtc.Codec{Codec: media.VP8}
	keyframe = []byte{0x10, 0x50, 1, 0, 0x9d, 0x01, 0x2a, 1, 0, 1, 0}
)

func send(u *uplink, ssrc uint32, seq uint16, ts uint32) {
	u.forward(&rtp.Header{SSRC: ssrc, PayloadType: 96, SequenceNumber: seq, Timestamp: ts}, keyframe, &vp8, time.Time{})
}

func newTapedSlot() (*slot, *tape) {
	t := &tape{}
	return &slot{kind: media.Video, to: t}, t
}

func TestPacketsKeepTheirPlace(t *testing.T) {
	u := newUplink(media.Video, 0)
	s, out := newTapedSlot()
	s.next = 65534
	first := s.begin(u)
	u.attach(s)
	require.EqualValues(t, 65534, first)
	for _, seq := range []uint16{10, 11, 14, 12} {
		send(u, 1, seq, uint32(seq)*3000)
	}
	var got []uint16
	for _, h := range out.headers {
		got = append(got, h.SequenceNumber)
		require.EqualValues(t, 101, h.PayloadType)
		require.Empty(t, h.Extensions)
	}
	require.Equal(t, []uint16{65534, 65535, 2, 0}, got, "late ones too, through the wrap")
	require.Equal(t, 2*3000, int(out.headers[3].Timestamp-out.headers[0].Timestamp))
	send(u, 1, 9, 27000)
	require.Len(t, out.headers, 4, "what was sent before it began belongs to the former user")

	h, payload, ok := s.history(0, make([]byte, 1500))
	require.True(t, ok)
	require.Equal(t, keyframe, payload)
	require.Equal(t, out.headers[3].Timestamp, h.Timestamp)
	require.EqualValues(t, 101, h.PayloadType)
	for _, seq := range []uint16{65533, 1, 3} {
		_, _, ok = s.history(seq, make([]byte, 1500))
		require.False(t, ok, seq)
	}
	s.end()
	_, _, ok = s.history(0, make([]byte, 1500))
	require.False(t, ok, "nothing of a former user")
	send(u, 1, 15, 45000)
	require.Len(t, out.headers, 4)
}

func TestRestartsOfTheSourceAreJoined(t *testing.T) {
	u := newUplink(media.Video, 0)
	s, out := newTapedSlot()
	s.begin(u)
	u.attach(s)
	send(u, 1, 100, 5000)
	send(u, 1, 40000, 1) // the encoder began anew
	require.EqualValues(t, 1, out.last().SequenceNumber)
	require.Less(t, out.last().Timestamp-out.headers[0].Timestamp, uint32(90000))
	send(u, 2, 40001, 77) // another connection
	require.EqualValues(t, 2, out.last().SequenceNumber)
	require.Less(t, out.last().Timestamp-out.headers[0].Timestamp, uint32(90000))
	// A very long stream is never taken for a former user's.
	for i := range 70_000 {
		send(u, 2, uint16(40002+i), uint32(80+i))
	}
	require.Len(t, out.headers, 3+70_000)
}

func TestNothingIsLostBeforeASectionIsNegotiated(t *testing.T) {
	u := newUplink(media.Video, 0)
	s, out := newTapedSlot()
	first := s.begin(u)
	u.attach(s)
	out.fail = true
	for seq := range uint16(10) {
		send(u, 1, seq, uint32(seq))
	}
	out.fail = false
	send(u, 1, 10, 10)
	require.Equal(t, first, out.headers[0].SequenceNumber, "it begins with what was announced")
	other := rtc.Codec{Codec: media.H264}
	u.forward(&rtp.Header{SSRC: 1, PayloadType: 102, SequenceNumber: 11}, keyframe, &other, time.Time{})
	require.Len(t, out.headers, 1, "a codec that was not negotiated")
}

func FuzzRewrite(f *testing.F) {
	f.Add([]byte{1, 1, 1, 0, 5, 5, 0, 9, 200, 1})
	f.Add([]byte{255, 128, 127, 64, 0, 0, 1, 2})
	f.Fuzz(func(t *testing.T, script []byte) {
		uplinks := []*uplink{newUplink(media.Video, 0), newUplink(media.Video, 0)}
		s, out := newTapedSlot()
		var from uint16
		var seqs [2]uint16
		current := 0
		begin := func() {
			from = s.begin(uplinks[current])
			uplinks[current].attach(s)
		}
		begin()
		for _, b := range script {
			if b == 0 { // another publication
				uplinks[current].detach(s)
				s.end()
				current = 1 - current
				begin()
				continue
			}
			seqs[current] += uint16(int8(b)) * uint16(b&3+1)
			before := len(out.headers)
			send(uplinks[current], uint32(current), seqs[current], uint32(seqs[current])*3000)
			if len(out.headers) == before {
				continue
			}
			got := out.last().SequenceNumber
			if int16(got-from) < 0 {
				t.Fatalf("packet %d before %d", got, from)
			}
			if got-from > 20_000 { // so long ago that nobody compares
				from = got - 10_000
			}
			if h, _, ok := s.history(got, make([]byte, 1500)); !ok || h.SequenceNumber != got || h.Timestamp != out.last().Timestamp {
				t.Fatalf("packet %d cannot be sent again", got)
			}
		}
	})
}

func TestForwardingAllocatesNothing(t *testing.T) {
	u := newUplink(media.Video, 0)
	for range 10 {
		s := &slot{kind: media.Video, to: &discard{}}
		s.begin(u)
		u.attach(s)
	}
	payload := make([]byte, 1100)
	h := rtp.Header{SSRC: 1, PayloadType: 96}
	forward := func() {
		h.SequenceNumber++
		u.forward(&h, payload, &vp8, time.Time{})
	}
	for range 2 * rtc.RingVideo {
		forward()
	}
	require.Zero(t, testing.AllocsPerRun(1000, forward))
}

type discard struct{}

func (discard) PayloadType(rtc.Codec) (uint8, bool)              { return 101, true }
func (discard) Write(h *rtp.Header, _ []byte, _ time.Time) error { return nil }

// BenchmarkForwardRewrite is one packet to ten subscribers, without sockets.
func BenchmarkForwardRewrite(b *testing.B) {
	u := newUplink(media.Video, 0)
	for range 10 {
		s := &slot{kind: media.Video, to: &discard{}}
		s.begin(u)
		u.attach(s)
	}
	payload := make([]byte, 1100)
	h := rtp.Header{SSRC: 1, PayloadType: 96}
	b.ReportAllocs()
	for b.Loop() {
		h.SequenceNumber++
		u.forward(&h, payload, &vp8, time.Time{})
	}
}

// Sequence numbers begin anywhere: also just before they wrap around.
func TestNewcomersCatchUpWhereverNumbersBegin(t *testing.T) {
	for first := 0; first < 1<<16; first += 500 {
		u := newUplink(media.Video, 0)
		send(u, 1, uint16(first), 3000)
		u.forward(&rtp.Header{SSRC: 1, PayloadType: 96, SequenceNumber: uint16(first + 1), Timestamp: 6000}, deltaFrame, &vp8, time.Time{})
		s, out := newTapedSlot()
		s.begin(u)
		u.attach(s)
		require.True(t, u.catchUp(s), "from %d on", first)
		require.Len(t, out.headers, 2)
	}
}
