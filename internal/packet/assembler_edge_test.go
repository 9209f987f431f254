package packet_test

import (
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/media"
)

// vp8Stream is n frames of VP8 with the given number of packets each, 3000
// ticks apart, from the given sequence number and RTP time on.
func vp8Stream(n, packets int, seq uint16, at uint32) (pkts []*rtp.Packet) {
	for f := range n {
		for i := range packets {
			payload := []byte{0x10, 0x11, byte(f), byte(i), byte(f >> 8)}
			if i > 0 {
				payload[0] = 0
			}
			pkts = append(pkts, &rtp.Packet{
				Header: rtp.Header{
					SequenceNumber: seq, Timestamp: at + uint32(f)*3000, Marker: i == packets-1,
				},
				Payload: payload,
			})
			seq++
		}
	}
	return pkts
}

// frameNumbers tells which frames of a vp8Stream came out.
func frameNumbers(samples []media.Sample) (list []int) {
	for _, s := range samples {
		list = append(list, int(s.Data[1])|int(s.Data[3])<<8)
	}
	return list
}

func push(a *packet.Assembler, at time.Duration, pkts ...*rtp.Packet) []media.Sample {
	for _, p := range pkts {
		a.Push(p, epoch.Add(at))
	}
	return pop(a, nil)
}

func TestMarkerEndsFrameAtOnce(t *testing.T) {
	for _, codec := range allCodecs {
		sent := clip(t, codec, "")
		a := packet.NewAssembler(codec)
		n := 0
		for _, p := range send(t, sent, 200, 5, 6) {
			got := push(a, 0, p)
			if p.Marker || codec.Kind() == media.Audio {
				require.Len(t, got, 1, "%s frame %d", codec, n)
				n++
			} else {
				require.Empty(t, got)
			}
		}
		require.Equal(t, len(sent), n)
	}
}

func TestFramesWithoutMarkers(t *testing.T) {
	for _, codec := range videoCodecs {
		sent := clip(t, codec, "")
		pkts := send(t, sent, 200, 5, 6)
		for _, p := range pkts {
			p.Marker = false
		}
		a := packet.NewAssembler(codec)
		got := push(a, 0, pkts...)
		if codec == media.H264 || codec == media.H265 || codec == media.AV1 || codec == media.VP8 || codec == media.VP9 {
			requireSame(t, sent[:len(sent)-1], got)
		}
		a.Flush()
		requireSame(t, sent[len(sent)-1:], pop(a, nil))
	}
}

func TestMissingPacketIsWaitedForExactly(t *testing.T) {
	pkts := vp8Stream(3, 3, 0xfffe, 0xfffffff0)
	a := packet.NewAssembler(media.VP8)
	push(a, 0, pkts[0], pkts[1])
	require.Empty(t, push(a, 10*time.Millisecond, pkts[3:]...))
	a.Tick(epoch.Add(10*time.Millisecond + packet.VideoWait - 1))
	require.Empty(t, pop(a, nil))
	a.Tick(epoch.Add(10*time.Millisecond + packet.VideoWait))
	got := pop(a, nil)
	require.Equal(t, []int{1, 2}, frameNumbers(got))
	require.Equal(t, []int{1, 0}, []int{got[0].Lost, got[1].Lost})
	require.Empty(t, push(a, time.Second, pkts[2]), "too late")
}

func TestEachGapHasItsOwnTime(t *testing.T) {
	pkts := vp8Stream(5, 2, 100, 0)
	a := packet.NewAssembler(media.VP8)
	a.SetWindow(200*time.Millisecond, packet.DefaultWindow)
	require.Len(t, push(a, 0, pkts[0], pkts[1]), 1)
	push(a, 100*time.Millisecond, pkts[4], pkts[5]) // 2 and 3 are missing
	push(a, 250*time.Millisecond, pkts[8], pkts[9]) // 6 and 7 too
	a.Tick(epoch.Add(300 * time.Millisecond))
	require.Equal(t, []int{2}, frameNumbers(pop(a, nil)))
	a.Tick(epoch.Add(449 * time.Millisecond))
	require.Empty(t, pop(a, nil))
	got := push(a, 449*time.Millisecond, pkts[6], pkts[7])
	require.Equal(t, []int{3, 4}, frameNumbers(got), "retransmitted just in time")
	require.Zero(t, got[0].Lost)
}

