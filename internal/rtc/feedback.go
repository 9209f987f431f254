package rtc

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/parley-rtc/parley/internal/congestion"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// transportWide is the feedback of draft-holmer-rmcat-transport-wide-cc-extensions:
// packets are numbered across all streams of a connection, and the receiver
// tells when which of them arrived.
var transportWide = webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBTransportCC}

// registerNumbers offers the header extension that the numbers travel in.
func registerNumbers(engine *webrtc.MediaEngine) error {
	ext := webrtc.RTPHeaderExtensionCapability{URI: sdp.TransportCCURI}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if err := engine.RegisterHeaderExtension(ext, kind); err != nil {
			return fmt.Errorf("registering numbers across the transport: %w", err)
		}
	}
	return nil
}

// listening notes what arrives, of all streams of a connection: pion reads
// some of them by itself.
type listening struct {
	interceptor.NoOp
	peer *Peer
}

// NewInterceptor makes it the factory of itself.
func (l *listening) NewInterceptor(string) (interceptor.Interceptor, error) { return l, nil }

// BindRemoteStream is called by pion for each stream that begins.
func (l *listening) BindRemoteStream(info *interceptor.StreamInfo, reader interceptor.RTPReader) interceptor.RTPReader {
	id := 0
	for _, ext := range info.RTPHeaderExtensions {
		if ext.URI == sdp.TransportCCURI {
			id = ext.ID
		}
	}
	if id <= 0 || id > 14 {
		return reader
	}
	p, ssrc := l.peer, info.SSRC
	if strings.EqualFold(info.MimeType, webrtc.MimeTypeRTX) {
		ssrc = 0 // reports name a stream that its sender hears of
	}
	return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, a, err := reader.Read(b, a)
		if err == nil {
			if number, ok := packetNumber(b[:n], uint8(id)); ok && p.arrivals.Add(time.Since(p.born), number, ssrc) {
				p.wake()
			}
		}
		return n, a, err
	})
}

// packetNumber finds the number across the transport in an RTP packet, in the
// one-byte form of RFC 8285, section 4.2.
func packetNumber(b []byte, id uint8) (number uint16, ok bool) {
	if len(b) < 12 || b[0]&0x10 == 0 {
		return 0, false
	}
	at := 12 + 4*int(b[0]&0x0f)
	if len(b) < at+4 || binary.BigEndian.Uint16(b[at:]) != rtp.ExtensionProfileOneByte {
		return 0, false
	}
	end := at + 4 + 4*int(binary.BigEndian.Uint16(b[at+2:]))
	if end > len(b) {
		return 0, false
	}
	for at += 4; at < end; {
		kind, size := b[at]>>4, int(b[at]&0x0f)+1
		switch {
		case b[at] == 0:
			at++
			continue
		case kind == 15 || at+1+size > end:
			return 0, false
		case kind == id && size == 2:
			return binary.BigEndian.Uint16(b[at+1:]), true
		}
		at += 1 + size
	}
	return 0, false
}

// tellArrivals sends the report that is due, and returns when the next one is;
// zero: when something arrives.
func (p *Peer) tellArrivals(now time.Time) (next time.Time) {
	for {
		due, ok := p.arrivals.Due()
		if !ok {
			return time.Time{}
		}
		if at := p.born.Add(due); at.After(now) {
			return at
		}
		report := rtcp.RawPacket(p.arrivals.Report(now.Sub(p.born), nil))
		if len(report) > 0 {
			_ = p.writeRTCP([]rtcp.Packet{&report}) // the next one is about the next packets
		}
	}
}

// takeFeedback takes what the other side says has arrived. It reports whether
// there is nothing else in the compound packet.
func (p *Peer) takeFeedback(compound []byte) (only bool) {
	only = true
	for len(compound) >= 4 {
		size := 4 * (int(binary.BigEndian.Uint16(compound[2:])) + 1)
		if size > len(compound) {
			return false
		}
		if congestion.IsReport(compound[:size]) {
			p.congestion.Report(time.Since(p.born), compound[:size])
			p.tellLimit()
		} else {
			only = false
		}
		compound = compound[size:]
	}
	return only
}
