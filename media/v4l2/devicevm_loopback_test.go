//go:build devicevm && linux

package v4l2_test

import (
	"bytes"
	"context"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/v4l2"
)

// These tests use v4l2loopback's /dev/video20, which ffmpeg makes into a camera
// that encodes.

const loopback = "/dev/video20"

// feed makes the loopback a camera that shows a moving test picture.
func feed(t *testing.T, encoder ...string) (stop func()) {
	t.Helper()
	// The driver never gets over a writer that used write.
	run(t, "modprobe", "-r", "v4l2loopback")
	run(t, "modprobe", "v4l2loopback")
	args := append([]string{"-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10"}, encoder...)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "ffmpeg", append(args, "-f", "v4l2", loopback)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	ended := false
	stop = func() {
		if !ended {
			ended = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it was killed
			if t.Failed() {
				text := stderr.String()
				t.Log(text[:min(len(text), 2000)])
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

// openFed opens the loopback once ffmpeg feeds it.
func openFed(t *testing.T, o v4l2.Options) *v4l2.Camera {
	t.Helper()
	var c *v4l2.Camera
	var err error
	ready := func() bool {
		c, err = v4l2.Open(t.Context(), loopback, o)
		return err == nil
	}
	if !assertEventually(ready) {
		require.NoError(t, err)
	}
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func assertEventually(ready func() bool) bool {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); <-ticker.C {
		if ready() {
			return true
		}
	}
	return false
}

func TestJPEGCamera(t *testing.T) {
	feed(t, "-c:v", "mjpeg", "-q:v", "5", "-pix_fmt", "yuvj420p")
	c := openFed(t, v4l2.Options{Format: v4l2.Format(media.MJPEG)})
	require.Equal(t, []any{v4l2.Format("MJPG"), 320, 240}, []any{c.Config().Format, c.Config().Width, c.Config().Height})
	var f media.VideoFrame
	var before []byte
	for range 5 {
		read(t, c, &f)
		require.Equal(t, []any{media.MJPEG, 320, 240, 0}, []any{f.Format, f.Width, f.Height, f.Strides[0]})
		picture, err := jpeg.Decode(bytes.NewReader(f.Planes[0]))
		require.NoError(t, err)
		require.Equal(t, 320, picture.Bounds().Dx())
		require.Equal(t, 240, picture.Bounds().Dy())
		require.NotEqual(t, before, f.Planes[0], "the picture stands still")
		before = bytes.Clone(f.Planes[0])
		require.Less(t, time.Since(f.Captured), 5*time.Second)
	}
	_, err := c.Source().Next(t.Context())
	require.ErrorIs(t, err, v4l2.ErrUnsatisfiable)
}

var h264 = []string{"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "10", "-bf", "0", "-pix_fmt", "yuv420p"}

func TestH264Camera(t *testing.T) {
	feed(t, h264...)
	c := openFed(t, v4l2.Options{Format: "H264"})
	s := c.Source()
	require.Equal(t, media.H264, s.Codec())
	var stream []byte
	var last time.Duration
	keys := 0
	const count = 40
	for i := range count {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		sample, err := s.Next(ctx)
		cancel()
		require.NoError(t, err)
		require.Greater(t, sample.Timestamp, last)
		last = sample.Timestamp
		require.Less(t, time.Since(sample.Captured), 5*time.Second)
		require.Equal(t, media.IsKeyframe(media.H264, sample.Data), sample.Keyframe)
		require.True(t, sample.Keyframe || i > 0, "begins with a key frame")
		if sample.Keyframe {
			keys++
			require.Equal(t, []int{320, 240}, []int{sample.Width, sample.Height})
			var types []int
			for nal := range bitstream.NALs(sample.Data) {
				types = append(types, bitstream.H264Type(nal))
			}
			require.Subset(t, types, []int{bitstream.H264SPS, bitstream.H264PPS, bitstream.H264IDR})
		}
		stream = append(stream, sample.Data...)
	}
	require.GreaterOrEqual(t, keys, count/10)
	require.Less(t, keys, count/2)
	require.Equal(t, count, decoded(t, stream), "%+v", c.Stats())
}

// decoded returns how many pictures ffmpeg decodes without complaint.
func decoded(t *testing.T, stream []byte) int {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stream.h264")
	require.NoError(t, os.WriteFile(path, stream, 0o600))
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", path, "-f", "framecrc", "-")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, "%s", &complaints)
	require.Empty(t, complaints.String())
	n := 0
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") {
			n++
		}
	}
	return n
}

func TestH264CameraWithHeadersOnce(t *testing.T) {
	feed(t, append(h264, "-bsf:v", "h264_metadata=aud=insert,filter_units=remove_types=7-8")...)
	c := openFed(t, v4l2.Options{Format: "H264"})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	sample, err := c.Source().Next(ctx)
	require.NoError(t, err)
	require.True(t, sample.Keyframe, "a camera whose headers were missed is not held back")
	require.Zero(t, sample.Width)
}

func TestCameraThatStopsIsStalled(t *testing.T) {
	stop := feed(t, h264...)
	c := openFed(t, v4l2.Options{Format: "H264", StallTimeout: 2 * time.Second})
	s := c.Source()
	_, err := s.Next(t.Context())
	require.NoError(t, err)
	stop()
	for err == nil {
		_, err = s.Next(t.Context())
	}
	require.ErrorIs(t, err, v4l2.ErrStalled)
	require.EqualValues(t, 1, c.Stats().Stalls)
}
