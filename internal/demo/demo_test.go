package demo_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/demo"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(t *testing.T) demo.Config {
	return demo.Config{Listen: "127.0.0.1:0", Dir: t.TempDir()}
}

func TestRunCountsEverything(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cfg := config(t)
	var url string
	cfg.Started = func(watch string) { url = watch }
	var last demo.Progress
	lines := 0
	cfg.Progress = func(p demo.Progress) {
		last = p
		if lines++; lines > 1 && p.BitsPerS > 0 && p.RoundTrip > 0 {
			cancel()
		}
	}
	s, err := demo.Run(ctx, cfg)
	require.NoError(t, err)
	require.True(t, s.Arrived())
	require.Contains(t, url, "/watch/#token=")
	require.Equal(t, 2, last.Participants)
	require.Equal(t, 4, last.Tracks)
	require.Positive(t, last.RoundTrip)
	require.Zero(t, s.FramesLost)
	require.Zero(t, s.AudioFramesLost)
	require.Positive(t, s.PacketsReceived)
	require.Equal(t, s.MessagesSent, s.MessagesReceived)
	require.FileExists(t, s.Recording)
}

// broken gives samples until it is told to fail.
type broken struct {
	media.Source
	fail chan struct{}
}

var errBroken = errors.New("disk on fire")

func (b *broken) Next(ctx context.Context) (media.Sample, error) {
	select {
	case <-b.fail:
		return media.Sample{}, errBroken
	default:
		return b.Source.Next(ctx)
	}
}

func TestSourceThatBreaksEndsTheDemo(t *testing.T) {
	cfg := config(t)
	fail := make(chan struct{})
	cfg.Video = &broken{Source: synth.Video(), fail: fail}
	var once sync.Once
	cfg.Progress = func(p demo.Progress) {
		if p.Packets > 0 {
			once.Do(func() { close(fail) })
		}
	}
	s, err := demo.Run(t.Context(), cfg)
	require.ErrorIs(t, err, errBroken)
	require.ErrorContains(t, err, "reading the video")
	require.Positive(t, s.PacketsReceived, "what came before counts")
}

// silent never gives anything.
type silent struct {
	once   sync.Once
	closed chan struct{}
}

func (s *silent) Codec() media.Codec { return media.VP8 }

func (s *silent) Next(ctx context.Context) (media.Sample, error) {
	select {
	case <-ctx.Done():
		return media.Sample{}, ctx.Err()
	case <-s.closed:
		return media.Sample{}, io.EOF
	}
}

func (s *silent) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func TestNoMediaIsAnError(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	cfg := config(t)
	cfg.Video = &silent{closed: make(chan struct{})}
	s, err := demo.Run(ctx, cfg)
	require.ErrorIs(t, err, demo.ErrNoMedia)
	require.False(t, s.Arrived())
	require.Zero(t, s.FramesReceived)
}

func TestInterruptedBeforeItBegins(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := demo.Run(ctx, config(t))
	require.ErrorIs(t, err, demo.ErrNoMedia)
}

func TestPortThatIsTaken(t *testing.T) {
	cfg := config(t)
	cfg.Listen = "127.0.0.1:80000"
	_, err := demo.Run(t.Context(), cfg)
	require.ErrorContains(t, err, "starting the server")
}

func TestRecordingThatCannotBe(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cfg := config(t)
	lines := 0
	cfg.Progress = func(p demo.Progress) {
		if lines++; lines > 1 && p.Packets > 0 && p.RoundTrip > 0 {
			cancel()
		}
	}
	file := filepath.Join(cfg.Dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	cfg.Dir = filepath.Join(file, "below")
	told := 0
	cfg.RecordingFailed = func(error) { told++ }
	s, err := demo.Run(ctx, cfg)
	require.Error(t, err)
	require.NotErrorIs(t, err, demo.ErrNoMedia)
	require.True(t, s.Arrived())
	require.Contains(t, s.RecordingError, file)
	require.Equal(t, 1, told)
}
