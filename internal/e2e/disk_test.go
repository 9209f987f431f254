//go:build e2e

package e2e_test

import (
	"context"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/parley-rtc/parley/internal/demo"
)

// A disk that is full in the middle of a call ends the recording, which says so
// and keeps what it has. The call goes on.
func TestFullDiskLeavesTheCallAlone(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"), "it takes root")
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var failed atomic.Int32
	after := 0
	sum, err := demo.Run(ctx, demo.Config{
		Listen: "127.0.0.1:0", Dir: dir,
		RecordingFailed: func(error) { failed.Add(1) },
		Progress: func(p demo.Progress) {
			if failed.Load() > 0 && p.Packets > 0 {
				if after++; after == 3 { // seconds in which media arrived
					cancel()
				}
			}
		},
	})
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.EqualValues(t, 1, failed.Load(), "told once")
	require.Contains(t, sum.RecordingError, "no space left")
	require.Equal(t, 3, after)
	require.True(t, sum.Arrived())
	require.Zero(t, sum.FramesLost)
	require.Equal(t, sum.MessagesSent, sum.MessagesReceived)
	require.NotEmpty(t, sum.Recording)
	p := probe(t, sum.Recording)
	require.Len(t, p.Streams, 2, "what came before plays")
}
