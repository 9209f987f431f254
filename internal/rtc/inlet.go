package rtc

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// Inlet is one receive section of a peer connection, from its first
// description to its end. Somebody must read it for as long as it lives:
// reading is what notices losses.
type Inlet struct {
	peer     *Peer
	mid      string
	kind     media.Kind
	track    *webrtc.TrackRemote
	receiver *webrtc.RTPReceiver
	ssrc     uint32
	level    uint8 // id of the header extension, zero for none
	codec    atomic.Pointer[Codec]
	pt       int // payload type of codec, -1 before the first; used by Read only

	mu    sync.Mutex
	loss  lossTracker
	stats InletStats
	// for reception reports, RFC 3550 section 6.4.1
	transit  int64
	jitter   float64
	clock    int64
	sr       uint32    // from the last sender report: the middle of its NTP time,
	srTime   time.Time // all of it,
	srRTP    uint32    // the media time that it names,
	srAt     time.Time // and when it came
	active   bool      // something arrived since the last report
	readsSRs bool
}

// InletStats counts what a receive section got.
type InletStats struct {
	Packets, Bytes int64
	Lost, Repaired int64 // packets never received; packets received again
	Nacks          int64 // packets asked for
	KeyframeAsked  int64
	Jitter         time.Duration
}

func newInlet(p *Peer, mid string, track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) *Inlet {
	return &Inlet{
		peer: p, mid: mid, kind: kindOf(track.Kind()), track: track, receiver: receiver,
		ssrc: uint32(track.SSRC()), pt: -1,
		level: levelID(kindOf(track.Kind()), receiver.GetParameters().HeaderExtensions),
	}
}

// Mid returns the section's mid.
func (in *Inlet) Mid() string { return in.mid }

// MediaKind returns audio or video.
func (in *Inlet) MediaKind() media.Kind { return in.kind }

// SSRC is the source of the stream.
func (in *Inlet) SSRC() uint32 { return in.ssrc }

// Codec returns the encoding of the packet that Read returned last.
func (in *Inlet) Codec() Codec {
	if c := in.codec.Load(); c != nil {
		return *c
	}
	return Codec{}
}

// Read waits for the next packet, in order of arrival, retransmissions
// included and duplicates left out. It reads into buf, of 1500 bytes at least,
// fills h, and returns the payload, a part of buf; it is empty for padding.
// io.EOF ends the section.
func (in *Inlet) Read(buf []byte, h *rtp.Header) (payload []byte, err error) {
	for {
		n, _, err := in.track.Read(buf)
		if err != nil {
			if n > 0 && !errors.Is(err, io.EOF) {
				continue // a payload type that was not negotiated
			}
			return nil, io.EOF
		}
		used, err := h.Unmarshal(buf[:n])
		if err != nil {
			continue
		}
		end := n
		if h.Padding {
			pad := int(buf[n-1])
			if pad == 0 || used+pad > n {
				continue
			}
			end -= pad
		}
		if int(h.PayloadType) != in.pt {
			c, ok := codecOf(in.track.Codec().RTPCodecCapability)
			if !ok {
				continue
			}
			in.codec.Store(&c)
			in.pt = int(h.PayloadType)
		}
		if in.observe(h, end-used) {
			return buf[used:end], nil
		}
	}
}

func (in *Inlet) observe(h *rtp.Header, size int) (fresh bool) {
	now := time.Now()
	in.mu.Lock()
	fresh, opened := in.loss.observe(h.SequenceNumber, now)
	first := !in.readsSRs
	if fresh {
		in.stats.Packets++
		in.stats.Bytes += int64(size)
		in.active, in.readsSRs = true, true
		in.clock = int64(in.codec.Load().ClockRate())
		arrival := now.UnixMicro() * in.clock / 1e6
		transit := arrival - int64(h.Timestamp)
		if d := int64(int32(transit - in.transit)); in.transit != 0 && d > -in.clock*10 && d < in.clock*10 {
			in.jitter += (float64(max(d, -d)) - in.jitter) / 16
		}
		in.transit = transit
	}
	in.mu.Unlock()
	if opened {
		in.peer.wake()
	}
	if first && fresh {
		in.peer.spawn(in.readReports)
	}
	return fresh
}

// readReports notes the sender reports of the stream.
func (in *Inlet) readReports() {
	for {
		packets, _, err := in.receiver.ReadRTCP()
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || in.peer.closed() {
				return
			}
			continue
		}
		for _, p := range packets {
			if sr, ok := p.(*rtcp.SenderReport); ok && sr.SSRC == in.ssrc {
				now, sent := time.Now(), ntpTime(sr.NTPTime)
				in.peer.remote.observe(sent, in.peer.wall(now), in.peer.RTT())
				in.mu.Lock()
				in.sr, in.srAt = uint32(sr.NTPTime>>16), now
				in.srTime, in.srRTP = sent, sr.RTPTime
				in.mu.Unlock()
			}
		}
	}
}

// A report that puts the media that just arrived further than this from the
// present is of what the section carried before.
const (
	captureAge  = 10 * time.Second
	captureLead = time.Second
)

// Captured returns when the media that has just arrived with this RTP time was
// captured, by this machine's clock. It is estimated from the sender's reports
// that came since a time, and zero until there is one.
func (in *Inlet) Captured(rtp uint32, since time.Time) time.Time {
	in.mu.Lock()
	sent, base, at, clock := in.srTime, in.srRTP, in.srAt, in.clock
	in.mu.Unlock()
	if at.IsZero() || at.Before(since) || clock == 0 {
		return time.Time{}
	}
	now := time.Now()
	theirs := sent.Add(time.Duration(int32(rtp-base)) * time.Second / time.Duration(clock))
	captured := in.peer.remote.local(theirs, in.peer.wall(now))
	if age := now.Sub(captured); age > captureAge || age < -captureLead {
		return time.Time{}
	}
	return captured
}

// RequestKeyframe asks the sender for a key frame. It does not wait.
func (in *Inlet) RequestKeyframe() error {
	in.mu.Lock()
	in.stats.KeyframeAsked++
	in.mu.Unlock()
	return in.peer.writeRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: in.ssrc}})
}

// Stats returns the counters.
func (in *Inlet) Stats() InletStats {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := in.stats
	s.Lost, s.Repaired = in.loss.lost(), in.loss.repaired
	if in.clock > 0 {
		s.Jitter = time.Duration(in.jitter * float64(time.Second) / float64(in.clock))
	}
	return s
}

// nack returns the request for the packets that are due to be asked for.
func (in *Inlet) nack(now time.Time, rtt time.Duration) (p rtcp.Packet, next time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	ask, next := in.loss.due(now, rtt)
	if len(ask) == 0 {
		return nil, next
	}
	in.stats.Nacks += int64(len(ask))
	return &rtcp.TransportLayerNack{MediaSSRC: in.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(ask)}, next
}

// receptionReport returns the report block due for this section.
func (in *Inlet) receptionReport(now time.Time) (r rtcp.ReceptionReport, due bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.active {
		return r, false
	}
	in.active = false
	r = rtcp.ReceptionReport{SSRC: in.ssrc, Jitter: uint32(in.jitter), LastSenderReport: in.sr}
	r.FractionLost, r.TotalLost, r.LastSequenceNumber = in.loss.report()
	if in.sr != 0 {
		r.Delay = uint32(now.Sub(in.srAt) * 65536 / time.Second)
	}
	return r, true
}
