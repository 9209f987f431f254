package file_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/file"
)

func collect(t *testing.T, data []byte, opts *file.Options) []media.Sample {
	t.Helper()
	var out []media.Sample
	for s, err := range file.Samples(bytes.NewReader(data), opts) {
		require.NoError(t, err)
		out = append(out, s)
	}
	return out
}

func TestAnnexBIsCutIntoPictures(t *testing.T) {
	const ntsc = float64(time.Second) * 1001 / 30000
	for _, c := range []struct {
		name  string
		codec media.Codec
		step  float64
		side  int
		first []int // types of the units of the first picture
	}{
		{"slices-aud.h264", media.H264, float64(time.Second) / 50, 64, []int{9, 7, 8, 6, 5, 5, 5, 5}},
		{"interlaced.h264", media.H264, ntsc, 64, []int{7, 8, 5, 5}},
		{"slices-aud.h265", media.H265, float64(time.Second) / 20, 128, []int{35, 32, 33, 34, 20, 20}},
	} {
		t.Run(c.name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", c.name))
			require.NoError(t, err)
			samples := collect(t, data, nil)
			require.Len(t, samples, 10)
			var nals [][]byte
			for i, s := range samples {
				require.Equal(t, c.codec, s.Codec)
				require.InDelta(t, float64(i)*c.step, float64(s.Timestamp), 2)
				require.InDelta(t, c.step, float64(s.Duration), 2)
				require.Equal(t, i%5 == 0, s.Keyframe, "picture %d", i)
				if s.Keyframe {
					require.Equal(t, [2]int{c.side, c.side}, [2]int{s.Width, s.Height})
				}
				nals = slices.AppendSeq(nals, bitstream.NALs(s.Data))
			}
			require.Equal(t, slices.Collect(bitstream.NALs(data)), nals, "nothing is lost or moved")
			var types []int
			for nal := range bitstream.NALs(samples[0].Data) {
				if c.codec == media.H264 {
					types = append(types, bitstream.H264Type(nal))
				} else {
					types = append(types, bitstream.H265Type(nal))
				}
			}
			require.Equal(t, c.first, types)
		})
	}
}

func TestKeyframesCarryParameterSets(t *testing.T) {
	for _, codec := range []media.Codec{media.H264, media.H265} {
		_, data := testclips.File(codec)
		var once []byte
		seen := map[string]bool{}
		for nal := range bitstream.NALs(data) {
			set := bitstream.H264Type(nal) == bitstream.H264SPS || bitstream.H264Type(nal) == bitstream.H264PPS
			if codec == media.H265 {
				set = bitstream.H265Type(nal) >= bitstream.H265VPS && bitstream.H265Type(nal) <= bitstream.H265PPS
			}
			if set && seen[string(nal)] {
				continue
			}
			seen[string(nal)] = set
			once = append(append(once, 0, 0, 1), nal...)
		}
		require.Less(t, len(once), len(data)-100)
		samples, want := collect(t, once, nil), testclips.Samples(codec)
		require.Len(t, samples, len(want))
		for i, s := range samples {
			if s.Keyframe {
				require.Equal(t, slices.Collect(bitstream.NALs(want[i].Data)), slices.Collect(bitstream.NALs(s.Data)), "picture %d", i)
			}
		}
	}
}

func TestFrameRateOption(t *testing.T) {
	_, data := testclips.File(media.H264)
	samples := collect(t, data, &file.Options{FrameRate: 10})
	require.Equal(t, 700*time.Millisecond, samples[7].Timestamp)
	require.Equal(t, 100*time.Millisecond, samples[7].Duration)
	for _, rate := range []float64{-1, 1e9} {
		_, err := file.NewReader(bytes.NewReader(data), &file.Options{FrameRate: rate})
		require.ErrorIs(t, err, file.ErrUnsupported)
	}
}

// TestAnnexBInSmallPieces reads byte by byte, so that start codes fall apart.
func TestAnnexBInSmallPieces(t *testing.T) {
	_, data := testclips.File(media.H264)
	i := 0
	for s, err := range file.Samples(oneByte{bytes.NewReader(data)}, nil) {
		require.NoError(t, err)
		require.Equal(t, testclips.Samples(media.H264)[i].Data, s.Data)
		if i++; i == 10 {
			return
		}
	}
}

type oneByte struct{ r *bytes.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }
