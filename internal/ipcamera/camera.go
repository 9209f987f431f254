//go:build e2e

package ipcamera

import (
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

	"github.com/parley-rtc/parley/media/bitstream"
)

// Password is part of Address, and must be shown nowhere.
const Password = "verysecret"

// Camera is a network camera: VLC, which serves a clip over and over by RTSP.
type Camera struct {
	// Slices are those of the clip, each a picture.
	Slices [][]byte

	clip string
	port int
	cmd  *exec.Cmd
}

// New makes a camera that is off: 25 pictures a second of 320x240 in H.264, with
// a key frame each second, and a tone in PCMU.
func New(t testing.TB) *Camera {
	t.Helper()
	dir, err := os.MkdirTemp("", "camera") //nolint:usetesting // Others must be able to read it.
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // what is left is in a place for that
	must(t, os.Chmod(dir, 0o755))               //nolint:gosec // VLC is somebody else.
	c := &Camera{clip: filepath.Join(dir, "clip.mkv")}
	run := func(args string) {
		if out, err := exec.CommandContext(t.Context(), "ffmpeg", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ffmpeg %s: %v: %s", args, err, out)
		}
	}
	run("-v error -f lavfi -i testsrc2=size=320x240:rate=25:duration=20,format=yuv420p -f lavfi -i sine=frequency=440:sample_rate=8000:duration=20 " +
		"-c:v libx264 -preset ultrafast -tune zerolatency -x264-params sliced-threads=0:keyint=25 -c:a pcm_mulaw " + c.clip)
	raw := filepath.Join(dir, "clip.h264")
	run("-v error -i " + c.clip + " -map 0:v -c copy -f h264 " + raw)
	data, err := os.ReadFile(raw)
	must(t, err)
	if c.Slices = SlicesOf(data); len(c.Slices) != 500 {
		t.Fatalf("the clip has %d pictures", len(c.Slices))
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	c.port = l.Addr().(*net.TCPAddr).Port
	must(t, l.Close())
	t.Cleanup(c.Unplug)
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// SlicesOf returns the slices of an access unit.
func SlicesOf(unit []byte) (out [][]byte) {
	for nal := range bitstream.NALs(unit) {
		if t := bitstream.H264Type(nal); t == 1 || t == bitstream.H264IDR {
			out = append(out, nal)
		}
	}
	return out
}

// Address is the camera's, with a name and a password.
func (c *Camera) Address() string {
	return fmt.Sprintf("rtsp://admin:%s@127.0.0.1:%d/x", Password, c.port)
}

// Plug starts VLC, which refuses to be root, and waits until it answers.
func (c *Camera) Plug(t testing.TB) {
	t.Helper()
	c.cmd = exec.Command("cvlc", "-I", "dummy", "--loop", c.clip, "--sout-keep", //nolint:noctx // It ends by Unplug.
		"--sout", fmt.Sprintf("#rtp{sdp=rtsp://127.0.0.1:%d/x}", c.port))
	c.cmd.Env = append(os.Environ(), "HOME="+os.TempDir())
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 {
		c.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	must(t, c.cmd.Start())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", c.port))
		if err == nil {
			_ = conn.Close() // it was only tried
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("VLC does not answer: %v", err)
		}
	}
}

// Unplug ends it at once. It is idempotent.
func (c *Camera) Unplug() {
	if c.cmd != nil && c.cmd.Process != nil {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
		_ = c.cmd.Wait()
		c.cmd = nil
	}
}
