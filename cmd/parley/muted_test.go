//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// Where nothing comes from a source the exit status is not 0, although the room
// was fine.
func TestNothingSentIsAFailure(t *testing.T) {
	t.Parallel()
	srv := roomtest.NewServer(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	// Only a header: the file is of a known format and says nothing more.
	_, clip := testclips.File(media.VP8)
	go func() {
		if f, err := os.OpenFile(fifo, os.O_WRONLY, 0); err == nil {
			_, _ = f.Write(clip[:32])
			<-t.Context().Done()
			_ = f.Close()
		}
	}()
	p := parleyStart(t, lab(srv, "robot"), "publish", "--json", "--file", fifo, "--name", "mute", "--file", "test")
	p.until("mute: nothing comes from the source")
	require.Contains(t, p.until("[mute VP8 0 fps "), " muted]")
	require.Equal(t, exitFailed, p.stop(syscall.SIGINT))
	require.Contains(t, p.stderr.String(), "--file "+fifo+": nothing was sent\n")
	r := report[publishReport](t, p.stdout.String())
	require.Contains(t, r.Error, "nothing was sent")
	require.Positive(t, r.Tracks[1].FramesSent)
}
