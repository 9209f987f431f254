package synth_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/synth"
)

func TestVideoRunsInRealTimeAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := synth.Video()
		defer src.Close()
		require.Equal(t, media.VP8, src.Codec())
		start := time.Now()
		keys := 0
		for i := range 300 { // 12 s of a clip of 5 s
			s, err := src.Next(t.Context())
			require.NoError(t, err)
			require.Equal(t, time.Duration(i)*40*time.Millisecond, s.Timestamp)
			require.Equal(t, 40*time.Millisecond, s.Duration)
			require.Equal(t, s.Timestamp, time.Since(start))
			require.Equal(t, i%25 == 0, s.Keyframe, "frame %d", i)
			if s.Keyframe {
				keys++
				require.Equal(t, 320, s.Width)
				require.Equal(t, 240, s.Height)
			}
		}
		require.Equal(t, 12, keys)
	})
}

func TestVideoGivesKeyframeOnRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := synth.Video()
		defer src.Close()
		var last time.Duration
		for i := range 200 {
			if i%3 == 2 {
				src.(media.KeyframeRequester).RequestKeyframe()
			}
			s, err := src.Next(t.Context())
			require.NoError(t, err)
			if i > 0 {
				require.Equal(t, 40*time.Millisecond, s.Timestamp-last, "a jump must not show in the times")
			}
			last = s.Timestamp
			require.Equal(t, i == 0 || i%3 == 2, s.Keyframe, "frame %d", i)
		}
	})
}

func TestToneRunsInRealTimeAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := synth.Tone()
		defer src.Close()
		require.Equal(t, media.Opus, src.Codec())
		start := time.Now()
		for i := range 600 {
			s, err := src.Next(t.Context())
			require.NoError(t, err)
			require.Equal(t, time.Duration(i)*20*time.Millisecond, s.Timestamp)
			require.Equal(t, s.Timestamp, time.Since(start))
			require.True(t, s.Keyframe)
			require.NotEmpty(t, s.Data)
		}
	})
}
