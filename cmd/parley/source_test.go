package main

import (
	"testing"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// sources reads the flags about sources as the command does.
func sources(t *testing.T, args ...string) ([]*spec, error) {
	t.Helper()
	var s sourceFlags
	cmd := &cobra.Command{Use: "publish", SilenceErrors: true, SilenceUsage: true, RunE: func(*cobra.Command, []string) error { return nil }}
	s.register(cmd)
	cmd.SetArgs(args)
	if err := cmd.Execute(); err != nil {
		return nil, err
	}
	all, err := s.specs()
	for _, one := range all {
		if err == nil {
			err = one.check()
		}
	}
	return all, err
}

// bare leaves out what a table need not say.
func bare(s *spec) spec {
	c := *s
	c.given = nil
	return c
}

func TestSettingsFindTheirSources(t *testing.T) {
	for what, c := range map[string]struct {
		args []string
		want []spec
	}{
		"the headline": {
			[]string{"--camera", "front", "--mic", "default"},
			[]spec{{kind: "camera", value: "front", name: "front"}, {kind: "mic", value: "default", name: "mic"}},
		},
		"given once, for all that know it": {
			[]string{"--mic", "default", "--camera", "front", "--screen", "--size", "1280x720", "--fps", "29.97", "--bitrate", "1.5M", "--codec", "h264"},
			[]spec{
				{kind: "mic", value: "default", name: "mic"},
				{kind: "camera", value: "front", name: "front", width: 1280, height: 720, fps: 29.97, bitrate: 1_500_000, codec: media.H264},
				{kind: "screen", value: "default", name: "screen", width: 1280, height: 720, fps: 29.97, bitrate: 1_500_000, codec: media.H264},
			},
		},
		"given once in front, for all as well": {
			[]string{"--bitrate", "800k", "--camera", "a", "--camera", "b"},
			[]spec{{kind: "camera", value: "a", name: "a", bitrate: 800_000}, {kind: "camera", value: "b", name: "b", bitrate: 800_000}},
		},
		"given several times, each for its own": {
			[]string{"--camera", "a", "--size", "1280x720", "--camera", "b", "--size", "320x240", "--camera", "c"},
			[]spec{
				{kind: "camera", value: "a", name: "a", width: 1280, height: 720},
				{kind: "camera", value: "b", name: "b", width: 320, height: 240},
				{kind: "camera", value: "c", name: "c"},
			},
		},
		"and in front for the others": {
			[]string{"--fps", "15", "--camera", "a", "--camera", "b", "--fps", "30"},
			[]spec{{kind: "camera", value: "a", name: "a", fps: 15}, {kind: "camera", value: "b", name: "b", fps: 30}},
		},
		"a name and a priority are for one source": {
			[]string{"--camera", "/dev/video0", "--name", "front", "--camera", "/dev/video2", "--priority", "low"},
			[]spec{
				{kind: "camera", value: "/dev/video0", name: "front"},
				{kind: "camera", value: "/dev/video2", name: "camera", priority: parley.PriorityLow},
			},
		},
		"names are numbered where they would be the same": {
			[]string{"--file", "a.ivf", "--file", "b.ivf", "--name", "file-2", "--file", "c.ivf", "--camera", "default"},
			[]spec{
				{kind: "file", value: "a.ivf", name: "file"},
				{kind: "file", value: "b.ivf", name: "file-2"},
				{kind: "file", value: "c.ivf", name: "file-3"},
				{kind: "camera", value: "default", name: "camera"},
			},
		},
		"each program has its format": {
			[]string{"--exec", "encoder --device 1, raw", "--format", "H264", "--exec", "player", "--format", "ogg"},
			[]spec{
				{kind: "exec", value: "encoder --device 1, raw", name: "exec", format: "h264"},
				{kind: "exec", value: "player", name: "exec-2", format: "ogg"},
			},
		},
		"a display, and sound": {
			[]string{"--screen=:1", "--codec", "vp8", "--rtp", "127.0.0.1:5004", "--codec", "opus", "--mic", "hw:1,0", "--audio-bitrate", "32000"},
			[]spec{
				{kind: "screen", value: ":1", name: "screen", codec: media.VP8},
				{kind: "rtp", value: "127.0.0.1:5004", name: "rtp", codec: media.Opus},
				{kind: "mic", value: "hw:1,0", name: "mic", bitrate: 32000},
			},
		},
	} {
		t.Run(what, func(t *testing.T) {
			got, err := sources(t, c.args...)
			require.NoError(t, err)
			require.Len(t, got, len(c.want))
			for i, s := range got {
				require.Equal(t, c.want[i], bare(s))
			}
		})
	}
}

func TestPasswordsOfCamerasAreNotShown(t *testing.T) {
	got, err := sources(t, "--rtsp", "rtsp://admin:hunter2@10.0.0.7/live")
	require.NoError(t, err)
	require.Equal(t, "--rtsp rtsp://admin:xxxxx@10.0.0.7/live", got[0].String())
	_, err = sources(t, "--rtsp", "http://admin:hunter2@10.0.0.7/live")
	require.ErrorContains(t, err, "rtsp://camera.example/stream")
	require.NotContains(t, err.Error(), "hunter2")
	_, err = sources(t, "--rtsp", "rtsp://admin:hunter2@10.0.0.7:x/live", "--size", "640x480")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")
}