func TestRetransmittedPacketCompletesFrame(t *testing.T) {
	pkts := vp8Stream(2, 3, 65534, 0)
	a := packet.NewAssembler(media.VP8)
	push(a, 0, pkts[0], pkts[2], pkts[3], pkts[4], pkts[5])
	got := push(a, 199*time.Millisecond, pkts[1])
	require.Equal(t, []int{0, 1}, frameNumbers(got))
	require.Zero(t, got[0].Lost+got[1].Lost)
}

func TestWindowOfZeroWaitsForNothing(t *testing.T) {
	pkts := vp8Stream(3, 1, 0, 0)
	a := packet.NewAssembler(media.VP8)
	a.SetWindow(0, 1)
	push(a, 0, pkts[0])
	got := push(a, 0, pkts[2])
	require.Equal(t, []int{2}, frameNumbers(got))
	require.Equal(t, 1, got[0].Lost)
}

func TestFullWindowGivesUp(t *testing.T) {
	const window = packet.DefaultWindow
	pkts := vp8Stream(window+10, 1, 65000, 0)
	a := packet.NewAssembler(media.VP8)
	require.Len(t, push(a, 0, pkts[0]), 1)
	require.Empty(t, push(a, 0, pkts[2:window+1]...), "frame 1 may still come")
	got := push(a, 0, pkts[window+1])
	require.Len(t, got, window)
	require.Equal(t, 1, got[0].Lost)
}

func TestTimestampsUnwrap(t *testing.T) {
	pkts := vp8Stream(10, 1, 65533, 0xffffffff-4*3000)
	got := receive(media.VP8, pkts)
	require.Len(t, got, 10)
	for i, s := range got[1:] {
		require.InDelta(t, time.Second/30, s.Timestamp-got[i].Timestamp, 1)
	}
}

func TestTimestampsOnlyGrow(t *testing.T) {
	at := []uint32{90000, 96000, 93000, 99000, 99000 + 1<<31, 5}
	a := packet.NewAssembler(media.VP8)
	var got []media.Sample
	for i, p := range vp8Stream(len(at), 1, 9, 0) {
		p.Timestamp = at[i]
		got = append(got, push(a, time.Duration(i)*100*time.Millisecond, p)...)
	}
	require.Len(t, got, len(at))
	var steps []time.Duration
	for i := range got[1:] {
		steps = append(steps, (got[i+1].Timestamp - got[i].Timestamp).Round(time.Millisecond))
	}
	require.Equal(t, []time.Duration{
		67 * time.Millisecond,
		0, // out of presentation order: one tick
		67 * time.Millisecond,
		100 * time.Millisecond, // a new clock: what passed here
		100 * time.Millisecond,
	}, steps)
	require.True(t, slices.IsSortedFunc(got, func(x, y media.Sample) int { return int(x.Timestamp - y.Timestamp) }))
	require.Greater(t, got[2].Timestamp, got[1].Timestamp)
}

func TestLongPauseKeepsTime(t *testing.T) {
	a := packet.NewAssembler(media.Opus)
	opus := func(seq uint16, at uint32) *rtp.Packet {
		return &rtp.Packet{Header: rtp.Header{SequenceNumber: seq, Timestamp: at}, Payload: []byte{0x08, 1}}
	}
	first := push(a, 0, opus(1, 0))
	second := push(a, 10*time.Hour, opus(2, uint32(10*3600*48000%(1<<32))))
	require.InDelta(t, 10*time.Hour, second[0].Timestamp-first[0].Timestamp, float64(time.Millisecond))
	require.Zero(t, second[0].Lost)
}

func TestOutagesAreCounted(t *testing.T) {
	for _, missing := range []int{600, 2999, 3000, 10000, 40000} {
		pkts := vp8Stream(10, 1, 65530, 7)
		late := time.Duration(missing) * time.Second / 30
		after := vp8Stream(10, 1, uint16(65530+10+missing), uint32(7+(10+missing)*3000))
		a := packet.NewAssembler(media.VP8)
		push(a, 0, pkts...)
		got := push(a, late, after...)
		require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, frameNumbers(got))
		require.Equal(t, missing, got[0].Lost)
		require.Zero(t, got[1].Lost)
	}
}

