package media

import (
	"context"
	"time"
)

// PixelFormat says how the pixels of a [VideoFrame] lie in memory.
type PixelFormat string

// The pixel formats that cameras and screens give and codecs take.
const (
	I420  PixelFormat = "I420"  // 4:2:0, three planes: Y, U, V
	NV12  PixelFormat = "NV12"  // 4:2:0, two planes: Y, and U with V interleaved
	NV21  PixelFormat = "NV21"  // 4:2:0, two planes: Y, and V with U interleaved
	YUYV  PixelFormat = "YUYV"  // 4:2:2, one plane: Y U Y V
	UYVY  PixelFormat = "UYVY"  // 4:2:2, one plane: U Y V Y
	BGRA  PixelFormat = "BGRA"  // one plane, four bytes a pixel
	RGBA  PixelFormat = "RGBA"  // one plane, four bytes a pixel
	Gray  PixelFormat = "Gray"  // one plane, one byte a pixel
	MJPEG PixelFormat = "MJPEG" // one plane: a JPEG picture; the stride is zero
)

// VideoFrame is one picture that is not encoded. It belongs to whoever made
// the variable: those who fill it use the memory of its planes again.
type VideoFrame struct {
	Format        PixelFormat
	Width, Height int // pixels
	Planes        [3][]byte
	Strides       [3]int // bytes from one row to the next

	// Timestamp is the picture's place on the clock of its device. It only
	// grows; its origin means nothing.
	Timestamp time.Duration
	// Captured is when the picture was taken, zero when unknown.
	Captured time.Time
}

// AudioFrame is a piece of sound that is not encoded: 16 bits a sample, the
// channels interleaved. It belongs to whoever made the variable: those who
// fill it use the memory of Samples again.
type AudioFrame struct {
	Rate     int // samples a second and channel
	Channels int
	Samples  []int16

	// Timestamp is the place of the first sample on the clock of the device:
	// samples counted, whatever their true pace. Its origin means nothing.
	Timestamp time.Duration
	// Captured is when the first sample was heard, zero when unknown.
	Captured time.Time
}

// Duration returns how long the piece is.
func (f *AudioFrame) Duration() time.Duration {
	if f.Rate <= 0 || f.Channels <= 0 {
		return 0
	}
	return time.Duration(len(f.Samples)/f.Channels) * time.Second / time.Duration(f.Rate)
}

// VideoReader gives pictures: a camera, a screen, a program. It is used by one
// goroutine.
type VideoReader interface {
	// ReadFrame waits for the next picture and puts it into f. io.EOF ends
	// the pictures in good order. When the reader of the pictures is too slow,
	// it gets the newest.
	ReadFrame(ctx context.Context, f *VideoFrame) error
	// Close releases what is behind it and makes a waiting ReadFrame return.
	// It is idempotent and may be called from any goroutine.
	Close() error
}

// AudioReader gives sound: a microphone, a program. It is used by one
// goroutine.
type AudioReader interface {
	// ReadAudio waits for the next piece of sound and puts it into f: its
	// length is the reader's choice. io.EOF ends the sound in good order.
	ReadAudio(ctx context.Context, f *AudioFrame) error
	// Close releases what is behind it and makes a waiting ReadAudio return.
	// It is idempotent and may be called from any goroutine.
	Close() error
}

// VideoEncoder encodes pictures. It is used by one goroutine, but Close and
// SetBitrate may be called from any.
type VideoEncoder interface {
	Codec() Codec
	// Encode encodes an I420 picture, as a key frame if so asked. The size
	// may change from picture to picture, which makes a key frame. The sample
	// has no data when the encoder left the picture out to keep its bitrate.
	// Its data is used again by the next call.
	Encode(f *VideoFrame, keyframe bool) (Sample, error)
	// SetBitrate sets what to aim for, in bits per second, from the next
	// picture on; zero is what the encoder was made with.
	SetBitrate(bps int)
	// Close is idempotent. Encode fails with ErrClosed afterwards.
	Close() error
}

// VideoDecoder decodes pictures. It is used by one goroutine.
type VideoDecoder interface {
	Codec() Codec
	// Decode puts the picture of s into f, as I420. ok is false when s shows
	// none. After an error it waits for a key frame.
	Decode(s Sample, f *VideoFrame) (ok bool, err error)
	// Close is idempotent.
	Close() error
}

// AudioEncoder encodes sound. It is used by one goroutine, but Close and
// SetBitrate may be called from any.
type AudioEncoder interface {
	Codec() Codec
	// Encode encodes a piece of exactly the length, rate and channels that the
	// encoder was made for. Its data is used again by the next call.
	Encode(f *AudioFrame) (Sample, error)
	// SetBitrate is as that of VideoEncoder.
	SetBitrate(bps int)
	// Close is idempotent. Encode fails with ErrClosed afterwards.
	Close() error
}

// AudioDecoder decodes sound. It is used by one goroutine.
type AudioDecoder interface {
	Codec() Codec
	// Decode puts the sound of s into f.
	Decode(s Sample, f *AudioFrame) error
	// Conceal puts a guess into f of what was lost before next, of that
	// length. next has no data when nothing followed yet.
	Conceal(next Sample, length time.Duration, f *AudioFrame) error
	// Close is idempotent.
	Close() error
}
