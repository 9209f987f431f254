package rtc

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/internal/congestion"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// ErrNotNegotiated says that a send section is not ready: no answer has
// accepted it, or none of its codecs.
var ErrNotNegotiated = errors.New("send section is not negotiated")

// Retransmissions may take half of what the stream itself takes, so that a
// receiver that lies about its losses cannot multiply our traffic.
const (
	resendShare = 2 // one byte in so many
	resendBurst = 128 << 10
)

// Outlet is one send section of a peer connection. Its SSRC lives as long as
// the connection; what it carries, and under which id, can change without
// stopping it. Write is for one goroutine at a time, the rest is safe for
// concurrent use.
type Outlet struct {
	peer        *Peer
	kind        media.Kind
	transceiver *webrtc.RTPTransceiver
	sender      *webrtc.RTPSender
	keyframe    func()
	history     func(seq uint16, buf []byte) (rtp.Header, []byte, bool)
	negotiated  []webrtc.RTPCodecParameters // of the section that it was attached to

	ident atomic.Pointer[[2]string] // track id, stream id
	bound atomic.Pointer[binding]
	once  sync.Once // starts the RTCP reader
	freed bool      // none is started any more; guarded by the gate of the peer

	numbers, repairs, fillers numbering // of Write, of resend, and of fill

	mu     sync.Mutex
	rtxSeq uint16
	budget int
	sent   OutletStats
	report senderReport
}

type binding struct {
	*formats
	ssrc, rtxSSRC uint32
	level         uint8 // id of the header extension, zero for none
	clock         [128]uint32
	writer        webrtc.TrackLocalWriter
}

// senderReport is which media time was captured when.
type senderReport struct {
	at    time.Time
	rtp   uint32
	clock uint32
	fresh bool // something was sent since the last report
	sent  time.Time
	soon  bool // the last report misleads
}

// A stream of which the last report is wrong by more than reportError gets
// another soon, but not sooner than reportPause after that.
const (
	reportError = 50 * time.Millisecond
	reportPause = 100 * time.Millisecond
)

// note takes note of a packet. It reports whether a report is due before its
// time.
func (r *senderReport) note(rtp, clock uint32, captured, now time.Time) (soon bool) {
	if r.clock == clock && r.rtp == rtp && r.fresh {
		return false
	}
	if captured.IsZero() {
		captured = now
	}
	off := time.Duration(0)
	if r.clock == clock && clock != 0 {
		off = captured.Sub(r.at) - time.Duration(int32(rtp-r.rtp))*time.Second/time.Duration(clock)
	}
	first := r.clock == 0
	r.at, r.rtp, r.clock, r.fresh = captured, rtp, clock, true
	if (first || off > reportError || off < -reportError) && now.Sub(r.sent) >= reportPause {
		r.soon = true
	}
	return r.soon
}

// OutletConfig says what an Outlet carries at first.
type OutletConfig struct {
	// Codec restricts what is offered to one codec; empty offers all.
	Codec media.Codec
	// ID and Stream are the parts of a=msid.
	ID, Stream string
	// Both lets the other side send in the section as well: browsers publish in
	// the first section of the kind in which they do not send yet.
	Both bool
	// Keyframe is called, on any goroutine, when the receiver needs a key
	// frame. It must only post.
	Keyframe func()
	// History finds packets that were sent, for retransmission.
	History func(seq uint16, buf []byte) (rtp.Header, []byte, bool)
}

// OutletStats counts what a send section did. The loss figures are those of
// the receiver's last report.
type OutletStats struct {
	Packets, Bytes           int64
	Resent, Nacks, Keyframes int64
	Lost                     int64   // packets, cumulative
	FractionLost             float64 // of the last interval, 0 to 1
	Jitter                   time.Duration
	RTT                      time.Duration
	Bound                    int // of the whole connection, in bits per second, as the other side asked; 0: it did not
}

func newOutlet(p *Peer, kind media.Kind, cfg OutletConfig) *Outlet {
	o := &Outlet{peer: p, kind: kind, keyframe: cfg.Keyframe, history: cfg.History, budget: resendBurst}
	o.SetID(cfg.ID, cfg.Stream)
	return o
}

// Mid returns the section's mid.
func (o *Outlet) Mid() string { return o.transceiver.Mid() }

