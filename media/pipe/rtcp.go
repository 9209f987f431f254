package pipe

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/pion/rtcp"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/media"
)

// senderReport relates the sender's RTP time to its clock (RFC 3550, 6.4.1).
type senderReport struct {
	known bool
	rtp   uint32
	clock time.Time
}

// runControl reads RTCP.
func (r *port) runControl() {
	if r.control == nil {
		return
	}
	buf := make([]byte, 8<<10)
	for {
		n, from, err := r.control.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			continue // an ICMP message about something that we sent
		}
		r.take(buf[:n], from)
	}
}

// take takes RTCP packets. Reports come from the address of the sender, if not
// from its port.
func (r *port) take(data []byte, from netip.AddrPort) {
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	packets, err := rtcp.Unmarshal(data)
	if err != nil {
		r.foreign()
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.peer.IsValid() || from.Addr() != r.peer.Addr() {
		return
	}
	for _, p := range packets {
		sr, ok := p.(*rtcp.SenderReport)
		if !ok || sr.SSRC != r.source {
			continue
		}
		r.report = senderReport{known: true, rtp: sr.RTPTime, clock: ntpTime(sr.NTPTime)}
		if r.stated == (netip.AddrPort{}) {
			r.back = from
		}
	}
}

// ntpTime converts a time of NTP, in units of 2^-32 s since 1900.
func ntpTime(v uint64) time.Time {
	const untilUnix = 2_208_988_800
	nanos := (v & 0xffffffff) * uint64(time.Second) >> 32
	return time.Unix(int64(v>>32)-untilUnix, int64(nanos))
}

// made returns when a sample was made, as the sender's reports tell, or zero if
// they do not or their clock is another than ours.
func (r *port) made(at time.Duration, now time.Time) time.Time {
	r.mu.Lock()
	report := r.report
	r.mu.Unlock()
	if !report.known {
		return time.Time{}
	}
	ticks := int32(packet.NewClockAt(r.src.codec, 0).RTP(at) - report.rtp) //nolint:gosec // The difference wraps.
	made := report.clock.Add(time.Duration(ticks) * time.Second / time.Duration(r.src.codec.ClockRate()))
	if now.Sub(made).Abs() > maxSkew {
		return time.Time{}
	}
	return made
}

// requestKeyframe sends a PLI behind an empty receiver report, since RTCP
// packets are compound (RFC 3550, 6.1).
func (r *port) requestKeyframe() {
	r.mu.Lock()
	to, ssrc := r.back, r.source
	if r.stated.IsValid() {
		to = r.stated
	}
	r.mu.Unlock()
	if !to.IsValid() || ssrc == 0 || r.src.codec.Kind() != media.Video {
		return
	}
	const own = 0x70697065
	b, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: own},
		&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
			Source: own, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "parley"}},
		}}},
		&rtcp.PictureLossIndication{SenderSSRC: own, MediaSSRC: ssrc},
	})
	if err != nil {
		return // it is constant but for the SSRC
	}
	conn := r.control
	if conn == nil {
		conn = r.conn
	}
	_, _ = conn.WriteToUDPAddrPort(b, to) // as any datagram may be lost
}
