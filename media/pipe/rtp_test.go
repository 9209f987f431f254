package pipe_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/pipe"
)

// sender sends a clip by RTP.
type sender struct {
	t      *testing.T
	conn   *net.UDPConn
	to     netip.AddrPort
	packet *packet.Packetizer
	clock  packet.Clock
	seq    uint16
	ssrc   uint32
	pt     uint8
}

func newSender(t *testing.T, codec media.Codec, to net.Addr) *sender {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	p, err := packet.NewPacketizer(codec, 0)
	require.NoError(t, err)
	return &sender{
		t: t, conn: conn, to: to.(*net.UDPAddr).AddrPort(), packet: p,
		clock: packet.NewClockAt(codec, 1<<32-5000), seq: 65_500, ssrc: 77, pt: 96,
	}
}

// packets returns the packets of a sample.
func (s *sender) packets(sample media.Sample) (out [][]byte) {
	s.t.Helper()
	payloads, err := s.packet.Packetize(nil, sample)
	require.NoError(s.t, err)
	for _, p := range payloads {
		pkt := rtp.Packet{Header: rtp.Header{
			Version: 2, PayloadType: s.pt, SequenceNumber: s.seq, SSRC: s.ssrc, Marker: p.Marker,
			Timestamp: s.clock.RTP(sample.Timestamp),
		}, Payload: p.Data}
		b, err := pkt.Marshal()
		require.NoError(s.t, err)
		out = append(out, b)
		s.seq++
	}
	return out
}

func (s *sender) write(b []byte) {
	s.t.Helper()
	_, err := s.conn.WriteToUDPAddrPort(b, s.to)
	require.NoError(s.t, err)
}

func (s *sender) send(sample media.Sample) {
	s.t.Helper()
	for _, b := range s.packets(sample) {
		s.write(b)
	}
}

