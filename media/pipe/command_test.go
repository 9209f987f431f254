package pipe_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/pipe"
)

func TestProgramsWriteEachFormat(t *testing.T) {
	for _, codec := range testclips.Codecs() {
		t.Run(string(codec), func(t *testing.T) {
			p, err := command(t, "cat", pipe.Options{}, clip(t, codec))
			require.NoError(t, err)
			require.Len(t, p.Sources(), 1)
			want := testclips.Samples(codec)
			got := collect(t, p.Sources()[0])
			requireSame(t, want, got)
			if codec != media.H264 && codec != media.H265 { // no times of their own
				requireTimes(t, want, got)
			}
			<-p.Done()
			require.NoError(t, p.Err())
		})
	}
}

func TestMatroskaOfEachCodec(t *testing.T) {
	for _, codec := range testclips.Codecs() {
		t.Run(string(codec), func(t *testing.T) {
			p, err := command(t, "cat", pipe.Options{}, matroska(t, codec))
			require.NoError(t, err)
			want := testclips.Samples(codec)
			got := collect(t, p.Sources()[0])
			requireSame(t, want, got)
			requireTimes(t, want, got)
		})
	}
}

func TestMatroskaWithTwoTracks(t *testing.T) {
	p, err := command(t, "cat", pipe.Options{}, matroska(t, media.H264, media.Opus))
	require.NoError(t, err)
	require.Len(t, p.Sources(), 2)
	video, audio := collect(t, p.Video()), collect(t, p.Audio())
	requireSame(t, testclips.Samples(media.H264), video)
	requireSame(t, testclips.Samples(media.Opus), audio)
	// They are in step by their capture times as they are by the container's.
	skew := video[0].Captured.Sub(audio[0].Captured) - (video[0].Timestamp - audio[0].Timestamp)
	require.Less(t, skew.Abs(), 100*time.Millisecond)
}
