package file_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/file"
)

func TestWriterReadsBack(t *testing.T) {
	for _, codec := range testclips.Codecs() {
		t.Run(string(codec), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out")
			w, err := file.Create(path, codec)
			require.NoError(t, err)
			want := testclips.Samples(codec)
			if codec.Kind() == media.Video {
				require.NoError(t, w.WriteSample(want[1]), "before the first key frame")
			}
			for _, s := range want {
				s.Timestamp += 1000 * s.Duration
				require.NoError(t, w.WriteSample(s))
			}
			require.NoError(t, w.Close())
			require.NoError(t, w.Close())
			require.ErrorIs(t, w.WriteSample(want[0]), os.ErrClosed)
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, want, collect(t, data, nil))
		})
	}
}

func TestWriterRefuses(t *testing.T) {
	_, err := file.Create(filepath.Join(t.TempDir(), "x"), "G722")
	require.ErrorIs(t, err, file.ErrUnsupported)
	_, err = file.Create(filepath.Join(t.TempDir(), "none", "x"), media.VP8)
	require.ErrorIs(t, err, os.ErrNotExist)
	w, err := file.Create(filepath.Join(t.TempDir(), "x"), media.VP8)
	require.NoError(t, err)
	require.ErrorIs(t, w.WriteSample(testclips.Samples(media.Opus)[0]), file.ErrUnsupported)
	require.NoError(t, w.Close())
}