func TestRestartOfTheSource(t *testing.T) {
	for name, seq := range map[string]uint16{"far ahead": 20000, "far behind": 50000, "just behind": 900, "ahead": 2000} {
		t.Run(name, func(t *testing.T) {
			a := packet.NewAssembler(media.VP8)
			before := push(a, 0, vp8Stream(5, 2, 1000, 7)...)
			push(a, 0, vp8Stream(1, 2, 1012, 7+6*3000)...) // held behind a gap
			got := push(a, 150*time.Millisecond, vp8Stream(5, 2, seq, 3e9)...)
			if name == "ahead" { // looks like any other loss
				require.Equal(t, []int{0, 1, 2, 3, 4}, frameNumbers(got)[1:])
				return
			}
			require.Equal(t, []int{0, 0, 1, 2, 3, 4}, frameNumbers(got))
			require.Equal(t, 2, got[0].Lost, "of the frame that was held")
			require.Equal(t, 1, got[1].Lost, "the restart")
			last := before[len(before)-1].Timestamp
			for _, s := range got {
				require.Greater(t, s.Timestamp, last)
				require.Less(t, s.Timestamp-last, time.Second)
				last = s.Timestamp
			}
		})
	}
}

func TestOneStrayPacketIsNotBelieved(t *testing.T) {
	pkts := vp8Stream(6, 1, 1000, 0)
	stray := vp8Stream(3, 1, 30000, 5)
	a := packet.NewAssembler(media.VP8)
	var got []media.Sample
	got = append(got, push(a, 0, pkts[0], stray[0], pkts[1], stray[1], pkts[2], stray[0], stray[2], pkts[3])...)
	got = append(got, push(a, 0, pkts[4:]...)...)
	require.Equal(t, []int{0, 1, 2, 3, 4, 5}, frameNumbers(got))
}

func TestDuplicatesAndLatePacketsAreIgnored(t *testing.T) {
	pkts := vp8Stream(100, 2, 65500, 0xfffff000)
	var twice []*rtp.Packet
	for i, p := range pkts {
		twice = append(twice, p, p)
		if i >= 60 {
			twice = append(twice, pkts[i-60])
		}
	}
	got := receive(media.VP8, twice)
	require.Len(t, got, 100)
	for i, s := range got {
		require.Equal(t, i, frameNumbers(got)[i])
		require.Zero(t, s.Lost)
	}
}

func TestPaddingIsNoMedia(t *testing.T) {
	var pkts []*rtp.Packet
	for f, p := range vp8Stream(8, 2, 0, 0) {
		p.SequenceNumber = uint16(len(pkts))
		pkts = append(pkts, p)
		if f%2 == 1 { // behind each frame
			pkts = append(pkts, &rtp.Packet{Header: rtp.Header{SequenceNumber: uint16(len(pkts)), Timestamp: p.Timestamp}})
		}
	}
	got := receive(media.VP8, pkts)
	require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7}, frameNumbers(got))
}

// The frames of the AV1 clip that are not key do not show where they begin, so
// that only the packets around a loss can tell.
func TestLostEndOfAFrameLeavesTheNextWhole(t *testing.T) {
	sent := clip(t, media.AV1, "")[:4]
	pkts := send(t, sent, 100, 0, 0)
	isEnd := func(p *rtp.Packet) bool { return p.Marker && p.Timestamp != 0 }
	end := slices.IndexFunc(pkts, isEnd) // of the second frame
	require.Greater(t, end, 2)

	got := receive(media.AV1, slices.Delete(slices.Clone(pkts), end, end+1))
	requireSame(t, slices.Concat(sent[:1], sent[2:]), got)
	require.Equal(t, []int{0, 1, 0}, []int{got[0].Lost, got[1].Lost, got[2].Lost})

	got = receive(media.AV1, slices.Delete(slices.Clone(pkts), end-1, end+1))
	requireSame(t, slices.Concat(sent[:1], sent[3:]), got)
	require.Equal(t, 2, got[1].Lost)

	// Padding proves it too, however much is lost.
	padding := &rtp.Packet{Header: rtp.Header{Timestamp: pkts[end].Timestamp}}
	padded := slices.Insert(slices.Clone(pkts), end+1, padding)
	for i, p := range padded {
		p.SequenceNumber = uint16(i)
	}
	got = receive(media.AV1, slices.Delete(padded, end-1, end+1))
	requireSame(t, slices.Concat(sent[:1], sent[2:]), got)
	require.Equal(t, 2, got[1].Lost)
}

