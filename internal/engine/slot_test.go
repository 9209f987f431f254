package engine

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

var opus = rtc.Codec{Codec: media.Opus}

func packets(s *slot, seqs ...int) {
	for _, seq := range seqs {
		s.deliver(arrival{pkt: &rtp.Packet{Header: rtp.Header{SequenceNumber: uint16(seq)}, Payload: []byte{1}}, codec: opus})
	}
}

// got returns the sequence numbers that the receiver's first reader has.
func got(t *testing.T, r *Receiver) (seqs []int) {
	t.Helper()
	r.mu.Lock()
	tap := r.first
	r.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for {
		a, err := tap.Read(ctx)
		if err != nil {
			return seqs
		}
		seqs = append(seqs, int(a.Packet.SequenceNumber))
	}
}

func newAudio() *Receiver { return NewReceiver(media.Audio, func() {}) }

func TestPacketsBeforeTheAnnouncementAreKept(t *testing.T) {
	s, a := newSlot(), newAudio()
	packets(s, 65534, 65535, 0, 1)
	s.assign(a, 65535, true)
	packets(s, 2)
	require.Equal(t, []int{65535, 0, 1, 2}, got(t, a))
}

func TestAnnouncementBeforePackets(t *testing.T) {
	s, a := newSlot(), newAudio()
	s.assign(a, 10, true)
	packets(s, 8, 9, 11, 10)
	require.Equal(t, []int{11, 10}, got(t, a), "8 and 9 were somebody else's; order is that of arrival")
}

func TestSlotChangesHands(t *testing.T) {
	s, a, b, c := newSlot(), newAudio(), newAudio(), newAudio()
	s.assign(a, 100, true)
	packets(s, 100, 101)
	s.assign(b, 103, true)
	packets(s, 103, 102, 104) // 102 is late, and still a's
	require.Equal(t, []int{100, 101, 102}, got(t, a))
	require.Equal(t, []int{103, 104}, got(t, b))
	// b has ended, and c's first packets come before c is announced.
	b.Close()
	packets(s, 105, 106)
	s.assign(c, 106, true)
	packets(s, 107)
	require.Equal(t, []int{106, 107}, got(t, c))
}

func TestSlotLivesThroughManyWraps(t *testing.T) {
	s, a := newSlot(), newAudio()
	s.assign(a, 5, true)
	for i := range 4 * 65536 {
		packets(s, i+5)
		if i%200 == 0 {
			require.NotEmpty(t, got(t, a))
		}
	}
	require.NotEmpty(t, got(t, a))
	b := newAudio()
	s.assign(b, 1000, true) // 995 packets ahead
	packets(s, 999, 1000)
	require.Equal(t, []int{1000}, got(t, b))
}

func TestHeldPacketsAreBounded(t *testing.T) {
	s, a := newSlot(), newAudio()
	for i := range 3 * heldPackets {
		packets(s, i)
	}
	require.Len(t, s.held, heldPackets)
	s.assign(a, 3*heldPackets-2, true)
	require.Equal(t, []int{3*heldPackets - 2, 3*heldPackets - 1}, got(t, a))
	require.Empty(t, s.held)
}

func TestLateReaderLosesTheOldest(t *testing.T) {
	s, a := newSlot(), newAudio()
	s.assign(a, 0, true)
	for i := range queueAudio + 10 {
		packets(s, i)
	}
	seqs := got(t, a)
	require.Len(t, seqs, queueAudio)
	require.Equal(t, 10, seqs[0])
	require.EqualValues(t, 10, a.Stats().Dropped)
}

func TestFirstReaderGetsTheBeginning(t *testing.T) {
	s, a := newSlot(), newAudio()
	s.assign(a, 0, true)
	packets(s, 0, 1)
	first, second := a.Tap(), a.Tap()
	packets(s, 2)
	a.Close()
	read := func(tap *Tap) (seqs []int) {
		for {
			a, err := tap.Read(t.Context())
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				return seqs
			}
			require.Equal(t, media.Opus, a.Codec)
			seqs = append(seqs, int(a.Packet.SequenceNumber))
		}
	}
	require.Equal(t, []int{0, 1, 2}, read(first))
	require.Equal(t, []int{2}, read(second))
	require.Empty(t, read(a.Tap()), "a reader that comes after the end")
}

func TestReadersOfOneTapShare(t *testing.T) {
	s, a := newSlot(), newAudio()
	s.assign(a, 0, true)
	tap := a.Tap()
	const readers, n = 4, 200
	counts := make(chan int)
	for range readers {
		go func() {
			count := 0
			for {
				if _, err := tap.Read(context.Background()); err != nil {
					counts <- count
					return
				}
				count++
			}
		}()
	}
	for i := range n {
		packets(s, i)
	}
	a.Close()
	total := 0
	for range readers {
		total += <-counts
	}
	require.Equal(t, n, total)
}

func TestClosedTapUnblocksItsReader(t *testing.T) {
	a := newAudio()
	a.Tap()
	tap := a.Tap()
	done := make(chan error)
	go func() {
		_, err := tap.Read(context.Background())
		done <- err
	}()
	tap.Close()
	require.ErrorIs(t, <-done, io.EOF)
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	_, err := a.Tap().Read(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestVideoStartsWithAKeyFrame(t *testing.T) {
	told := 0
	r := NewReceiver(media.Video, func() { told++ })
	vp8 := rtc.Codec{Codec: media.VP8}
	delta := []byte{0x10, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	key := []byte{0x10, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00}
	r.push(arrival{pkt: &rtp.Packet{Payload: delta}, codec: vp8})
	require.False(t, r.Started())
	require.Zero(t, told)
	r.push(arrival{pkt: &rtp.Packet{Payload: key}, codec: vp8})
	require.True(t, r.Started())
	w, h := r.Dimensions()
	require.Equal(t, [2]int{320, 240}, [2]int{w, h})
	require.Equal(t, 1, told)
	r.push(arrival{pkt: &rtp.Packet{Payload: key}, codec: vp8})
	require.Equal(t, 1, told, "nothing differs")
}

func BenchmarkDeliver(b *testing.B) {
	s, a := newSlot(), newAudio()
	s.assign(a, 0, true)
	tap := a.Tap()
	pkt := &rtp.Packet{Payload: make([]byte, 1000)}
	b.ReportAllocs()
	for b.Loop() {
		pkt.SequenceNumber++
		s.deliver(arrival{pkt: pkt, codec: opus})
		_, _ = tap.Read(context.Background())
	}
}
