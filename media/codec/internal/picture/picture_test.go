package picture

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

func TestCheck(t *testing.T) {
	fine := func() *media.VideoFrame {
		var f media.VideoFrame
		require.NoError(t, f.Reset(media.I420, 33, 17))
		return &f
	}
	require.NoError(t, Check(fine()))
	last := fine() // the last row need not have all of its stride
	last.Strides = [3]int{64, 32, 32}
	last.Planes = [3][]byte{make([]byte, 64*16+33), make([]byte, 32*8+17), make([]byte, 32*8+17)}
	require.NoError(t, Check(last))
	for name, spoil := range map[string]func(f *media.VideoFrame){
		"format":       func(f *media.VideoFrame) { f.Format = media.NV12 },
		"too small":    func(f *media.VideoFrame) { f.Width = 15 },
		"too large":    func(f *media.VideoFrame) { f.Height = 8193 },
		"negative":     func(f *media.VideoFrame) { f.Width = -33 },
		"short luma":   func(f *media.VideoFrame) { f.Planes[0] = f.Planes[0][:33*17-1] },
		"short chroma": func(f *media.VideoFrame) { f.Planes[2] = f.Planes[2][:17*9-1] },
		"no plane":     func(f *media.VideoFrame) { f.Planes[1] = nil },
		"stride":       func(f *media.VideoFrame) { f.Strides[0] = 32 },
		"no stride":    func(f *media.VideoFrame) { f.Strides[1] = 0 },
		"wild stride":  func(f *media.VideoFrame) { f.Strides[0] = 1 << 62 },
	} {
		t.Run(name, func(t *testing.T) {
			f := fine()
			spoil(f)
			require.ErrorIs(t, Check(f), codec.ErrFrame)
		})
	}
	require.ErrorIs(t, Check(nil), codec.ErrFrame)
}

func TestClock(t *testing.T) {
	c := Clock{Nominal: 40 * time.Millisecond}
	require.InDelta(t, 25, c.Rate(), 0.01)
	for _, step := range []struct{ timestamp, now, took time.Duration }{
		{time.Hour, 0, 40 * time.Millisecond},
		{time.Hour + 50*time.Millisecond, 50 * time.Millisecond, 50 * time.Millisecond},
		{3 * time.Hour, 250 * time.Millisecond, 200 * time.Millisecond},        // a long pause
		{3 * time.Hour, 290 * time.Millisecond, 40 * time.Millisecond},         // does not grow
		{0, 330 * time.Millisecond, 40 * time.Millisecond},                     // goes back
		{10 * time.Millisecond, 340 * time.Millisecond, 10 * time.Millisecond}, // and on
	} {
		now, took := c.Next(step.timestamp)
		require.Equal(t, step.now, now)
		require.Equal(t, step.took, took)
	}
}

func TestClockFindsTheRateAtOnce(t *testing.T) {
	c := Clock{Nominal: time.Second / 30}
	c.Next(0)
	c.Next(time.Second / 15)
	require.InDelta(t, 15, c.Rate(), 0.01)
	now := time.Second / 15
	for range 30 {
		now += time.Second / 25
		c.Next(now)
	}
	require.InDelta(t, 25, c.Rate(), 0.3)
}

func TestClockGetsUsedToSlowPictures(t *testing.T) {
	c := Clock{Nominal: time.Second / 30}
	var now time.Duration
	for range 30 {
		now += time.Second / 30
		c.Next(now)
	}
	for range 20 {
		now += time.Second
		c.Next(now)
	}
	_, step := c.Next(now + time.Second)
	require.Equal(t, time.Second, step)
	require.InDelta(t, 1, c.Rate(), 0.2)
}

func TestKeyframes(t *testing.T) {
	k := Keyframes{Interval: time.Second}
	require.True(t, k.Due(0, false))
	k.Made(0)
	require.False(t, k.Due(999*time.Millisecond, false))
	require.True(t, k.Due(time.Second, false))
	k.Made(time.Second)
	require.True(t, k.Due(1100*time.Millisecond, true))
	require.True(t, k.Due(1200*time.Millisecond, false), "the picture that was to be one was left out")
	k.Made(1200 * time.Millisecond)
	require.False(t, k.Due(1300*time.Millisecond, false))
	var none Keyframes
	none.Made(0)
	require.False(t, none.Due(1000*time.Hour, false))
}

func TestGate(t *testing.T) {
	var g Gate
	admit := func(key bool, lost int) bool {
		ok, err := g.Admit(key, lost)
		require.NoError(t, err)
		return ok
	}
	require.False(t, admit(false, 0))
	require.False(t, admit(false, 3), "nothing to lose yet")
	require.True(t, admit(true, 3))
	require.True(t, admit(false, 0))
	_, err := g.Admit(false, 1)
	require.ErrorIs(t, err, codec.ErrLost)
	require.False(t, admit(false, 0))
	require.True(t, admit(true, 0))
	g.Shut()
	require.False(t, admit(false, 0))
}

func TestThreads(t *testing.T) {
	require.Equal(t, 3, Threads(3, 16, 16))
	require.Equal(t, 1, Threads(0, 640, 480))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	require.Equal(t, 2, Threads(0, 1280, 720))
	require.Equal(t, 4, Threads(0, 1920, 1080))
	runtime.GOMAXPROCS(2)
	require.Equal(t, 1, Threads(0, 1920, 1080))
	runtime.GOMAXPROCS(1)
	require.Equal(t, 1, Threads(0, 1920, 1080))
}
