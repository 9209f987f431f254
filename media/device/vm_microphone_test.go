//go:build linux && devicevm

package device

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

// soon bounds what must not wait for ever.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

const dummy = "hw:CARD=Dummy,DEV=0"

// pull unplugs the card Dummy. The kernel lets go when nobody has it open.
func pull(t *testing.T) {
	cmd := exec.Command("sh", "-c", "echo snd_dummy.0 >/sys/bus/platform/drivers/snd_dummy/unbind")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { require.NoError(t, cmd.Wait()) })
}

func TestUnpluggedMicrophone(t *testing.T) {
	plug(t)
	m, err := OpenMicrophone(t.Context(), dummy, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	hear(t, m, 100*time.Millisecond)
	pull(t)
	f := &media.AudioFrame{}
	for err == nil {
		err = m.ReadAudio(soon(t), f)
	}
	require.ErrorIs(t, err, ErrUnplugged)
	require.ErrorContains(t, err, "Dummy")
	require.ErrorIs(t, m.ReadAudio(soon(t), f), ErrUnplugged, "and stays so")
	require.NoError(t, m.Close())
	require.ErrorIs(t, m.ReadAudio(soon(t), f), media.ErrClosed)
}

func TestMicrophoneComesBack(t *testing.T) {
	plug(t)
	m, err := OpenMicrophone(t.Context(), dummy, &MicrophoneOptions{Reopen: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	hear(t, m, 100*time.Millisecond)
	_, first, err := m.slot.get(t.Context())
	require.NoError(t, err)
	pull(t)
	back := make(chan error, 1)
	go func() {
		for {
			if _, err := os.Stat("/proc/asound/Dummy"); err != nil {
				break
			}
		}
		back <- os.WriteFile("/sys/bus/platform/drivers/snd_dummy/bind", []byte("snd_dummy.0"), 0)
	}()
	f := &media.AudioFrame{}
	ctx := soon(t)
	for last, after := time.Duration(0), 0; after < 100; { // a second of what is back
		require.NoError(t, m.ReadAudio(ctx, f))
		require.Greater(t, f.Timestamp, last)
		_, epoch, err := m.slot.get(ctx)
		require.NoError(t, err)
		if epoch != first {
			after++
		}
		if after == 1 {
			t.Log("gap of", f.Timestamp-last)
			require.Greater(t, f.Timestamp-last, f.Duration())
		}
		last = f.Timestamp
	}
	require.NoError(t, <-back)
	require.Equal(t, dummy, m.Device().ID)
}

func TestMicrophoneInUse(t *testing.T) {
	cmd := exec.Command("arecord", "-q", "-D", "hw:Dummy,0", "-f", "S16_LE", "-c", "2", "-r", "48000", "-t", "raw", "/dev/null")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	until(t, "arecord", func() bool {
		status, _ := os.ReadFile("/proc/asound/Dummy/pcm0c/sub0/status")
		return strings.Contains(string(status), "RUNNING")
	})
	_, err := OpenMicrophone(t.Context(), "Dummy", nil)
	require.ErrorIs(t, err, ErrBusy)
	require.ErrorContains(t, err, "Dummy")
	all, err := Devices(t.Context())
	require.NoError(t, err)
	d, err := find(all, media.Audio, dummy)
	require.NoError(t, err, "it is listed all the same")
	require.Empty(t, d.Audio)
}

// A card has one or more places to hear at; more programs are too many.
func TestTwoOpenTheSame(t *testing.T) {
	m, err := OpenMicrophone(t.Context(), dummy, nil)
	require.NoError(t, err)
	_, err = OpenMicrophone(t.Context(), dummy, nil)
	require.ErrorIs(t, err, ErrBusy)
	require.NoError(t, m.Close())
	m, err = OpenMicrophone(t.Context(), dummy, nil)
	require.NoError(t, err)
	require.NoError(t, m.Close())
}

func TestNullIsNoMicrophone(t *testing.T) {
	require.Contains(t, sh(t, "arecord -L"), "null")
	for _, name := range []string{"null", "nul"} {
		_, err := OpenMicrophone(t.Context(), name, nil)
		require.ErrorIs(t, err, ErrNotFound)
		require.ErrorContains(t, err, "there are")
		require.ErrorContains(t, err, "hw:CARD=Loopback,DEV=0")
	}
}

func TestNoMicrophone(t *testing.T) {
	plug(t)
	sh(t, "modprobe -r snd-aloop snd-dummy")
	for _, name := range []string{"", Default, "Loopback"} {
		_, err := OpenMicrophone(t.Context(), name, nil)
		require.ErrorIs(t, err, ErrNotFound)
		require.ErrorContains(t, err, "there is none")
	}
	all, err := Devices(t.Context())
	require.NoError(t, err)
	for _, d := range all {
		require.Equal(t, media.Video, d.Kind)
	}
}

func TestMicrophoneRestarts(t *testing.T) {
	tone(t, 48000, 2)
	m, err := OpenMicrophone(t.Context(), dummy, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	hear(t, m, 100*time.Millisecond)
	require.ErrorIs(t, m.Restart(t.Context(), "none", nil), ErrNotFound)
	require.Equal(t, dummy, m.Device().ID)
	hear(t, m, 100*time.Millisecond)
	require.NoError(t, m.Restart(t.Context(), "hw:Loopback,0", &MicrophoneOptions{Channels: 2}))
	require.Equal(t, AudioSettings{Rate: 48000, Channels: 2}, m.Settings())
	f := &media.AudioFrame{}
	for f.Channels != 2 {
		require.NoError(t, m.ReadAudio(soon(t), f))
	}
	samples, rate, channels := hear(t, m, 300*time.Millisecond)
	freq, level := pitch(samples, 1, channels, rate)
	require.InDelta(t, 440, freq, 3)
	require.InDelta(t, 0.5, level, 0.03)
}

func TestCloseOfAMicrophoneFromElsewhere(t *testing.T) {
	m, err := OpenMicrophone(t.Context(), "hw:Loopback,0", nil) // nothing plays: it is silent
	require.NoError(t, err)
	done := make(chan error)
	go func() {
		f := &media.AudioFrame{}
		var err error
		for err == nil {
			err = m.ReadAudio(context.Background(), f)
		}
		done <- err
	}()
	require.NoError(t, m.Close())
	require.ErrorIs(t, <-done, media.ErrClosed)
	require.NoError(t, m.Close())
}

// The user nobody is not a member of the group audio.
func TestNoPermission(t *testing.T) {
	if os.Getuid() != 0 {
		_, err := OpenMicrophone(t.Context(), "", nil)
		require.ErrorIs(t, err, ErrPermission)
		require.ErrorContains(t, err, "audio")
		_, err = OpenCamera(t.Context(), "", nil)
		require.ErrorIs(t, err, ErrPermission)
		_, err = Devices(t.Context())
		require.ErrorIs(t, err, ErrPermission)
		return
	}
	sh(t, "chmod 600 /dev/video* /dev/snd/*")
	program := filepath.Join(os.TempDir(), "permission.test")
	copyFile(t, os.Args[0], program)
	cmd := exec.Command(program, "-test.run=^TestNoPermission$", "-test.v")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestNoPermission")
}

func copyFile(t *testing.T, from, to string) {
	in, err := os.Open(from)
	require.NoError(t, err)
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
}