func receive(t *testing.T, s pipe.RTPStream, o pipe.RTPOptions) *pipe.Pipe {
	t.Helper()
	if s.Addr == "" {
		s.Addr = "127.0.0.1:0"
	}
	o.StartTimeout, o.MaxDelay = -1, time.Hour
	p, err := pipe.RTP(t.Context(), []pipe.RTPStream{s}, &o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func next(t *testing.T, src media.Source) media.Sample {
	t.Helper()
	s, err := src.Next(t.Context())
	require.NoError(t, err)
	return s
}

func TestRTPOfEachCodec(t *testing.T) {
	for _, codec := range testclips.Codecs() {
		t.Run(string(codec), func(t *testing.T) {
			t.Parallel()
			p := receive(t, pipe.RTPStream{Codec: codec, PayloadType: 96}, pipe.RTPOptions{})
			src, s := p.Sources()[0], newSender(t, codec, p.Addrs()[0])
			clip := testclips.Samples(codec)
			last := time.Duration(-1)
			for i, want := range clip { // in step, so that no buffer overflows
				s.send(want)
				if codec == media.PCMU || codec == media.PCMA {
					want.Duration = 0
				}
				got := next(t, src)
				require.Equal(t, content(want), content(got), "sample %d", i)
				require.Equal(t, want.Keyframe, got.Keyframe)
				require.Greater(t, got.Timestamp, last)
				last = got.Timestamp
			}
			require.InDelta(t, (clip[len(clip)-1].Timestamp - clip[0].Timestamp).Seconds(), last.Seconds(), 0.001)
			require.Zero(t, p.Stats().Sources[0].Lost)
		})
	}
}

func TestRTPOutOfOrderAndLost(t *testing.T) {
	p := receive(t, pipe.RTPStream{Codec: media.VP8, PayloadType: 96}, pipe.RTPOptions{Wait: time.Second})
	src, s := p.Video(), newSender(t, media.VP8, p.Addrs()[0])
	clip := testclips.Samples(media.VP8)
	s.send(clip[0])
	require.True(t, next(t, src).Keyframe)

	a, b := s.packets(clip[1]), s.packets(clip[2])
	all := append(append([][]byte{}, a...), b...)
	for i := range all { // backwards, and twice
		s.write(all[len(all)-1-i])
		s.write(all[len(all)-1-i])
	}
	require.Equal(t, clip[1].Data, next(t, src).Data)
	require.Equal(t, clip[2].Data, next(t, src).Data)

	s.packets(clip[3]) // lost, so that all is of no use up to the next key frame
	i := 4
	for ; !clip[i].Keyframe; i++ {
		s.send(clip[i])
	}
	s.send(clip[i])
	require.Equal(t, clip[i].Data, next(t, src).Data)
	st := p.Stats().Sources[0]
	require.Positive(t, st.Lost)
	require.Positive(t, st.Dropped)
}

func TestRTPBelievesTheFirstSenderOnly(t *testing.T) {
	p := receive(t, pipe.RTPStream{Codec: media.VP8}, pipe.RTPOptions{Relearn: 2 * time.Second})
	src := p.Video()
	mine, other := newSender(t, media.VP8, p.Addrs()[0]), newSender(t, media.VP8, p.Addrs()[0])
	other.ssrc, other.seq = 99, 3000
	clip := testclips.Samples(media.VP8)
	mine.send(clip[0])
	next(t, src)
	other.send(clip[0]) // a key frame
	mine.pt = 97
	mine.send(clip[0])
	mine.seq -= uint16(len(mine.packets(clip[0]))) * 2
	mine.pt = 96
	mine.send(clip[1])
	require.Equal(t, clip[1].Data, next(t, src).Data)
	require.Positive(t, p.Stats().Sources[0].Foreign)

	// Silence for a while lets another come: the sender was started again.
	last := next0(t, src, func() { other.send(clip[0]) })
	require.Equal(t, clip[0].Data, last.Data)
}

// next0 sends again and again until something comes out.
func next0(t *testing.T, src media.Source, send func()) media.Sample {
	t.Helper()
	got := make(chan media.Sample, 1)
	go func() {
		s, err := src.Next(t.Context())
		if err == nil {
			got <- s
		}
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case s := <-got:
			return s
		case <-tick.C:
			send()
		}
	}
}

func TestRTPGarbageIsCounted(t *testing.T) {
	p := receive(t, pipe.RTPStream{Codec: media.VP8, PayloadType: 96}, pipe.RTPOptions{})
	src, s := p.Video(), newSender(t, media.VP8, p.Addrs()[0])
	for _, b := range [][]byte{{}, {1}, []byte("hello, this is no RTP"), {0x80, 200, 0, 1}, {0x80, 200}, make([]byte, 60_000)} {
		s.write(b)
	}
	clip := testclips.Samples(media.VP8)
	s.send(clip[0])
	require.Equal(t, clip[0].Data, next(t, src).Data)
	require.Positive(t, p.Stats().Sources[0].Foreign)
}

func TestRTPStalls(t *testing.T) {
	p := receive(t, pipe.RTPStream{Codec: media.Opus}, pipe.RTPOptions{StallTimeout: 100 * time.Millisecond})
	_, err := p.Audio().Next(t.Context())
	require.ErrorIs(t, err, pipe.ErrStalled)
	<-p.Done()
	require.ErrorIs(t, p.Err(), pipe.ErrStalled)
}

func TestRTPWaitsForTheFirstSample(t *testing.T) {
	_, err := pipe.RTP(t.Context(), []pipe.RTPStream{{Addr: "127.0.0.1:0", Codec: media.VP8}},
		&pipe.RTPOptions{StartTimeout: 50 * time.Millisecond})
	require.ErrorIs(t, err, pipe.ErrStalled)
}

func TestRTPOptions(t *testing.T) {
	for name, s := range map[string]pipe.RTPStream{
		"codec":       {Addr: "127.0.0.1:0", Codec: "theora"},
		"type":        {Addr: "127.0.0.1:0", Codec: media.VP8, PayloadType: 128},
		"address":     {Addr: "localhost", Codec: media.VP8},
		"remote":      {Addr: "0.0.0.0:0", Codec: media.VP8},
		"remote rtcp": {Addr: "127.0.0.1:0", Codec: media.VP8, RTCP: "192.0.2.1:5"},
		"rtcp":        {Addr: "127.0.0.1:0", Codec: media.VP8, RTCP: "x"},
	} {
		_, err := pipe.RTP(t.Context(), []pipe.RTPStream{s}, nil)
		require.ErrorIs(t, err, pipe.ErrOption, name)
	}
	_, err := pipe.RTP(t.Context(), nil, nil)
	require.ErrorIs(t, err, pipe.ErrOption)
	p := receive(t, pipe.RTPStream{Addr: "0.0.0.0:0", Codec: media.VP8}, pipe.RTPOptions{AllowRemote: true})
	_, err = pipe.RTP(t.Context(), []pipe.RTPStream{{Addr: p.Addrs()[0].(*net.UDPAddr).String(), Codec: media.VP8}},
		&pipe.RTPOptions{AllowRemote: true})
	require.Error(t, err, "the port is taken")
}

// control is the sender's socket for RTCP.
func control(t *testing.T) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestRTPReportsTellWhenSamplesWereMade(t *testing.T) {
	p := receive(t, pipe.RTPStream{Codec: media.VP8, PayloadType: 96}, pipe.RTPOptions{})
	src, s := p.Video(), newSender(t, media.VP8, p.Addrs()[0])
	clip := testclips.Samples(media.VP8)
	s.send(clip[0])
	next(t, src)

	made := time.Now().Add(-300 * time.Millisecond) // of the second sample
	report := func(at time.Time) {
		seconds, nanos := uint64(at.Unix()+2_208_988_800), uint64(at.Nanosecond())
		b, err := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{
			SSRC: 77, NTPTime: seconds<<32 | nanos<<32/1e9, RTPTime: s.clock.RTP(clip[1].Timestamp),
		}})
		require.NoError(t, err)
		s.write(b) // both on one port, as with rtcp-mux
	}
	report(made)
	s.send(clip[1])
	require.WithinDuration(t, made, next(t, src).Captured, time.Millisecond)
	s.send(clip[2])
	require.WithinDuration(t, made.Add(clip[2].Timestamp-clip[1].Timestamp), next(t, src).Captured, time.Millisecond)

	report(time.Now().Add(-time.Hour)) // a clock that is not ours
	s.send(clip[3])
	require.WithinDuration(t, time.Now(), next(t, src).Captured, 5*time.Second)
}

