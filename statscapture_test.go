package parley_test

import (
	"context"
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

// scene is a camera of 1280x720 pixels and 30 pictures a second.
type scene struct {
	began time.Time
	n     int
	once  sync.Once
	done  chan struct{}
}

func (c *scene) ReadFrame(ctx context.Context, f *media.VideoFrame) error {
	if c.began.IsZero() {
		c.began = time.Now()
	}
	c.n = max(c.n+1, int(time.Since(c.began)/encoderPace)) // the newest
	timer := time.NewTimer(time.Until(c.began.Add(time.Duration(c.n) * encoderPace)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
		return io.EOF
	case <-timer.C:
	}
	f.Timestamp = time.Duration(c.n) * encoderPace
	return f.Reset(media.I420, 1280, 720)
}

func (c *scene) Close() error {
	c.once.Do(func() { close(c.done) })
	return nil
}

// slowCoder encodes in VP8 that no decoder likes, as fast as it is said to.
type slowCoder struct {
	takes   atomic.Int64 // time.Duration, for a picture
	bitrate atomic.Int64
}

func (e *slowCoder) Codec() media.Codec { return media.VP8 }

func (e *slowCoder) Encode(f *media.VideoFrame, key bool) (media.Sample, error) {
	time.Sleep(time.Duration(e.takes.Load()))
	bitrate := e.bitrate.Load()
	if bitrate == 0 {
		bitrate = 600_000
	}
	s := media.Sample{Data: make([]byte, max(bitrate/8/30, 20))}
	s.Data[0] = 0x11
	if key {
		s.Data[0], s.Keyframe = 0x10, true
		copy(s.Data[3:], []byte{0x9d, 0x01, 0x2a})
		binary.LittleEndian.PutUint16(s.Data[6:], uint16(f.Width))
		binary.LittleEndian.PutUint16(s.Data[8:], uint16(f.Height))
	}
	return s, nil
}

func (e *slowCoder) SetBitrate(bps int) { e.bitrate.Store(int64(bps)) }

func (e *slowCoder) Close() error { return nil }

// TestStatsTellWhatLimitsVideo proves TC-34 for what is captured, and why less
// is sent.
func TestStatsTellWhatLimitsVideo(t *testing.T) {
	inLab(t, 3436, func(l *lab) {
		coder := &slowCoder{}
		src := media.NewVideoSource(&scene{done: make(chan struct{})}, coder, &media.VideoSourceOptions{MaxWidth: 640})
		alice := l.join("alice", sending(l.t, "scene", src))
		l.join("bob").hears("scene")
		figures := func(after time.Duration) parley.SentStats {
			time.Sleep(after)
			return alice.room.LocalParticipant().Tracks()[0].Stats()
		}
		s := figures(3 * time.Second)
		require.Equal(l.t, []int{1280, 720, 640, 360}, []int{s.CaptureWidth, s.CaptureHeight, s.Width, s.Height})
		require.Equal(l.t, parley.QualityLimitationNone, s.QualityLimitation)

		alice.host.Impair(func(send, _ *faultnet.Faults) { narrow(250_000)(send) })
		require.Equal(l.t, parley.QualityLimitationBandwidth, figures(10*time.Second).QualityLimitation)
		alice.host.Impair(func(send, _ *faultnet.Faults) { *send = faultnet.Faults{Delay: oneWay} })
		require.Equal(l.t, parley.QualityLimitationNone, figures(30*time.Second).QualityLimitation)

		coder.takes.Store(int64(40 * time.Millisecond)) // of the 33 there are
		s = figures(5 * time.Second)
		require.Equal(l.t, parley.QualityLimitationCPU, s.QualityLimitation)
		require.Less(l.t, s.FrameRate, 27.)
		coder.takes.Store(int64(10 * time.Millisecond))
		require.Equal(l.t, parley.QualityLimitationNone, figures(5*time.Second).QualityLimitation)
	})
}
