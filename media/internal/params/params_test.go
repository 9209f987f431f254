package params_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/internal/params"
)

func h264SPS(t testing.TB, data []byte) []byte {
	for nal := range bitstream.NALs(data) {
		if bitstream.H264Type(nal) == bitstream.H264SPS {
			return nal
		}
	}
	t.Fatal("no SPS")
	return nil
}

func h265SPS(t testing.TB, data []byte) []byte {
	for nal := range bitstream.NALs(data) {
		if bitstream.H265Type(nal) == bitstream.H265SPS {
			return nal
		}
	}
	t.Fatal("no SPS")
	return nil
}

func TestH264SPS(t *testing.T) {
	_, clip := testclips.File(media.H264)
	sps, err := params.ParseH264SPS(h264SPS(t, clip))
	require.NoError(t, err)
	require.Equal(t, byte(66), sps.Profile)
	require.False(t, sps.HasChroma())
	require.Equal(t, 25.0, sps.FrameRate)

	data, err := os.ReadFile(filepath.Join("..", "..", "file", "testdata", "interlaced.h264"))
	require.NoError(t, err)
	sps, err = params.ParseH264SPS(h264SPS(t, data))
	require.NoError(t, err)
	require.Equal(t, byte(100), sps.Profile)
	require.True(t, sps.HasChroma())
	require.Equal(t, []int{1, 8, 8}, []int{sps.Chroma, sps.LumaDepth, sps.ChromaDepth})
	require.InDelta(t, 29.97, sps.FrameRate, 0.001)
}

func TestH265SPS(t *testing.T) {
	_, clip := testclips.File(media.H265)
	sps, err := params.ParseH265SPS(h265SPS(t, clip))
	require.NoError(t, err)
	require.Equal(t, byte(1), sps.General[0]&0x1f, "Main")
	require.Equal(t, 1, sps.TemporalLayers)
	require.Equal(t, []int{1, 8, 8}, []int{sps.Chroma, sps.LumaDepth, sps.ChromaDepth})
	require.Equal(t, 25.0, sps.FrameRate)
}

func TestAV1Sequence(t *testing.T) {
	for o, err := range bitstream.OBUs(testclips.Samples(media.AV1)[0].Data) {
		require.NoError(t, err)
		if o.Type != bitstream.OBUSequenceHeader {
			continue
		}
		seq, err := params.ParseAV1Sequence(o.Payload)
		require.NoError(t, err)
		require.Zero(t, seq.Profile)
		require.False(t, seq.HighBitDepth || seq.TwelveBit || seq.Monochrome)
		require.True(t, seq.SubsamplingX && seq.SubsamplingY)
		return
	}
	t.Fatal("no sequence header")
}

func TestCutOffParametersAreErrors(t *testing.T) {
	_, clip := testclips.File(media.H264)
	h264 := h264SPS(t, clip)
	_, clip = testclips.File(media.H265)
	h265 := h265SPS(t, clip)
	for n := range 8 {
		_, err := params.ParseH264SPS(h264[:n])
		require.ErrorIs(t, err, params.ErrMalformed)
		_, err = params.ParseH265SPS(h265[:n])
		require.ErrorIs(t, err, params.ErrMalformed)
		_, err = params.ParseAV1Sequence(make([]byte, n/4))
		require.ErrorIs(t, err, params.ErrMalformed)
	}
}

func FuzzParams(f *testing.F) {
	for _, codec := range []media.Codec{media.H264, media.H265, media.AV1} {
		_, data := testclips.File(codec)
		f.Add(data[:2000])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var pictures params.H264Pictures
		for nal := range bitstream.NALs(data) {
			pictures.Parameters(nal)
			pictures.First(nal)
			if s, err := params.ParseH264SPS(nal); err == nil && (s.FrameRate < 0 || s.FrameRate > 300) {
				t.Fatalf("%v frames a second", s.FrameRate)
			}
			if s, err := params.ParseH265SPS(nal); err == nil && (s.TemporalLayers < 1 || s.TemporalLayers > 7) {
				t.Fatalf("%d layers", s.TemporalLayers)
			}
		}
		if s, err := params.ParseAV1Sequence(data); err == nil && s.Profile > 2 {
			t.Fatalf("profile %d", s.Profile)
		}
	})
}