func TestRTPAsksForKeyframes(t *testing.T) {
	for _, stated := range []bool{false, true} {
		back := control(t)
		stream := pipe.RTPStream{Codec: media.VP8, PayloadType: 96}
		if stated {
			stream.RTCP = back.LocalAddr().String()
		}
		p := receive(t, stream, pipe.RTPOptions{})
		src, s := p.Video(), newSender(t, media.VP8, p.Addrs()[0])
		s.send(testclips.Samples(media.VP8)[0])
		next(t, src)
		if !stated {
			b, err := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: 77}})
			require.NoError(t, err)
			to := p.Addrs()[0].(*net.UDPAddr)
			_, err = back.WriteToUDP(b, &net.UDPAddr{IP: to.IP, Port: to.Port + 1})
			require.NoError(t, err)
		}
		got := make(chan []byte, 1)
		go func() {
			buf := make([]byte, 1500)
			n, _, err := back.ReadFromUDP(buf)
			if err == nil {
				got <- buf[:n]
			}
		}()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		var b []byte
		for b == nil { // the report takes its time
			select {
			case b = <-got:
			case <-tick.C:
				src.(media.KeyframeRequester).RequestKeyframe()
			}
		}
		packets, err := rtcp.Unmarshal(b)
		require.NoError(t, err)
		require.IsType(t, &rtcp.ReceiverReport{}, packets[0])
		pli, ok := packets[len(packets)-1].(*rtcp.PictureLossIndication)
		require.True(t, ok)
		require.Equal(t, uint32(77), pli.MediaSSRC)
	}
}

func TestRTPGivesKeyframesTheirParameterSets(t *testing.T) {
	clip := testclips.Samples(media.H264)
	var sets [][]byte
	bare := media.Sample{Codec: media.H264, Timestamp: clip[2].Timestamp}
	for _, nal := range content(clip[0]).([][]byte) {
		if kind := nal[0] & 31; kind == 7 || kind == 8 {
			sets = append(sets, nal)
		} else {
			bare.Data = append(append(bare.Data, 0, 0, 0, 1), nal...)
		}
	}
	require.Len(t, sets, 2)
	p := receive(t, pipe.RTPStream{Codec: media.H264, PayloadType: 96, ParameterSets: sets}, pipe.RTPOptions{})
	s := newSender(t, media.H264, p.Addrs()[0])
	s.send(clip[1]) // the first of all shows no beginning, and is left out
	s.send(bare)
	got := next(t, p.Video())
	require.True(t, got.Keyframe)
	require.Equal(t, []int{320, 240}, []int{got.Width, got.Height})
	require.Equal(t, sets, content(got).([][]byte)[:2])
}