// MediaKind returns audio or video.
func (o *Outlet) MediaKind() media.Kind { return o.kind }

// SetID changes the ids in a=msid from the next description on.
func (o *Outlet) SetID(id, stream string) {
	if stream == "" {
		stream = "-"
	}
	o.ident.Store(&[2]string{id, stream})
}

// Negotiated reports whether packets can be written.
func (o *Outlet) Negotiated() bool { return o.bound.Load() != nil }

// SSRC is the source of the stream, zero before it is negotiated.
func (o *Outlet) SSRC() uint32 {
	if b := o.bound.Load(); b != nil {
		return b.ssrc
	}
	return 0
}

// PayloadType returns the payload type for the codec on this connection.
func (o *Outlet) PayloadType(c Codec) (uint8, bool) {
	b := o.bound.Load()
	if b == nil {
		return 0, false
	}
	return b.payloadType(c)
}

// Write sends one packet. The caller sets payload type, sequence number,
// timestamp and marker; the SSRC is the section's own. The header is not kept.
// captured is when the media was, which sender reports tell the other side;
// zero: just now.
func (o *Outlet) Write(h *rtp.Header, payload []byte, captured time.Time) error {
	b := o.bound.Load()
	if b == nil {
		return ErrNotNegotiated
	}
	h.SSRC = b.ssrc
	what := congestion.Other
	if o.kind == media.Video {
		what = congestion.Media
	}
	// It is counted first: the other side may have it before the write returns.
	o.count(func(s *OutletStats) {
		s.Packets++
		s.Bytes += int64(len(payload))
	})
	if err := o.numbers.write(o.peer, o.kind, b.writer, h, payload, what); err != nil {
		o.count(func(s *OutletStats) {
			s.Packets--
			s.Bytes -= int64(len(payload))
		})
		return err
	}
	now := time.Now()
	o.mu.Lock()
	o.budget = min(o.budget+len(payload)/resendShare, resendBurst)
	soon := o.report.note(h.Timestamp, b.clock[h.PayloadType&0x7f], captured, now)
	o.mu.Unlock()
	if soon {
		o.peer.wake()
	}
	return nil
}

// Stats returns the counters.
func (o *Outlet) Stats() OutletStats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sent
}

// resend sends the packet with the sequence number again, if it is still
// known and the budget allows.
func (o *Outlet) resend(b *binding, seq uint16, buf []byte) {
	if o.history == nil {
		return
	}
	h, payload, ok := o.history(seq, buf[2:])
	if !ok {
		return
	}
	o.mu.Lock()
	if o.budget < len(payload) {
		o.mu.Unlock()
		return
	}
	o.budget -= len(payload)
	o.sent.Resent++
	o.rtxSeq++
	rtxSeq := o.rtxSeq
	o.mu.Unlock()
	h.Version, h.SSRC, h.SequenceNumber = 2, b.ssrc, seq
	if pt, ok := b.rtx[h.PayloadType]; ok && b.rtxSSRC != 0 {
		// RFC 4588, section 4: the payload is the original sequence number
		// and the original payload.
		binary.BigEndian.PutUint16(buf, seq)
		h.PayloadType, h.SSRC, h.SequenceNumber = pt, b.rtxSSRC, rtxSeq
		payload = buf[:2+len(payload)]
	}
	_ = o.repairs.write(o.peer, o.kind, b.writer, &h, payload, congestion.Other) // lost again is lost again
}

// readReports handles what the receiver says about this stream.
func (o *Outlet) readReports(b *binding) {
	buf := make([]byte, 2+receiveMTU)
	in := make([]byte, receiveMTU)
	for {
		n, _, err := o.sender.Read(in)
		if err != nil {
			return
		}
		if o.peer.takeFeedback(in[:n]) {
			continue
		}
		packets, err := rtcp.Unmarshal(in[:n])
		if err != nil {
			continue
		}
		for _, p := range packets {
			o.handleReport(b, p, buf)
		}
	}
}

