//go:build e2e

package pipe_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/pipe"
	"github.com/parley-rtc/parley/roomtest"
)

// camera is a network camera: VLC, which serves a clip over and over by RTSP.
type camera struct {
	clip   string
	port   int
	slices [][]byte // of the clip, each a picture
	cmd    *exec.Cmd
}

func newCamera(t *testing.T) *camera {
	t.Helper()
	dir, err := os.MkdirTemp("", "camera") //nolint:usetesting // Others must be able to read it.
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	c := &camera{clip: filepath.Join(dir, "clip.mkv")}
	run := func(args string) {
		out, err := exec.CommandContext(t.Context(), "ffmpeg", strings.Fields(args)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	run("-v error -f lavfi -i testsrc2=size=320x240:rate=25:duration=20,format=yuv420p -f lavfi -i sine=frequency=440:sample_rate=8000:duration=20 " +
		"-c:v libx264 -preset ultrafast -tune zerolatency -x264-params sliced-threads=0:keyint=25 -c:a pcm_mulaw " + c.clip)
	raw := filepath.Join(dir, "clip.h264")
	run("-v error -i " + c.clip + " -map 0:v -c copy -f h264 " + raw)
	data, err := os.ReadFile(raw)
	require.NoError(t, err)
	c.slices = slicesOf(data)
	require.Len(t, c.slices, 500)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c.port = l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	t.Cleanup(c.unplug)
	return c
}

func slicesOf(unit []byte) (out [][]byte) {
	for nal := range bitstream.NALs(unit) {
		if t := bitstream.H264Type(nal); t == 1 || t == bitstream.H264IDR {
			out = append(out, nal)
		}
	}
	return out
}

// plug starts VLC, which refuses to be root.
func (c *camera) plug(t *testing.T) {
	t.Helper()
	c.cmd = exec.Command("cvlc", "-I", "dummy", "--loop", c.clip, "--sout-keep",
		"--sout", fmt.Sprintf("#rtp{sdp=rtsp://127.0.0.1:%d/x}", c.port))
	c.cmd.Env = append(os.Environ(), "HOME="+os.TempDir())
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 {
		c.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	require.NoError(t, c.cmd.Start())
	require.Eventually(t, func() bool {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", c.port), time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, 30*time.Second, 50*time.Millisecond)
}

func (c *camera) unplug() {
	if c.cmd != nil && c.cmd.Process != nil {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
		_ = c.cmd.Wait()
		c.cmd = nil
	}
}

// requirePictures checks that pictures of the clip come, in order and byte by
// byte.
func (c *camera) requirePictures(t *testing.T, track *parley.RemoteVideoTrack, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	at := -1
	for s, err := range track.Samples(ctx) {
		require.NoError(t, err)
		got := slicesOf(s.Data)
		require.Len(t, got, 1, "a picture is a slice")
		if s.Lost > 0 {
			at = -1 // by UDP, between VLC and ffmpeg or later
		}
		if at < 0 {
			for i, want := range c.slices {
				if bytes.Equal(want, got[0]) {
					at = i
				}
			}
			require.GreaterOrEqual(t, at, 0, "not a picture of the clip")
		}
		require.Equal(t, c.slices[at], got[0], "picture %d", at)
		at = (at + 1) % len(c.slices)
		if n--; n == 0 {
			return
		}
	}
}

// A camera is published as it is, disappears, comes back, and its publication
// stays.
func TestRTSPCameraReachesTheRoomUnchanged(t *testing.T) {
	cam := newCamera(t)
	cam.plug(t)
	var log journal
	address := fmt.Sprintf("rtsp://admin:verysecret@127.0.0.1:%d/x", cam.port)
	var p *pipe.Pipe
	require.Eventually(t, func() bool { // VLC answers before it plays
		var err error
		p, err = pipe.RTSP(t.Context(), address, &pipe.RTSPOptions{
			Timeout: 3 * time.Second,
			Options: pipe.Options{Logger: log.logger(), MaxBackoff: 500 * time.Millisecond, MaxDelay: time.Minute},
		})
		if err != nil {
			require.NotContains(t, err.Error(), "verysecret")
		}
		return err == nil
	}, time.Minute, 100*time.Millisecond, "%v", &log)
	defer p.Close()
	require.Equal(t, media.H264, p.Video().Codec())
	require.Equal(t, media.PCMU, p.Audio().Codec())

	srv := roomtest.NewServer(t)
	video, err := parley.NewLocalVideoTrack(p.Video(), nil)
	require.NoError(t, err)
	audio, err := parley.NewLocalAudioTrack(p.Audio(), nil)
	require.NoError(t, err)
	robot, err := parley.Connect(srv.Token("robot", "yard"), &parley.ConnectOptions{
		URL: srv.URL(), Tracks: []parley.LocalTrack{video, audio},
	})
	require.NoError(t, err)
	defer robot.Disconnect()
	operator, err := parley.Connect(srv.Token("operator", "yard"), &parley.ConnectOptions{URL: srv.URL()})
	require.NoError(t, err)
	defer operator.Disconnect()
	var seen *parley.RemoteVideoTrack
	var heard *parley.RemoteAudioTrack
	for seen == nil || heard == nil {
		switch track := roomtest.Next[parley.TrackStarted](t, operator.Events()).Track.(type) {
		case *parley.RemoteVideoTrack:
			seen = track
		case *parley.RemoteAudioTrack:
			heard = track
		}
	}
	cam.requirePictures(t, seen, 60)
	for s, err := range heard.Samples(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, media.PCMU, s.Codec)
		break
	}

	sid := video.ID()
	cam.unplug()
	cam.plug(t)
	require.Eventually(t, func() bool { return p.Stats().Restarts > 0 }, time.Minute, 50*time.Millisecond, "%v", &log)
	cam.requirePictures(t, seen, 60)
	require.False(t, video.IsStopped())
	require.Equal(t, sid, video.ID())
	require.NotContains(t, log.String(), "verysecret")

	video.Stop()
	audio.Stop()
	<-p.Done()
	cam.unplug()
	require.Empty(t, children(t))
}
