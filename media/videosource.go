package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// VideoSourceOptions are the options of [NewVideoSource].
type VideoSourceOptions struct {
	// MaxWidth and MaxHeight bound the size of the picture, see
	// [VideoSource.SetSize].
	MaxWidth, MaxHeight int
	// FrameRate bounds the pictures a second, see [VideoSource.SetFrameRate].
	FrameRate float64
}

// VideoSource encodes what a reader captures:
//
//	camera, err := v4l2.Open(ctx, "", v4l2.Options{Width: 1280, Height: 720})
//	…
//	enc, err := vpx.NewEncoder(codec.VideoOptions{Bitrate: 1_500_000})
//	…
//	track, err := parley.NewLocalVideoTrack(media.NewVideoSource(camera, enc, nil), nil)
//
// Pictures are converted to what the encoder takes and keep their timestamps.
// A broken picture, such as a torn JPEG, is left out; 30 in a row end the
// track, as do errors of the reader and the encoder. In the steady state no
// memory is allocated, but for [MJPEG].
//
// One goroutine may call Next. All other methods may be called from any.
type VideoSource struct {
	in  intake
	enc VideoEncoder

	keyframe atomic.Bool // the next picture has to be one
	closed   atomic.Bool
	close    func() error

	mu            sync.Mutex
	width, height int // at most, zero for no limit
	rate          float64
	capture       CaptureStats

	// For Next alone.
	thin         thinner
	work         workload
	captured     VideoFrame
	i420, scaled VideoFrame
	picture      *VideoFrame // the one of the three to encode
}

var (
	_ Source            = (*VideoSource)(nil)
	_ KeyframeRequester = (*VideoSource)(nil)
	_ BitrateSetter     = (*VideoSource)(nil)
	_ CaptureReporter   = (*VideoSource)(nil)
)

// NewVideoSource returns a source of the pictures of r, encoded by enc. Both
// belong to the source, which closes them. opts may be nil.
func NewVideoSource(r VideoReader, enc VideoEncoder, opts *VideoSourceOptions) *VideoSource {
	s := &VideoSource{in: intake{r: r}, enc: enc}
	s.close = sync.OnceValue(func() error {
		s.closed.Store(true)
		return errors.Join(r.Close(), enc.Close())
	})
	if opts != nil {
		s.SetSize(opts.MaxWidth, opts.MaxHeight)
		s.SetFrameRate(opts.FrameRate)
	}
	return s
}

// Codec returns the codec of the encoder.
func (s *VideoSource) Codec() Codec { return s.enc.Codec() }

// Next waits for the next picture and returns it encoded. Pictures that the
// encoder leaves out are not told. After Close it returns io.EOF.
func (s *VideoSource) Next(ctx context.Context) (Sample, error) {
	for {
		sample, err := s.next(ctx)
		switch {
		case s.closed.Load():
			return Sample{}, io.EOF
		case err != nil:
			return Sample{}, err
		case len(sample.Data) > 0:
			return sample, nil
		}
	}
}

func (s *VideoSource) next(ctx context.Context) (Sample, error) {
	if err := ctx.Err(); err != nil {
		return Sample{}, err
	}
	if err := s.in.next(ctx, &s.captured, s.prepare); err != nil || s.picture == nil {
		return Sample{}, err
	}
	wanted := s.keyframe.Swap(false)
	sample, err := s.enc.Encode(s.picture, wanted)
	s.worked()
	if err != nil {
		return Sample{}, fmt.Errorf("media: encode: %w", err)
	}
	if len(sample.Data) == 0 {
		if wanted {
			s.keyframe.Store(true)
		}
		return Sample{}, nil
	}
	sample.Codec, sample.Lost = s.enc.Codec(), 0
	sample.Timestamp, sample.Captured = s.captured.Timestamp, s.captured.Captured
	if sample.Keyframe && sample.Width == 0 && sample.Height == 0 {
		sample.Width, sample.Height = s.picture.Width, s.picture.Height
	}
	return sample, nil
}

// prepare makes of a captured picture the one to encode. It leaves none when
// the picture is one too many.
func (s *VideoSource) prepare(f *VideoFrame) error {
	s.work.begin(time.Now())
	s.mu.Lock()
	s.capture.Width, s.capture.Height = f.Width, f.Height
	maxWidth, maxHeight := s.width, s.height
	s.thin.setRate(s.rate)
	s.mu.Unlock()
	s.picture = nil
	if !s.thin.keep(f.Timestamp) {
		return nil
	}
	p := f
	if f.Format != I420 {
		if err := Convert(&s.i420, f); err != nil {
			return err
		}
		p = &s.i420
	} else if err := f.Validate(); err != nil {
		return err
	}
	width, height := fit(p.Width, p.Height, maxWidth, maxHeight)
	if width != p.Width || height != p.Height {
		if err := s.scaled.Reset(I420, width, height); err != nil {
			return err
		}
		if err := Scale(&s.scaled, p); err != nil {
			return err
		}
		p = &s.scaled
	}
	s.picture = p
	return nil
}

// worked ends the work on a picture.
func (s *VideoSource) worked() {
	s.work.end(time.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capture.Overloaded = s.work.overloaded
}

// CaptureStats returns what is captured, and whether the machine keeps up.
func (s *VideoSource) CaptureStats() CaptureStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.capture
}

// fit returns the largest size of the same aspect within the limits, which are
// none where they are zero. A size made smaller is even, as encoders like it.
func fit(width, height, maxWidth, maxHeight int) (w, h int) {
	if maxWidth <= 0 {
		maxWidth = width
	}
	if maxHeight <= 0 {
		maxHeight = height
	}
	if width <= maxWidth && height <= maxHeight {
		return width, height
	}
	// The 64 bits are for machines of 32.
	w, h = maxWidth, int((int64(height)*int64(maxWidth)+int64(width)/2)/int64(width))
	if h > maxHeight {
		w, h = int((int64(width)*int64(maxHeight)+int64(height)/2)/int64(height)), maxHeight
	}
	return max(w&^1, min(width, minSide)), max(h&^1, min(height, minSide))
}

// minSide is the least that all encoders take.
const minSide = 16

// SetSize bounds the size of the picture from the next one on: a larger one is
// made smaller and keeps its aspect. It is never made larger. Zero is no limit,
// so that SetSize(0, 0) sends what is captured again. The track stays
// published; the new size begins with a key frame.
func (s *VideoSource) SetSize(maxWidth, maxHeight int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.width, s.height = max(0, maxWidth), max(0, maxHeight)
}

// SetFrameRate bounds the pictures a second from the next one on: what is too
// many is left out, evenly. Zero is no limit.
func (s *VideoSource) SetFrameRate(fps float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rate = fps
}

// SetBitrate sets what the encoder aims for, in bits per second. The track that
// sends the source calls it.
func (s *VideoSource) SetBitrate(bps int) { s.enc.SetBitrate(bps) }

// RequestKeyframe makes the next picture a key frame. The track that sends the
// source calls it.
func (s *VideoSource) RequestKeyframe() { s.keyframe.Store(true) }

// Close ends the track and closes the reader and the encoder. It makes a
// waiting Next return.
func (s *VideoSource) Close() error { return s.close() }
