//go:build devicevm && codecs

package devices_test

import (
	"context"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/all"
	"github.com/parley-rtc/parley/media/v4l2"
)

// A number is written into the corner of each picture, as a row of black and
// white squares, so that it is known again behind the encoder.
const (
	digits = 12
	square = 16
)

func stamp(f *media.VideoFrame, n int) {
	for y := range square {
		row := f.Planes[0][y*f.Strides[0]:]
		for x := range digits * square {
			row[x] = 16
			if n>>(x/square)&1 == 1 {
				row[x] = 235
			}
		}
	}
	for y := range square / 2 {
		for x := range digits * square / 2 {
			f.Planes[1][y*f.Strides[1]+x], f.Planes[2][y*f.Strides[2]+x] = 128, 128
		}
	}
}

func number(f *media.VideoFrame) (n int) {
	for i := range digits {
		if f.Planes[0][square/2*f.Strides[0]+i*square+square/2] > 125 {
			n |= 1 << i
		}
	}
	return n
}

// diary is a camera whose pictures are numbered and kept.
type diary struct {
	media.VideoReader
	raw media.VideoFrame

	mu   sync.Mutex
	kept []media.VideoFrame
}

func (d *diary) ReadFrame(ctx context.Context, f *media.VideoFrame) error {
	if err := d.VideoReader.ReadFrame(ctx, &d.raw); err != nil {
		return err
	}
	if err := media.Convert(f, &d.raw); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	stamp(f, len(d.kept))
	d.kept = append(d.kept, media.VideoFrame{})
	return d.kept[len(d.kept)-1].CopyFrom(f)
}

func (d *diary) page(t *testing.T, n int) *media.VideoFrame {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	require.Less(t, n, len(d.kept), "a picture that was never captured")
	return &d.kept[n]
}

// psnr compares two I420 pictures, all planes together, in dB.
func psnr(a, b *media.VideoFrame) float64 {
	var sum, count float64
	for p := range 3 {
		w, h := a.Width, a.Height
		if p > 0 {
			w, h = (w+1)/2, (h+1)/2
		}
		for y := range h {
			rowA, rowB := a.Planes[p][y*a.Strides[p]:][:w], b.Planes[p][y*b.Strides[p]:][:w]
			for x := range rowA {
				d := float64(rowA[x]) - float64(rowB[x])
				sum += d * d
			}
		}
		count += float64(w * h)
	}
	return 10 * math.Log10(255*255*count/max(sum, 1e-9))
}

// The comparison is worth something only if it can fail.
func TestPictureIsKnownAgain(t *testing.T) {
	var f, other media.VideoFrame
	require.NoError(t, f.Reset(media.I420, 640, 360))
	for _, n := range []int{0, 1, 1234, 1<<digits - 1} {
		stamp(&f, n)
		require.Equal(t, n, number(&f))
	}
	require.NoError(t, other.CopyFrom(&f))
	require.Greater(t, psnr(&f, &other), 100.0)
	for y := range 360 {
		for x := range 640 {
			other.Planes[0][y*other.Strides[0]+x] ^= 16
		}
	}
	require.InDelta(t, 10*math.Log10(255*255/(256*2.0/3)), psnr(&f, &other), 0.01)
}

// through sends a camera's pictures at 1 Mbit/s through the server and compares
// at least so many with what the camera gave.
func through(t *testing.T, cam *v4l2.Camera, c media.Codec, pictures int) {
	t.Helper()
	granted := cam.Config()
	enc, err := all.NewVideoEncoder(c, codec.VideoOptions{
		Width: granted.Width, Height: granted.Height, FrameRate: granted.FrameRate, Bitrate: 1_000_000,
	})
	require.NoError(t, err)
	d := &diary{VideoReader: cam}
	track, err := parley.NewLocalVideoTrack(media.NewVideoSource(d, enc, nil), nil)
	require.NoError(t, err)
	t.Cleanup(track.Stop)
	dec, err := all.NewVideoDecoder(c)
	require.NoError(t, err)
	defer func() { require.NoError(t, dec.Close()) }()

	call := newCall(t, track)
	samples := receive(t, call.subscribed(t, call.alice.LocalParticipant().VideoTracks()[0]), pictures)
	var (
		f, previous media.VideoFrame
		bytes       int
		lowest, sum = math.Inf(1), 0.0
		standing    int
		before      = -1
	)
	for i, s := range samples {
		require.Equal(t, c, s.Codec)
		ok, err := dec.Decode(s, &f)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, []int{granted.Width, granted.Height}, []int{f.Width, f.Height})
		n := number(&f)
		require.Greater(t, n, before, "pictures in another order")
		before = n
		original := d.page(t, n)
		db := psnr(original, &f)
		require.Greater(t, db, 25.0, "picture %d", n)
		lowest, sum = min(lowest, db), sum+db
		if i > 0 {
			bytes += len(s.Data) // the first is a key frame
			stamp(&previous, n)
			if psnr(&previous, original) > 50 {
				standing++
			}
		}
		require.NoError(t, previous.CopyFrom(original))
	}
	took, shown := samples[len(samples)-1].Timestamp-samples[0].Timestamp, len(samples)
	rate := float64(8*bytes) / took.Seconds()
	t.Logf("%s of %v: %d pictures in %v, %.0f kbit/s, PSNR %.1f dB, the lowest %.1f dB",
		c, granted, shown, took, rate/1000, sum/float64(shown), lowest)
	require.GreaterOrEqual(t, sum/float64(shown), 30.0)
	require.Less(t, rate, 1.3e6, "that would be no comparison at 1 Mbit/s")
	require.Zero(t, standing, "the picture has to move")
}

func openCamera(t *testing.T, name string, o v4l2.Options) *v4l2.Camera {
	t.Helper()
	cam, err := v4l2.Open(within(t), name, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cam.Close()) })
	return cam
}

// move makes a camera show colored squares that move.
func move(t *testing.T, path string) {
	t.Helper()
	set(t, path, "test_pattern", "4", "0")
	set(t, path, "horizontal_movement", "5", "3")
	set(t, path, "vertical_movement", "4", "3")
}

func TestMovingPicture(t *testing.T) {
	for name, c := range map[string]struct {
		path   string
		format v4l2.Format
		codec  media.Codec
		least  int
	}{
		"VP8":                          {"/dev/video0", "YUYV", media.VP8, 40},
		"H.264":                        {"/dev/video1", "NV12", media.H264, 40},
		"VP8 of a multi-planar camera": {"/dev/video2", "", media.VP8, 30},
	} {
		t.Run(name, func(t *testing.T) {
			move(t, c.path)
			cam := openCamera(t, c.path, v4l2.Options{Width: 640, Height: 360, FrameRate: 30, Format: c.format})
			through(t, cam, c.codec, c.least)
		})
	}
}

func TestMJPEGCamera(t *testing.T) {
	film(t, "/dev/video20", "testsrc2=size=640x360:rate=15", "-c:v", "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj422p")
	cam := openCamera(t, "/dev/video20", v4l2.Options{})
	require.Equal(t, v4l2.Format("MJPG"), cam.Config().Format)
	through(t, cam, media.VP8, 30)
}

// A camera that loses every other picture is slower, and that is all.
func TestDroppedBuffers(t *testing.T) {
	set(t, "/dev/video0", "percentage_of_dropped_buffers", "50", "0")
	move(t, "/dev/video0")
	cam := openCamera(t, "/dev/video0", v4l2.Options{Width: 640, Height: 360, FrameRate: 30})
	through(t, cam, media.VP8, 30)
	require.NotZero(t, cam.Stats().Lost)
}
