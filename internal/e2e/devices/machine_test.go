//go:build devicevm

package devices_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// limit is for what takes a second on a fast machine. The virtual one shares
// its processors with whatever else its host does.
const limit = 90 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// run runs a program of the machine and returns what it says.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(within(t), name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

// set changes a control of a vivid camera until the test ends.
func set(t *testing.T, path, control, value, before string) {
	t.Helper()
	run(t, "v4l2-ctl", "-d", path, "-c", control+"="+value)
	t.Cleanup(func() {
		out, err := exec.Command("v4l2-ctl", "-d", path, "-c", control+"="+before).CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
}

// trigger presses a button of a vivid camera.
func trigger(t *testing.T, path, control string) {
	t.Helper()
	run(t, "v4l2-ctl", "-d", path, "-c", control+"=1")
}

// eventually waits for what the kernel does not announce.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, limit, 100*time.Millisecond, what)
}

// player is a program that plays a film or a tone for others to capture.
type player struct{ cmd *exec.Cmd }

// start starts a player, which ends with the test.
func start(t *testing.T, name string, args ...string) player {
	t.Helper()
	var said strings.Builder
	p := player{exec.Command(name, args...)}
	p.cmd.Stdout, p.cmd.Stderr = &said, &said
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it may have children
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		_ = p.cmd.Wait()
		if t.Failed() {
			t.Logf("%s %v: %s", name, args, said.String())
		}
	})
	return p
}

// film makes ffmpeg a camera at path, one of v4l2loopback, that shows what a
// source of lavfi gives. Further arguments are its encoding.
func film(t *testing.T, path, source string, encoding ...string) player {
	t.Helper()
	return filmTo(t, path, path, source, append(encoding, "-f", "v4l2")...)
}

// filmTo is film for outputs that the camera is only a part of.
func filmTo(t *testing.T, path, output, source string, encoding ...string) player {
	t.Helper()
	if !strings.Contains(run(t, "v4l2-ctl", "-d", path, "--info"), "Video Output") {
		// The driver never notices that a writer is gone.
		run(t, "modprobe", "-r", "v4l2loopback")
		run(t, "modprobe", "v4l2loopback")
		run(t, "v4l2-ctl", "-d", path, "--info")
	}
	args := append([]string{"-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", source}, encoding...)
	p := start(t, "ffmpeg", append(args, output)...)
	eventually(t, "a camera at "+path, func() bool {
		return strings.Contains(run(t, "v4l2-ctl", "-d", path, "--info"), "Video Capture")
	})
	return p
}

// pause and resume stop a player and let it go on.
func (p player) pause(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGSTOP))
}

func (p player) resume(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGCONT))
}

func plugCards(t *testing.T) {
	t.Helper()
	run(t, "modprobe", "snd-aloop")
	run(t, "modprobe", "snd-dummy")
	eventually(t, "cards", func() bool { return exists("/dev/snd/controlC1") })
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
