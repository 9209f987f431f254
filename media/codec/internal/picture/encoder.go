package picture

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

// Library is the encoder of a C library. Calls do not overlap.
type Library interface {
	// Open begins anew; it releases what an earlier call took.
	Open(s Settings) error
	// SetBitrate and SetRate change these settings of an open encoder.
	SetBitrate(bps int) error
	SetRate(fps float64) error
	// Encode appends the encoded picture to dst. Nothing is appended when it
	// was left out. The encoder is open for pictures of the size of f; now
	// grows by step, the time since the last picture.
	Encode(dst []byte, f *media.VideoFrame, now, step time.Duration, force bool) (data []byte, keyframe bool, err error)
	// Close releases everything. It is the last call, and comes once.
	Close()
}

// Settings are what a library's encoder is opened with.
type Settings struct {
	Width, Height  int // even, if the encoding is H.264
	Bitrate        int // bits a second
	Rate           float64
	Threads, Speed int
	Drop           bool
}

// Encoder is a media.VideoEncoder on top of a library.
type Encoder struct {
	name    string // of the package, before errors
	codec   media.Codec
	o       codec.VideoOptions
	bitrate atomic.Int64 // what to aim for

	mu      sync.Mutex // held while the library works
	lib     Library    // nil when closed
	size    [2]int     // of the pictures that the library is open for, zero when it is not
	applied Settings   // of the library
	clock   Clock
	keys    Keyframes
	data    []byte
}

// NewEncoder returns an encoder that owns lib, or closes it.
func NewEncoder(name string, c media.Codec, lib Library, o codec.VideoOptions) (media.VideoEncoder, error) {
	e := &Encoder{name: name, codec: c, lib: lib}
	o, err := o.WithDefaults()
	if err != nil {
		return nil, errors.Join(e.wrap(err), e.Close())
	}
	e.o = o
	e.clock.Nominal = time.Duration(float64(time.Second) / o.FrameRate)
	e.bitrate.Store(int64(o.Bitrate))
	if o.Width > 0 {
		if err := e.open(o.Width, o.Height); err != nil {
			return nil, errors.Join(e.wrap(err), e.Close())
		}
	}
	return e, nil
}

func (e *Encoder) wrap(err error) error { return fmt.Errorf("%s: %w", e.name, err) }

// Codec returns the encoding.
func (e *Encoder) Codec() media.Codec { return e.codec }

// SetBitrate takes effect with the next picture. Targets out of range are
// brought into it; zero is what the encoder was made with.
func (e *Encoder) SetBitrate(bps int) {
	if bps == 0 {
		bps = e.o.Bitrate
	}
	e.bitrate.Store(int64(min(max(bps, codec.MinBitrate), codec.MaxBitrate)))
}

// Encode encodes a picture.
func (e *Encoder) Encode(f *media.VideoFrame, keyframe bool) (media.Sample, error) {
	if err := Check(f); err != nil {
		return media.Sample{}, e.wrap(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lib == nil {
		return media.Sample{}, e.wrap(media.ErrClosed)
	}
	now, step := e.clock.Next(f.Timestamp)
	if err := e.prepare(f.Width, f.Height); err != nil {
		return media.Sample{}, e.wrap(err)
	}
	data, key, err := e.lib.Encode(e.data[:0], f, now, step, e.keys.Due(now, keyframe))
	if err != nil {
		return media.Sample{}, e.wrap(fmt.Errorf("encode: %w", err))
	}
	e.data = data
	s := media.Sample{Codec: e.codec, Timestamp: f.Timestamp, Captured: f.Captured}
	if len(data) == 0 {
		return s, nil
	}
	s.Data = data
	if key {
		e.keys.Made(now)
		s.Keyframe, s.Width, s.Height = true, e.applied.Width, e.applied.Height
	}
	return s, nil
}

// prepare makes the library fit the picture, the bitrate and the rate at which
// pictures come.
func (e *Encoder) prepare(width, height int) error {
	if e.size != [2]int{width, height} {
		return e.open(width, height)
	}
	if rate := e.clock.Rate(); math.Abs(rate/e.applied.Rate-1) > 0.04 {
		if err := e.lib.SetRate(rate); err != nil {
			return fmt.Errorf("%.1f pictures a second: %w", rate, err)
		}
		e.applied.Rate = rate
	}
	if aim := int(e.bitrate.Load()); aim != e.applied.Bitrate {
		if err := e.lib.SetBitrate(aim); err != nil {
			return fmt.Errorf("%d bit/s: %w", aim, err)
		}
		e.applied.Bitrate = aim
	}
	return nil
}

// open begins anew, for pictures of another size too: changing the size in
// place is where libraries leak, and none grows beyond its first.
func (e *Encoder) open(width, height int) error {
	s := Settings{
		Width: width, Height: height,
		Bitrate: int(e.bitrate.Load()), Rate: e.clock.Rate(),
		Threads: Threads(e.o.Threads, width, height), Speed: e.o.Speed, Drop: e.o.DropFrames,
	}
	if e.codec == media.H264 {
		s.Width, s.Height = s.Width&^1, s.Height&^1
	}
	e.size = [2]int{}
	if err := e.lib.Open(s); err != nil {
		return fmt.Errorf("%dx%d: %w", width, height, err)
	}
	e.size, e.applied = [2]int{width, height}, s
	e.keys = Keyframes{Interval: e.o.KeyframeInterval}
	return nil
}

// Close waits for a picture that is being encoded.
func (e *Encoder) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lib != nil {
		e.lib.Close()
		e.lib = nil
	}
	return nil
}
