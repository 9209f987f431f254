package v4l2

import (
	"context"
	"time"

	"github.com/parley-rtc/parley/media"
)

// maxUnkeyed is for how many pictures a source waits for a key frame. It is
// more than half a minute of any usual stream.
const maxUnkeyed = 1800

// Source returns the pictures of a camera that encodes, as they are. It begins
// with a key frame. Key frames carry their parameter sets. The source is a
// [media.KeyframeRequester] and a [media.BitrateSetter] where the camera can be
// told; then it leaves out what depends on pictures that were lost until the
// key frame that it asks for. Closing it closes the camera.
//
// The Next of a camera that does not encode fails with [ErrUnsatisfiable].
func (c *Camera) Source() media.Source {
	codec, _ := c.Config().Format.Codec()
	s := &source{camera: c, unit: unit{codec: codec}, waiting: true}
	key, rate := c.encoded.canKeyframe.Load(), c.encoded.canBitrate.Load()
	switch {
	case key && rate:
		return struct {
			*source
			keyframes
			bitrates
		}{s, keyframes{c}, bitrates{c}}
	case key:
		return struct {
			*source
			keyframes
		}{s, keyframes{c}}
	case rate:
		return struct {
			*source
			bitrates
		}{s, bitrates{c}}
	}
	return s
}

type keyframes struct{ camera *Camera }

func (k keyframes) RequestKeyframe() {
	k.camera.encoded.keyframe.Store(true)
	k.camera.waker.wake()
}

type bitrates struct{ camera *Camera }

func (b bitrates) SetBitrate(bps int) {
	if bps > 0 {
		b.camera.encoded.bitrate.Store(int64(bps))
		b.camera.waker.wake()
	}
}

type source struct {
	camera  *Camera
	unit    unit
	starts  int  // of the camera's stream that were seen
	waiting bool // for a key frame
	unkeyed int  // pictures left out while waiting
}

func (s *source) Codec() media.Codec { return s.unit.codec }

func (s *source) Close() error { return s.camera.Close() }

func (s *source) Next(ctx context.Context) (media.Sample, error) {
	c := s.camera
	c.turn.Lock()
	defer c.turn.Unlock()
	if s.unit.codec == "" {
		return media.Sample{}, &Error{
			Op: "read", Device: c.device.Path, Err: ErrUnsatisfiable,
			Detail: "pictures are not encoded but " + string(c.config.Format), Formats: c.device.Formats,
		}
	}
	for {
		p, err := c.next(ctx, false)
		if err != nil {
			return media.Sample{}, err
		}
		data, key, ok, err := s.unit.take(c.stream.buffers[p.index][0][p.starts[0]:p.ends[0]])
		c.giveBack(p, err == nil)
		if err == nil && ok && s.shows(p, key) {
			return s.sample(p, data, key), nil
		}
	}
}

// shows reports whether a decoder can show the picture. It keeps order of key
// frames.
func (s *source) shows(p picture, key bool) bool {
	c := s.camera
	if c.starts != s.starts || p.lost && c.encoded.canKeyframe.Load() {
		s.starts, s.waiting, s.unkeyed = c.starts, true, 0
	}
	if key || !s.waiting {
		s.waiting = false
		return true
	}
	if s.unkeyed%30 == 0 {
		c.encoded.keyframe.Store(true)
	}
	if s.unkeyed++; s.unkeyed > maxUnkeyed && c.stream != nil {
		c.lose(broken("read", c.stream.path, "no key frame in %d pictures", maxUnkeyed))
	}
	return false
}

func (s *source) sample(p picture, data []byte, key bool) media.Sample {
	out := media.Sample{Codec: s.unit.codec, Data: data, Keyframe: key}
	out.Timestamp, out.Captured = s.camera.stamp(p)
	if key {
		out.Width, out.Height, _ = media.Dimensions(out.Codec, data)
	}
	if rate := s.camera.config.FrameRate; rate > 0 {
		out.Duration = time.Duration(float64(time.Second) / rate)
	}
	s.camera.stats.frames.Add(1)
	return out
}