func TestJoiningInTheMiddleOfAFrame(t *testing.T) {
	for _, codec := range videoCodecs {
		sent := clip(t, codec, "")
		pkts := send(t, sent, 100, 0, 0)
		require.Equal(t, pkts[0].Timestamp, pkts[3].Timestamp)
		a := packet.NewAssembler(codec)
		got := push(a, 0, pkts[3:]...) // no time passes: nothing is waited for
		requireSame(t, sent[1:], got)
		require.Zero(t, got[0].Lost)

		for _, p := range pkts {
			p.Marker = false
		}
		require.Len(t, push(packet.NewAssembler(codec), 0, pkts[3:]...), len(sent)-2, "without markers")
	}
}

func TestFirstPacketsOutOfOrder(t *testing.T) {
	sent := clip(t, media.AV1, "")
	pkts := send(t, sent, 100, 65535, 0)
	pkts[0], pkts[1], pkts[2] = pkts[2], pkts[0], pkts[1]
	requireSame(t, sent, receive(media.AV1, pkts))
}

func TestOpeningIsBounded(t *testing.T) {
	// A stream that never shows a beginning: nothing comes out, and it goes on
	// as soon as it does.
	a := packet.NewAssembler(media.VP8)
	middle := vp8Stream(1, 2000, 0, 0)[1:1500]
	for i, p := range middle {
		p.SequenceNumber *= 3
		p.Timestamp += uint32(i) / 700
		require.Empty(t, push(a, 0, p))
	}
	got := push(a, time.Second, vp8Stream(2, 2, middle[1498].SequenceNumber+1, 99)...)
	require.Equal(t, []int{0, 1}, frameNumbers(got))
}

func TestOpeningTakesOneWindow(t *testing.T) {
	middle := func(seq uint16) *rtp.Packet {
		return &rtp.Packet{Header: rtp.Header{SequenceNumber: seq}, Payload: []byte{0, 1, 2}}
	}
	a := packet.NewAssembler(media.VP8)
	require.Empty(t, push(a, 0, middle(1000), middle(300)), "the second is too far behind")
	got := push(a, 0, vp8Stream(2, 1, 1001, 9)...)
	require.Equal(t, []int{0, 1}, frameNumbers(got))
	require.Zero(t, got[0].Lost)

	a = packet.NewAssembler(media.VP8)
	require.Empty(t, push(a, 0, middle(1000), middle(1600)), "the second is too far ahead")
	got = push(a, 0, vp8Stream(2, 1, 1601, 9)...)
	require.Equal(t, []int{0, 1}, frameNumbers(got))
	require.Equal(t, 599, got[0].Lost)
}

func TestSamplesNobodyPopsAreBounded(t *testing.T) {
	const n = 5000
	a := packet.NewAssembler(media.VP8)
	for _, p := range vp8Stream(n, 2, 0, 0) {
		a.Push(p, epoch)
	}
	got := pop(a, nil)
	require.Len(t, got, 512)
	require.Equal(t, n-512, frameNumbers(got)[0])
	require.Equal(t, 2*(n-512), got[0].Lost)
}

func TestPushCopies(t *testing.T) {
	pkts := vp8Stream(2, 2, 0, 0)
	a := packet.NewAssembler(media.VP8)
	for _, i := range []int{0, 2, 3, 1} {
		a.Push(pkts[i], epoch)
		clear(pkts[i].Payload)
	}
	require.Equal(t, []int{0, 1}, frameNumbers(pop(a, nil)))
}

func TestUnknownCodecGivesNothing(t *testing.T) {
	a := packet.NewAssembler("theora")
	require.Empty(t, push(a, 0, vp8Stream(3, 1, 0, 0)...))
	a.Tick(epoch.Add(time.Hour))
	a.Flush()
	require.Empty(t, pop(a, nil))
}

