package packet

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/parley-rtc/parley/media"
)

// DefaultMTU is the largest RTP payload that is made by default. With RTP
// header, extensions, SRTP, UDP, IPv6 and a TURN header it stays below 1280
// bytes, the least that every IPv6 link carries.
const DefaultMTU = 1200

// minMTU leaves room for the longest payload header and some data.
const minMTU = 32

// Payload is the payload of one RTP packet.
type Payload struct {
	Data []byte
	// Marker is the RTP marker bit: the last packet of a frame.
	Marker bool
}

// Packetizer cuts the samples of one stream into RTP payloads. It is not safe
// for concurrent use.
type Packetizer struct {
	codec     media.Codec
	mtu       int
	pictureID uint16 // of the next frame of VP8 and VP9
	buf       []byte // holds the payloads of the last sample
	nals      [][]byte
	header    [2]byte // of the OBU at hand
}

// NewPacketizer returns a packetizer whose payloads have at most mtu bytes;
// zero means [DefaultMTU].
func NewPacketizer(codec media.Codec, mtu int) (*Packetizer, error) {
	if codec.Kind() == "" {
		return nil, fmt.Errorf("packet: %w: %q", ErrCodec, codec)
	}
	if mtu == 0 {
		mtu = DefaultMTU
	}
	if mtu < minMTU {
		return nil, fmt.Errorf("packet: %w: %d bytes", ErrMTU, mtu)
	}
	return &Packetizer{codec: codec, mtu: mtu, pictureID: uint16(rand.Uint32()) & 0x7fff}, nil
}

// Packetize appends the payloads of s to dst. All have the same RTP timestamp,
// and the last ends the sample. Their bytes are valid until the next call; s is
// not kept. When s is malformed it returns dst and an error, and the stream may
// go on with the next sample.
//
// Every NAL unit of H.264 and H.265 is sent, in order and unchanged; every OBU
// of AV1 too, except temporal delimiters and tile lists, which RTP does not
// carry. An audio packet larger than the MTU is an error, since audio is never
// cut.
func (p *Packetizer) Packetize(dst []Payload, s media.Sample) ([]Payload, error) {
	if s.Codec != "" && s.Codec != p.codec {
		return dst, fmt.Errorf("packet: %w: sample of %s in a stream of %s", ErrCodec, s.Codec, p.codec)
	}
	if len(s.Data) == 0 {
		return dst, fmt.Errorf("packet: %w: no data", ErrSample)
	}
	p.buf = slices.Grow(p.buf[:0], len(s.Data)+len(s.Data)/8+64)
	var out []Payload
	var err error
	switch p.codec {
	case media.VP8:
		out = p.vp8(dst, s.Data)
	case media.VP9:
		out, err = p.vp9(dst, s.Data)
	case media.H264:
		out, err = p.h264(dst, s.Data)
	case media.H265:
		out, err = p.h265(dst, s.Data)
	case media.AV1:
		out, err = p.av1(dst, s.Data)
	default:
		out, err = p.audio(dst, s.Data)
	}
	if err != nil {
		return dst, fmt.Errorf("packet: %w", err)
	}
	if p.codec.Kind() == media.Video {
		out[len(out)-1].Marker = true
	}
	return out, nil
}

func (p *Packetizer) audio(dst []Payload, data []byte) ([]Payload, error) {
	if len(data) > p.mtu {
		return dst, fmt.Errorf("%w: audio packet of %d bytes, at most %d fit", ErrSample, len(data), p.mtu)
	}
	start := p.begin()
	p.buf = append(p.buf, data...)
	return p.end(dst, start), nil
}

// begin and end enclose the writing of one payload at the end of buf. When buf
// grows, the payloads before keep pointing into the array that it had.
func (p *Packetizer) begin() int { return len(p.buf) }

func (p *Packetizer) end(dst []Payload, start int) []Payload {
	return append(dst, Payload{Data: p.buf[start:len(p.buf):len(p.buf)]})
}
