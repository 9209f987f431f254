//go:build cgo && codecs && e2e

package all_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/codectest"
	"github.com/parley-rtc/parley/media/file"
)

// What our encoders make, another decoder shows: ffmpeg's own of VP8, VP9 and
// H.264, which is not the library that encoded.
func TestFFmpegShowsOurPictures(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		const width, height, count = 640, 360, 60
		path := filepath.Join(t.TempDir(), "clip.ivf")
		if m.codec == media.H264 {
			path = filepath.Join(t.TempDir(), "clip.h264")
		}
		w, err := file.Create(path, m.codec)
		require.NoError(t, err)
		enc, scene := m.newEncoder(t, codec.VideoOptions{Bitrate: 1_000_000}), codectest.NewScene(width, height)
		var in media.VideoFrame
		for n := range count {
			scene.Draw(&in, n)
			in.Timestamp = codectest.Time(n, 30)
			s, err := enc.Encode(&in, n == 30)
			require.NoError(t, err)
			require.NoError(t, w.WriteSample(s))
		}
		require.NoError(t, w.Close())

		cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-xerror", "-i", path,
			"-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-")
		var said bytes.Buffer
		cmd.Stderr = &said
		shown, err := cmd.Output()
		require.NoError(t, err, said.String())
		require.Empty(t, said.String())
		require.Len(t, shown, count*width*height*3/2)
		for n := range count {
			scene.Draw(&in, n)
			out := media.VideoFrame{Width: width, Height: height, Strides: [3]int{width}}
			out.Planes[0] = shown[n*width*height*3/2:][:width*height]
			require.Greater(t, codectest.PSNR(&in, &out), 30.0, "picture %d", n)
		}
		if m.codec == media.H264 {
			said, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-show_entries",
				"stream=profile,level,has_b_frames", "-of", "csv=p=0", path).Output()
			require.NoError(t, err)
			t.Logf("%s", said)
			require.Contains(t, string(said), "Constrained Baseline,0,")
		}
	})
}
