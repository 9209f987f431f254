//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/demo"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/file"
)

// What the demo says that it received is in its recording, and can be decoded.
func TestDemoRecordsWhatItReceived(t *testing.T) {
	for _, c := range []struct{ video, audio media.Codec }{
		{media.VP8, media.Opus},
		{media.VP9, media.Opus},
		{media.AV1, media.Opus},
		{media.H264, media.Opus},
		{media.H265, media.PCMU},
	} {
		t.Run(string(c.video)+" "+string(c.audio), func(t *testing.T) {
			open := func(codec media.Codec) media.Source {
				_, data := testclips.File(codec)
				src, err := file.NewReader(bytes.NewReader(data), &file.Options{Loop: true})
				require.NoError(t, err)
				return src
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			sum, err := demo.Run(ctx, demo.Config{
				Listen: "127.0.0.1:0", Dir: t.TempDir(), Video: open(c.video), Audio: open(c.audio),
			})
			require.NoError(t, err)
			require.Zero(t, sum.FramesLost)
			require.Equal(t, sum.MessagesSent, sum.MessagesReceived)
			p := probe(t, sum.Recording)
			require.Len(t, p.Streams, 2)
			for _, s := range p.Streams {
				want := map[string]int64{ffprobeNames[c.video]: sum.FramesReceived, ffprobeNames[c.audio]: sum.AudioFramesReceived}
				require.Equal(t, strconv.FormatInt(want[s.Codec], 10), s.Packets, s.Codec)
			}
		})
	}
}
