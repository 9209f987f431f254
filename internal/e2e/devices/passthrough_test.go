//go:build devicevm

package devices_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/v4l2"
)

// What a camera encodes arrives as it is: no NAL unit is changed, added or
// moved, and none is missing but those that the camera itself was too slow for.
// It needs no codec, and no cgo.
func TestH264CameraPassesThrough(t *testing.T) {
	const path = "/dev/video20"
	file := filepath.Join(t.TempDir(), "camera.h264")
	filmTo(t, path, "[f=v4l2]"+path+"|[f=h264:flush_packets=1]"+file, "testsrc2=size=320x180:rate=10",
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-threads", "1", "-b:v", "400k", "-g", "10", "-pix_fmt", "yuv420p",
		"-map", "0:v", "-f", "tee")
	cam, err := v4l2.Open(within(t), path, v4l2.Options{Format: "H264", Buffers: 32})
	require.NoError(t, err)
	require.Equal(t, v4l2.Format("H264"), cam.Config().Format)
	track, err := parley.NewLocalVideoTrack(cam.Source(), nil)
	require.NoError(t, err)
	t.Cleanup(track.Stop)
	require.Equal(t, media.H264, track.Codec())

	call := newCall(t, track)
	samples := receive(t, call.subscribed(t, call.alice.LocalParticipant().VideoTracks()[0]), 50)
	stats := cam.Stats()
	var got [][]byte
	keyframes := 0
	for _, s := range samples {
		if s.Keyframe {
			require.Equal(t, []int{320, 180}, []int{s.Width, s.Height})
			keyframes++
		}
		got = append(got, units(s.Data)...)
	}
	t.Logf("%d pictures, %d key frames, %d units; %+v", len(samples), keyframes, len(got), stats)
	require.GreaterOrEqual(t, keyframes, 3)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	sent := units(data)
	var missing uint64
	begun := false
	for i, unit := range got {
		at := slices.IndexFunc(sent, func(s []byte) bool { return bytes.Equal(s, unit) })
		require.GreaterOrEqual(t, at, 0, "unit %d of type %d is not the camera's, or not in order", i, bitstream.H264Type(unit))
		for _, skipped := range sent[:at] {
			if begun && isSlice(skipped) {
				missing++
			}
		}
		begun = begun || isSlice(unit)
		sent = sent[at+1:]
	}
	require.LessOrEqual(t, missing, stats.Lost)
}

// isSlice is true for a unit that is a picture here: the encoder makes one of
// each.
func isSlice(unit []byte) bool {
	kind := bitstream.H264Type(unit)
	return kind == bitstream.H264Slice || kind == bitstream.H264IDR
}

// units returns the NAL units, without those that only mark a border or fill
// up, which RTP leaves out (RFC 6184, section 5.2).
func units(data []byte) (all [][]byte) {
	for unit := range bitstream.NALs(data) {
		if kind := bitstream.H264Type(unit); kind != bitstream.H264AUD && kind != 12 {
			all = append(all, bytes.Clone(unit))
		}
	}
	return all
}
