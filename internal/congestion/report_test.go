package congestion

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/require"
)

// What is said of the packets arrives as it was, over the wraparound of the
// numbers, with losses, copies and wrong order.
func TestReportsTellWhatArrived(t *testing.T) {
	var a Arrivals
	random := rand.New(rand.NewPCG(5, 6))
	told, want := map[uint32]time.Duration{}, map[uint32]time.Duration{}
	now := time.Duration(0)
	tell := func() {
		for {
			data := a.Report(now, nil)
			if len(data) == 0 {
				return
			}
			require.LessOrEqual(t, len(data), 1300)
			var theirs rtcp.TransportLayerCC
			require.NoError(t, theirs.Unmarshal(data))
			require.Equal(t, uint32(7), theirs.MediaSSRC)
			r, ok := readReport(data)
			require.True(t, ok)
			require.Equal(t, theirs.ReferenceTime, r.reference)
			at, delta := time.Duration(r.reference)*referenceUnit, 0
			for n := r.base; ; n++ {
				received, d, ok := r.next()
				if !ok {
					break
				}
				if !received {
					continue
				}
				require.Equal(t, theirs.RecvDeltas[delta].Delta, d.Microseconds())
				delta++
				at += d
				full := uint32(0)
				for w := range want { // few are left
					if uint16(w) == n {
						full = w
					}
				}
				if full != 0 {
					told[full] = at
				}
			}
			require.Len(t, theirs.RecvDeltas, delta)
		}
	}
	next := uint32(65000)
	a.Add(0, 64999, 7)
	a.Report(0, nil)
	for range 300 {
		clear(want)
		clear(told)
		batch := random.Perm(40)
		for _, i := range batch {
			if random.IntN(5) == 0 {
				continue
			}
			now += time.Duration(random.IntN(40)) * 250 * time.Microsecond
			n := next + uint32(i)
			a.Add(now, uint16(n), uint32(7*(i%2)))            // some of a stream that is not named
			want[n] = now + deltaUnit                         // they begin with one
			a.Add(now+time.Second, uint16(next+uint32(i)), 7) // a copy
		}
		next += 40
		if random.IntN(50) == 0 {
			now += 20 * time.Second // more than fits into one delta
		}
		tell()
		require.Equal(t, want, told)
		require.False(t, func() bool { _, ok := a.Due(); return ok }())
	}
}

func TestReportsOfOthersAreUnderstood(t *testing.T) {
	theirs := rtcp.TransportLayerCC{
		SenderSSRC: 1, MediaSSRC: 2, BaseSequenceNumber: 65530, PacketStatusCount: 30, ReferenceTime: 1<<24 - 1,
		PacketChunks: []rtcp.PacketStatusChunk{
			&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedSmallDelta, RunLength: 9},
			&rtcp.StatusVectorChunk{SymbolSize: rtcp.TypeTCCSymbolSizeOneBit, SymbolList: []uint16{1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
			&rtcp.StatusVectorChunk{SymbolSize: rtcp.TypeTCCSymbolSizeTwoBit, SymbolList: []uint16{2, 0, 1, 0, 0, 0, 2}},
		},
	}
	for range 9 + 3 {
		theirs.RecvDeltas = append(theirs.RecvDeltas, &rtcp.RecvDelta{Type: rtcp.TypeTCCPacketReceivedSmallDelta, Delta: 250 * 200})
	}
	theirs.RecvDeltas = append(theirs.RecvDeltas,
		&rtcp.RecvDelta{Type: rtcp.TypeTCCPacketReceivedLargeDelta, Delta: -250 * 300},
		&rtcp.RecvDelta{Type: rtcp.TypeTCCPacketReceivedSmallDelta, Delta: 250},
		&rtcp.RecvDelta{Type: rtcp.TypeTCCPacketReceivedLargeDelta, Delta: 250 * 3000})
	theirs.Header = rtcp.Header{Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback, Length: uint16(theirs.MarshalSize()/4 - 1)}
	data, err := theirs.Marshal()
	require.NoError(t, err)
	r, ok := readReport(data)
	require.True(t, ok)
	var got []int
	for {
		received, d, ok := r.next()
		if !ok {
			break
		}
		if !received {
			d = -deltaUnit * 100_000
		}
		got = append(got, int(d/deltaUnit))
	}
	none := -100_000
	require.Equal(t, []int{
		200, 200, 200, 200, 200, 200, 200, 200, 200,
		200, none, 200, none, none, none, none, none, none, none, none, none, none, 200,
		-300, none, 1, none, none, none, 3000,
	}, got)
}

func FuzzReport(f *testing.F) {
	var a Arrivals
	for i := range 30 {
		a.Add(time.Duration(i)*7*time.Millisecond, uint16(3*i), 1)
	}
	f.Add(a.Report(time.Second, nil))
	f.Add([]byte{0x8f, 205, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Sender
		for i := range 300 {
			s.Sent(time.Duration(i)*time.Millisecond, 1000, Media)
		}
		s.Report(time.Second, data)
		s.Report(time.Second+time.Millisecond, data)
		if limit := s.Limit(); limit != 0 && (limit < MinLimit || limit > MaxLimit) {
			t.Fatalf("limit %d", limit)
		}
	})
}
