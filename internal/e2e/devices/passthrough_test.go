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

// What a camera encodes arrives as it is: no NAL unit is missing, added or
// changed. It needs no codec, and no cgo.
func TestH264CameraPassesThrough(t *testing.T) {
	const path = "/dev/video20"
	file := filepath.Join(t.TempDir(), "camera.h264")
	filmTo(t, path, "[f=v4l2]"+path+"|[f=h264:flush_packets=1]"+file, "testsrc2=size=320x180:rate=10",
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-b:v", "400k", "-g", "10", "-pix_fmt", "yuv420p",
		"-map", "0:v", "-f", "tee")
	cam, err := v4l2.Open(within(t), path, v4l2.Options{Format: "H264"})
	require.NoError(t, err)
	require.Equal(t, v4l2.Format("H264"), cam.Config().Format)
	track, err := parley.NewLocalVideoTrack(cam.Source(), nil)
	require.NoError(t, err)
	t.Cleanup(track.Stop)
	require.Equal(t, media.H264, track.Codec())

	call := newCall(t, track)
	var got [][]byte
	keyframes, pictures := 0, 0
	call.samples(t, call.alice.LocalParticipant().VideoTracks()[0], func(s media.Sample) bool {
		require.Zero(t, s.Lost)
		require.True(t, s.Keyframe || pictures > 0, "it begins with a key frame")
		if s.Keyframe {
			require.Equal(t, []int{320, 180}, []int{s.Width, s.Height})
			keyframes++
		}
		pictures++
		got = append(got, units(s.Data)...)
		return pictures >= 60
	})
	t.Logf("%d pictures, %d key frames, %d units; %+v", pictures, keyframes, len(got), cam.Stats())
	require.GreaterOrEqual(t, keyframes, 5)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	sent := units(data)
	// Keyframes differ from each other, so there is one place at most.
	at := slices.IndexFunc(sent, func(unit []byte) bool { return bytes.Equal(unit, got[picture(got)]) }) - picture(got)
	require.GreaterOrEqual(t, at, 0, "the camera never gave the first picture")
	require.GreaterOrEqual(t, len(sent), at+len(got))
	for i := range got {
		require.Equal(t, sent[at+i], got[i], "unit %d of type %d, in place of type %d",
			i, bitstream.H264Type(got[i]), bitstream.H264Type(sent[at+i]))
	}
}

// picture returns the index of the first slice.
func picture(units [][]byte) int {
	return slices.IndexFunc(units, func(unit []byte) bool {
		kind := bitstream.H264Type(unit)
		return kind == bitstream.H264Slice || kind == bitstream.H264IDR
	})
}

// units returns the NAL units, without those that only mark a border or fill
// up, which RTP leaves out (RFC 6184, section 5.2).
func units(data []byte) (all [][]byte) {
	for unit := range bitstream.NALs(data) {
		if kind := bitstream.H264Type(unit); kind != 9 && kind != 12 {
			all = append(all, bytes.Clone(unit))
		}
	}
	return all
}
