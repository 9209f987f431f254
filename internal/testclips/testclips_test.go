package testclips_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
)

func TestClips(t *testing.T) {
	for _, codec := range testclips.Codecs() {
		t.Run(string(codec), func(t *testing.T) {
			step := 40 * time.Millisecond
			if codec.Kind() == media.Audio {
				step = 20 * time.Millisecond
			}
			samples := testclips.Samples(codec)
			require.GreaterOrEqual(t, len(samples), 75)
			for i, s := range samples {
				require.Equal(t, codec, s.Codec)
				require.Equal(t, time.Duration(i)*step, s.Timestamp)
				require.Equal(t, step, s.Duration)
				require.NotEmpty(t, s.Data)
				key := codec.Kind() == media.Audio || i%25 == 0
				require.Equal(t, key, s.Keyframe, "sample %d", i)
				require.Equal(t, key, media.IsKeyframe(codec, s.Data), "sample %d", i)
				if key && codec.Kind() == media.Video {
					require.Equal(t, [2]int{320, 240}, [2]int{s.Width, s.Height})
				}
			}
		})
	}
}

func TestOpenPlaysOnAndOn(t *testing.T) {
	for _, codec := range testclips.Codecs() {
		synctest.Test(t, func(t *testing.T) {
			src := testclips.Open(codec)
			defer src.Close()
			require.Equal(t, codec, src.Codec())
			start := time.Now()
			for range 2*len(testclips.Samples(codec)) + 1 {
				s, err := src.Next(t.Context())
				require.NoError(t, err)
				require.Equal(t, s.Timestamp, time.Since(start))
			}
			require.Greater(t, time.Since(start), 3*time.Second)
		})
	}
}
