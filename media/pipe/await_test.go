package pipe_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/pipe"
)

// A program that has nothing at first is waited for, and the log says so.
func TestAwaitStartsAgainUntilMediaComes(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	header := saved(t, "header.ivf", ivfOf("VP80"))
	var log journal
	p, err := command(t, "turns", pipe.Options{Await: true, Backoff: time.Millisecond, Logger: log.logger()},
		state, "/nowhere", saved(t, "none", nil), header, saved(t, "garbage", []byte("no media, but many words")), clip(t, media.VP8))
	require.NoError(t, err)
	requireSame(t, testclips.Samples(media.VP8), collect(t, p.Video()))
	require.Equal(t, 4, p.Stats().Restarts)
	require.Equal(t, 4, strings.Count(log.String(), "no media yet"))
	<-p.Done()
	require.NoError(t, p.Err(), "it is not started again after that")
}

// One that hangs without media is ended and started again.
func TestAwaitEndsAProgramThatHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var log journal
	args, opts := self(t, "hang", pipe.Options{
		Await: true, Backoff: time.Millisecond, StartTimeout: 50 * time.Millisecond, Grace: time.Second, Logger: log.logger(),
	})
	failed := make(chan error, 1)
	go func() {
		_, err := pipe.Command(ctx, append(args, saved(t, "header.ivf", ivfOf("VP80"))), opts)
		failed <- err
	}()
	require.Eventually(t, func() bool { return strings.Count(log.String(), "no media yet") >= 3 }, 30*time.Second, 5*time.Millisecond)
	require.Contains(t, log.String(), pipe.ErrStalled.Error())
	cancel()
	err := <-failed
	require.ErrorIs(t, err, context.Canceled, "the context ends the waiting")
	require.ErrorIs(t, err, pipe.ErrStalled, "and the last reason is told")
	require.Empty(t, children(t))
}

// The pauses grow, up to their bound.
func TestAwaitPausesLonger(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	state := filepath.Join(t.TempDir(), "state")
	var log journal
	args, opts := self(t, "turns", pipe.Options{
		Await: true, Backoff: 2 * time.Millisecond, MaxBackoff: 8 * time.Millisecond, Logger: log.logger(),
	})
	failed := make(chan error, 1)
	go func() {
		_, err := pipe.Command(ctx, append(args, state), opts)
		failed <- err
	}()
	require.Eventually(t, func() bool { return strings.Count(log.String(), "no media yet") >= 6 }, 30*time.Second, 5*time.Millisecond)
	cancel()
	require.Error(t, <-failed)
	var pauses []time.Duration
	for line := range strings.Lines(log.String()) {
		if _, after, ok := strings.Cut(line, " in="); ok {
			d, err := time.ParseDuration(strings.TrimSpace(after))
			require.NoError(t, err, line)
			pauses = append(pauses, d)
		}
	}
	require.LessOrEqual(t, pauses[0], 2*time.Millisecond)
	for _, d := range pauses[2:] {
		require.GreaterOrEqual(t, d, 4*time.Millisecond)
		require.LessOrEqual(t, d, 8*time.Millisecond)
	}
}

// What starting again cannot mend is an error at once.
func TestAwaitGivesUpWhereItIsHopeless(t *testing.T) {
	_, err := pipe.Command(t.Context(), []string{"no-such-program-anywhere"}, &pipe.Options{Await: true})
	require.ErrorIs(t, err, pipe.ErrNotFound)
	_, err = command(t, "cat", pipe.Options{Await: true, Codec: media.VP9}, clip(t, media.VP8))
	require.ErrorIs(t, err, pipe.ErrCodec)
	_, err = command(t, "cat", pipe.Options{Await: true}, saved(t, "cinepak.ivf", ivfOf("CVID", []byte("picture"))))
	require.ErrorIs(t, err, pipe.ErrUnsupported)

	// Not so a program that was killed in the middle of a header.
	state := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.WriteFile(state, nil, 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	args, opts := self(t, "fail", pipe.Options{Await: true, Backoff: time.Millisecond})
	_, err = pipe.Command(ctx, append(args, "3", saved(t, "cut", []byte("DKIF\x00\x00\x20"))), opts)
	require.True(t, errors.Is(err, context.DeadlineExceeded), "%v", err)
}
