package pipe_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media/pipe"
)

func TestRTSPRunsWhatTheDocumentSays(t *testing.T) {
	args, o, err := pipe.RTSPCommand("rtsp://user:password@camera/stream1", nil)
	require.NoError(t, err)
	var command string
	for _, r := range recipes(t) {
		if r.name == "rtsp" {
			command = r.command
		}
	}
	require.Equal(t, command, strings.Join(args, " "))
	require.Equal(t, -1, o.Restarts)
	require.Equal(t, 20*time.Second, o.StallTimeout)
}

func TestRTSPOptions(t *testing.T) {
	args, o, err := pipe.RTSPCommand("rtsps://camera:322/a?b=c", &pipe.RTSPOptions{
		Audio: pipe.AudioOpus, UDP: true, Timeout: time.Second, FFmpeg: "/opt/ffmpeg", Args: []string{"-re"},
		Options: pipe.Options{Restarts: 3, StallTimeout: time.Minute},
	})
	require.NoError(t, err)
	line := strings.Join(args, " ")
	require.True(t, strings.HasPrefix(line, "/opt/ffmpeg "))
	require.Contains(t, line, "-rtsp_transport udp -timeout 1000000 ")
	require.Contains(t, line, " -re -i rtsps://camera:322/a?b=c ")
	require.Contains(t, line, " -c:v copy -c:a libopus ")
	require.Equal(t, 3, o.Restarts)
	require.Equal(t, time.Minute, o.StallTimeout)

	args, _, err = pipe.RTSPCommand("rtsp://camera/", &pipe.RTSPOptions{Audio: pipe.AudioNone})
	require.NoError(t, err)
	require.NotContains(t, strings.Join(args, " "), "0:a")

	for _, address := range []string{"", "http://camera/", "rtsp://", "camera", "rtsp://u:sec%zz@camera/"} {
		_, err := pipe.RTSP(t.Context(), address, nil)
		require.ErrorIs(t, err, pipe.ErrOption, address)
		require.NotContains(t, err.Error(), "sec")
	}
	_, err = pipe.RTSP(t.Context(), "rtsp://camera/", &pipe.RTSPOptions{Audio: "aac"})
	require.ErrorIs(t, err, pipe.ErrOption)
	_, err = pipe.RTSP(t.Context(), "rtsp://camera/", &pipe.RTSPOptions{Timeout: -1})
	require.ErrorIs(t, err, pipe.ErrOption)
}

// What cameras have for passwords is in no log and no error, however ffmpeg
// writes the address.
func TestRTSPSecretsAreNotShown(t *testing.T) {
	for _, address := range []string{
		"rtsp://admin:hunter2%21@camera/1",
		"rtsp://camera/user=admin_password=hunter2!_channel=1.sdp",
		"rtsp://camera/live?user=admin&pwd=hunter2!",
		"rtsp://admin:hun/ter2@camera/1",
	} {
		_, o, err := pipe.RTSPCommand(address, nil)
		if err != nil { // no address, but shown neither
			require.NotContains(t, err.Error(), "ter2", address)
			continue
		}
		for _, line := range []string{
			address + ": Connection refused",
			strings.ReplaceAll(address, "%21", "!") + ": 401 Unauthorized",
			"[rtsp @ 0x55] method DESCRIBE failed for " + address,
			"opening '" + strings.TrimPrefix(address, "rtsp://camera") + "'",
		} {
			require.NotContains(t, pipe.Redact(line, o.Secrets()), "hunter2", address)
		}
	}
	require.Equal(t, "from http://***@host/x and rtmp://host/y",
		pipe.Redact("from http://a:b@host/x and rtmp://host/y", nil))
}