func (o *Outlet) handleReport(b *binding, p rtcp.Packet, buf []byte) {
	switch p := p.(type) {
	case *rtcp.TransportLayerNack:
		if p.MediaSSRC != b.ssrc {
			return
		}
		o.count(func(s *OutletStats) { s.Nacks++ })
		for _, pair := range p.Nacks {
			for _, seq := range pair.PacketList() {
				o.resend(b, seq, buf)
			}
		}
	case *rtcp.PictureLossIndication:
		o.wantKeyframe(b, p.MediaSSRC)
	case *rtcp.FullIntraRequest:
		for _, entry := range p.FIR {
			o.wantKeyframe(b, entry.SSRC)
		}
	case *rtcp.ReceiverEstimatedMaximumBitrate:
		bound := int(min(max(p.Bitrate, 0), noBound))
		o.count(func(s *OutletStats) { s.Bound = bound })
	case *rtcp.ReceiverReport:
		o.received(b, p.Reports)
	case *rtcp.SenderReport:
		o.received(b, p.Reports)
	}
}

func (o *Outlet) wantKeyframe(b *binding, ssrc uint32) {
	if ssrc != b.ssrc {
		return
	}
	o.count(func(s *OutletStats) { s.Keyframes++ })
	if o.keyframe != nil {
		o.keyframe()
	}
}

func (o *Outlet) received(b *binding, reports []rtcp.ReceptionReport) {
	now := ntpMiddle(o.peer.wall(time.Now()))
	for _, r := range reports {
		if r.SSRC != b.ssrc {
			continue
		}
		o.count(func(s *OutletStats) {
			s.Lost = int64(int32(r.TotalLost<<8) >> 8)
			s.FractionLost = float64(r.FractionLost) / 256
			if c := o.report.clock; c > 0 {
				s.Jitter = time.Duration(r.Jitter) * time.Second / time.Duration(c)
			}
			if r.LastSenderReport != 0 {
				if d := int32(now - r.LastSenderReport - r.Delay); d > 0 {
					s.RTT = time.Duration(d) * time.Second >> 16
					o.peer.noteRTT(s.RTT)
				}
			}
		})
	}
}

func (o *Outlet) count(f func(*OutletStats)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f(&o.sent)
}

// senderReport returns the report due for this section, or nil. Only those that
// are wanted soon count before their time.
func (o *Outlet) senderReport(now time.Time, early bool) *rtcp.SenderReport {
	b := o.bound.Load()
	o.mu.Lock()
	defer o.mu.Unlock()
	if b == nil || !o.report.fresh || early && !o.report.soon {
		return nil
	}
	o.report.fresh, o.report.soon, o.report.sent = false, false, now
	elapsed := now.Sub(o.report.at)
	return &rtcp.SenderReport{
		SSRC:        b.ssrc,
		NTPTime:     ntp(o.peer.wall(now)),
		RTPTime:     o.report.rtp + uint32(elapsed.Microseconds()*int64(o.report.clock)/1e6),
		PacketCount: uint32(o.sent.Packets),
		OctetCount:  uint32(o.sent.Bytes),
	}
}

// outletTrack shows an Outlet to pion. Its methods are called by pion only.
type outletTrack struct{ *Outlet }

func (t outletTrack) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	params := t.negotiated
	if params == nil {
		params = ctx.CodecParameters()
	}
	b := &binding{
		formats: newFormats(params),
		ssrc:    uint32(ctx.SSRC()),
		rtxSSRC: uint32(ctx.SSRCRetransmission()),
		level:   levelID(t.kind, ctx.HeaderExtensions()),
		writer:  ctx.WriteStream(),
	}
	if len(b.codec) == 0 {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	var first webrtc.RTPCodecParameters
	for i := len(params) - 1; i >= 0; i-- {
		if _, ok := codecOf(params[i].RTPCodecCapability); ok {
			first = params[i]
			b.clock[params[i].PayloadType&0x7f] = params[i].ClockRate
		}
	}
	t.bound.Store(b)
	t.once.Do(func() { t.peer.hear(t.Outlet, b) })
	return first, nil
}

func (t outletTrack) Unbind(webrtc.TrackLocalContext) error {
	t.bound.Store(nil)
	return nil
}

func (t outletTrack) ID() string                { return t.ident.Load()[0] }
func (t outletTrack) StreamID() string          { return t.ident.Load()[1] }
func (t outletTrack) RID() string               { return "" }
func (t outletTrack) Kind() webrtc.RTPCodecType { return codecType(t.kind) }
