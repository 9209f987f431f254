package pipe_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/pipe"
	"github.com/parley-rtc/parley/media/record"
)

// self returns the options that make the test binary that program.
func self(t *testing.T, program string, o pipe.Options) (args []string, opts *pipe.Options) {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	o.Env = append(o.Env, "PIPE_PROGRAM="+program)
	if o.MaxDelay == 0 {
		o.MaxDelay = time.Hour // a busy machine is not what is tested
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = time.Minute
	}
	return []string{path}, &o
}

// command starts the test binary as that program.
func command(t *testing.T, program string, o pipe.Options, args ...string) (*pipe.Pipe, error) {
	t.Helper()
	program0, opts := self(t, program, o)
	p, err := pipe.Command(t.Context(), append(program0, args...), opts)
	if err == nil {
		t.Cleanup(func() { require.NoError(t, p.Close()) })
	}
	return p, err
}

// clip puts the clip of a codec into a file.
func clip(t *testing.T, codec media.Codec) string {
	t.Helper()
	name, data := testclips.File(codec)
	return saved(t, name, data)
}

func saved(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

// matroska records the clips of the codecs into one file.
func matroska(t testing.TB, codecs ...media.Codec) string {
	t.Helper()
	dir := t.TempDir()
	r, err := record.New(dir, "clip", nil)
	require.NoError(t, err)
	tracks := map[media.Codec]*record.Track{}
	next := map[media.Codec][]media.Sample{}
	for _, c := range codecs {
		tracks[c], err = r.AddTrack(c, string(c))
		require.NoError(t, err)
		next[c] = testclips.Samples(c)
	}
	for { // in the order of time
		var first media.Codec
		for _, c := range codecs {
			if len(next[c]) > 0 && (first == "" || next[c][0].Timestamp < next[first][0].Timestamp) {
				first = c
			}
		}
		if first == "" {
			break
		}
		require.NoError(t, tracks[first].WriteSample(next[first][0]))
		next[first] = next[first][1:]
	}
	require.NoError(t, r.Close())
	return filepath.Join(dir, r.File())
}

// collect reads a source to its end, and copies what it gives.
func collect(t *testing.T, src media.Source) []media.Sample {
	t.Helper()
	got, err := drain(t, src)
	require.NoError(t, err)
	return got
}

// drain is collect that returns the reason of the end.
func drain(t *testing.T, src media.Source) (got []media.Sample, err error) {
	t.Helper()
	for {
		s, err := src.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		s.Data = bytes.Clone(s.Data)
		got = append(got, s)
	}
}

// requireSame compares samples with what they were made of: the same frames,
// with times that grow. NAL units may have other start codes in between.
func requireSame(t *testing.T, want, got []media.Sample) {
	t.Helper()
	require.Len(t, got, len(want))
	last := time.Duration(-1)
	for i := range want {
		w, g := want[i], got[i]
		require.Equal(t, w.Codec, g.Codec)
		require.Equal(t, w.Keyframe, g.Keyframe, "sample %d", i)
		require.Equal(t, []int{w.Width, w.Height}, []int{g.Width, g.Height}, "sample %d", i)
		require.Equal(t, content(w), content(g), "sample %d", i)
		require.Greater(t, g.Timestamp, last)
		require.False(t, g.Captured.IsZero())
		last = g.Timestamp
	}
}

// requireTimes checks that the times are those of the clip, less where it
// begins, but for the rounding of containers.
func requireTimes(t *testing.T, want, got []media.Sample) {
	t.Helper()
	for i := range want {
		w, g := want[i].Timestamp-want[0].Timestamp, got[i].Timestamp-got[0].Timestamp
		require.InDelta(t, w.Seconds(), g.Seconds(), 0.0011, "sample %d", i)
	}
}

func content(s media.Sample) any {
	if s.Codec != media.H264 && s.Codec != media.H265 {
		return s.Data
	}
	var nals [][]byte
	for nal := range bitstream.NALs(s.Data) {
		nals = append(nals, nal)
	}
	return nals
}

// journal is a log to look into.
type journal struct {
	mu sync.Mutex
	b  strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }
