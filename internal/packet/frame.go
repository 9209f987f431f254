package packet

import "github.com/parley-rtc/parley/media"

// maxFrame bounds the bytes of one frame; a frame that grows larger is dropped.
const maxFrame = 16 << 20

// frame joins the payloads of one frame after another.
type frame interface {
	// startsFrame reports whether a payload by itself, of at least one byte,
	// tells that no packet of its frame comes before it.
	startsFrame(payload []byte) bool
	// reset begins a frame.
	reset()
	// add takes the next payload, which has at least one byte. After an
	// error the frame is unusable until reset.
	add(payload []byte) error
	// finish fails when the frame cannot be complete.
	finish() error
	// bytes is the frame. It is valid until reset.
	bytes() []byte
}

func newFrame(codec media.Codec) frame {
	switch codec {
	case media.VP8:
		return &vp8Frame{}
	case media.VP9:
		return &vp9Frame{}
	case media.H264:
		return &h264Frame{}
	case media.H265:
		return &h265Frame{}
	case media.AV1:
		return &av1Frame{}
	case media.Opus, media.PCMU, media.PCMA:
		return &audioFrame{}
	}
	return nil
}

// frameBuffer is the memory of a frame, used again for the next.
type frameBuffer struct{ buf []byte }

func (f *frameBuffer) reset()        { f.buf = f.buf[:0] }
func (f *frameBuffer) bytes() []byte { return f.buf }

func (f *frameBuffer) write(data []byte) error {
	if len(f.buf)+len(data) > maxFrame {
		return errPayload
	}
	f.buf = append(f.buf, data...)
	return nil
}

func (f *frameBuffer) complete() error {
	if len(f.buf) == 0 {
		return errPayload
	}
	return nil
}

// audioFrame is one packet.
type audioFrame struct{ frameBuffer }

func (f *audioFrame) startsFrame([]byte) bool  { return true }
func (f *audioFrame) add(payload []byte) error { return f.write(payload) }
func (f *audioFrame) finish() error            { return f.complete() }