func TestAssemblerCanBeUsedAgain(t *testing.T) {
	a := packet.NewAssembler(media.VP8)
	push(a, 0, vp8Stream(3, 2, 0, 0)[:5]...)
	a.Flush()
	require.Empty(t, pop(a, nil), "the last frame was not whole")
	got := push(a, time.Second, vp8Stream(3, 2, 40000, 1e9)...)
	require.Equal(t, []int{0, 1, 2}, frameNumbers(got))
	require.Zero(t, got[0].Lost)
}

func TestBrokenPayloadsCostTheirFrame(t *testing.T) {
	broken := map[media.Codec][][]byte{
		media.VP8:  {{0x10}, {0x90, 0x80}, {0x90, 0x80, 0x80}, {0x80, 0xf0, 1, 2, 3}},
		media.VP9:  {{0x08}, {0x8c}, {0x2c, 0x00}, {0x58, 1, 1, 1}, {0x0a, 0xff}, {0x0a, 0x08, 4}, {0x00, 1}, {0x08, 0x82, 0x49}},
		media.H264: {{24}, {24, 0, 5, 1}, {24, 0, 0}, {28, 0x85}, {28, 0xc5, 1}, {28, 0x45, 1}, {0, 1}, {25, 1}, {29, 1, 1}, {28, 0x81, 1}},
		media.H265: {{2}, {2, 1}, {48 << 1, 1, 0}, {49 << 1, 1, 0x80}, {49 << 1, 1, 0xd3, 1}, {49 << 1, 1, 0x13, 1}, {50 << 1, 1, 1}, {49 << 1, 1, 0x81, 1}},
		media.AV1:  {{0x10}, {0x90, 0x30}, {0x00, 5, 1}, {0x00, 0x80}, {0x20, 1, 0x30}, {0x10, 0xb0}, {0x10, 0x32, 5}, {0x50, 0x30, 1}},
	}
	for codec, payloads := range broken {
		sent := clip(t, codec, "")[:3]
		for _, bad := range payloads {
			pkts := send(t, sent, 0, 10, 0)
			at := slices.IndexFunc(pkts, func(p *rtp.Packet) bool { return p.Marker }) + 1
			// A frame of one packet between the first and the second.
			extra := &rtp.Packet{Header: rtp.Header{Timestamp: 100, Marker: true}, Payload: bad}
			pkts = slices.Insert(pkts, at, extra)
			for i, p := range pkts {
				p.SequenceNumber = uint16(i)
			}
			got := receive(codec, pkts)
			requireSame(t, sent, got)
			require.Equal(t, []int{0, 1, 0}, []int{got[0].Lost, got[1].Lost, got[2].Lost}, "%s % x", codec, bad)
		}
	}
}

func TestSamplesTellKeyframesAndDimensions(t *testing.T) {
	for _, codec := range videoCodecs {
		t.Run(string(codec), func(t *testing.T) {
			large, small := clip(t, codec, ""), clip(t, codec, "-small")
			for i := range small {
				small[i].Timestamp += large[len(large)-1].Timestamp + time.Second/15
			}
			got := receive(codec, send(t, slices.Concat(large, small), 0, 0, 0))
			keys := 0
			for i, s := range got {
				width, height := 318, 238
				if i >= len(large) {
					width, height = 162, 122
				}
				if i == 0 || i == len(large) {
					require.True(t, s.Keyframe, "sample %d", i)
				}
				if s.Keyframe {
					keys++
					require.Equal(t, []int{width, height}, []int{s.Width, s.Height}, "sample %d", i)
				}
			}
			require.GreaterOrEqual(t, keys, 3)
			require.Less(t, keys, len(got)/2)
		})
	}
}

func TestAudioSamplesTellTheirDuration(t *testing.T) {
	for _, codec := range allCodecs[5:] {
		got := receive(codec, send(t, clip(t, codec, ""), 0, 0, 0))
		for _, s := range got {
			require.True(t, s.Keyframe)
			require.Equal(t, 20*time.Millisecond, s.Duration)
		}
	}
}
