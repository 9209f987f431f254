package pipe_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/pipe"
)

// children lists the processes that this one has started and not reaped, with
// their states.
func children(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	require.NoError(t, err)
	for _, task := range tasks {
		list, _ := os.ReadFile(task) // the thread may be gone
		for _, pid := range strings.Fields(string(list)) {
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			if err != nil {
				continue
			}
			_, rest, _ := strings.Cut(string(stat), ") ")
			out[pid] = rest[:1]
		}
	}
	return out
}

// requireGone waits until a process, which is not our child, has ended.
func requireGone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			return true
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		return rest[:1] == "Z" // of whoever is to reap it
	}, 20*time.Second, 10*time.Millisecond, "process %d lives on", pid)
}

func TestFailureOfAProgram(t *testing.T) {
	p, err := command(t, "fail", pipe.Options{}, "7", clip(t, media.VP8))
	require.NoError(t, err)
	got, err := drain(t, p.Video())
	requireSame(t, testclips.Samples(media.VP8), got)
	require.ErrorIs(t, err, pipe.ErrExited)
	var e *pipe.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, 7, e.Exit)
	require.Contains(t, e.Stderr, "it went wrong")
	require.Contains(t, e.Error(), "exit status 7")
	require.NotContains(t, e.Error(), "secret")
	require.Contains(t, e.Error(), "rtsp://***@camera/1")
	<-p.Done()
	require.Equal(t, err, p.Err())
	require.Empty(t, children(t))
}

func TestProgramsThatGiveNothing(t *testing.T) {
	garbage := saved(t, "garbage", []byte("this is no media at all, and it never will be"))
	for name, c := range map[string]struct {
		program string
		args    []string
		want    error
	}{
		"nothing":       {"cat", nil, pipe.ErrEmpty},
		"only failure":  {"fail", []string{"3"}, pipe.ErrExited},
		"garbage":       {"cat", []string{garbage}, pipe.ErrUnknownFormat},
		"no such file":  {"cat", []string{"/nowhere"}, pipe.ErrExited},
		"cut header":    {"cat", []string{saved(t, "cut", []byte("DKIF\x00\x00\x20"))}, pipe.ErrUnsupported},
		"silent hang":   {"hang", nil, pipe.ErrStalled},
		"garbage hangs": {"hang", []string{garbage}, pipe.ErrUnknownFormat},
	} {
		t.Run(name, func(t *testing.T) {
			o := pipe.Options{}
			if errors.Is(c.want, pipe.ErrStalled) {
				o.StartTimeout = 300 * time.Millisecond
			}
			p, err := command(t, c.program, o, c.args...)
			require.Nil(t, p)
			var e *pipe.Error
			require.ErrorAs(t, err, &e)
			if name == "cut header" {
				require.Error(t, e.Err)
			} else {
				require.ErrorIs(t, err, c.want)
			}
			require.Empty(t, children(t))
		})
	}
}

func TestNoSuchProgram(t *testing.T) {
	_, err := pipe.Command(t.Context(), []string{"no-such-program-anywhere"}, nil)
	require.ErrorIs(t, err, pipe.ErrNotFound)
	_, err = pipe.Command(t.Context(), []string{"/no/such/program"}, nil)
	require.ErrorIs(t, err, pipe.ErrNotFound)
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for name, o := range map[string]pipe.Options{
		"format":     {Format: "avi"},
		"codec":      {Codec: "theora"},
		"frame rate": {FrameRate: -1},
		"duration":   {Grace: -1},
	} {
		_, err := pipe.Command(t.Context(), []string{"true"}, &o)
		require.ErrorIs(t, err, pipe.ErrOption, name)
	}
	_, err := pipe.Command(t.Context(), nil, nil)
	require.ErrorIs(t, err, pipe.ErrOption)
	_, err = pipe.Reader(t.Context(), nil, nil)
	require.ErrorIs(t, err, pipe.ErrOption)
}

func TestContextBoundsTheStart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	args, opts := self(t, "hang", pipe.Options{})
	_, err := pipe.Command(ctx, args, opts)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, children(t))

	// And nothing else.
	ctx, cancel = context.WithCancel(t.Context())
	args, opts = self(t, "hang", pipe.Options{})
	p, err := pipe.Command(ctx, append(args, clip(t, media.VP8)), opts)
	require.NoError(t, err)
	cancel()
	_, err = p.Video().Next(t.Context())
	require.NoError(t, err)
	require.NoError(t, p.Close())
}

func TestCloseEndsTheProgram(t *testing.T) {
	for _, program := range []string{"hang", "stubborn", "endless", "child"} {
		t.Run(program, func(t *testing.T) {
			p, err := command(t, program, pipe.Options{Grace: 300 * time.Millisecond}, clip(t, media.H264))
			require.NoError(t, err)
			waiting := make(chan error, 1)
			go func() {
				_, err := drain(t, p.Video())
				waiting <- err
			}()
			require.NoError(t, p.Close())
			require.NoError(t, <-waiting)
			require.Empty(t, children(t), "neither zombie nor orphan")
			require.NoError(t, p.Close())
		})
	}
}

func TestClosingEachSourceEndsTheProgram(t *testing.T) {
	p, err := command(t, "hang", pipe.Options{}, matroska(t, media.VP8, media.Opus))
	require.NoError(t, err)
	require.NoError(t, p.Video().Close())
	_, err = p.Audio().Next(t.Context())
	require.NoError(t, err, "the other goes on")
	require.NotEmpty(t, children(t))
	require.NoError(t, p.Audio().Close())
	<-p.Done()
	require.Empty(t, children(t))
}

// A child of the program holds its output: the track ends nevertheless, and the
// child with it.
func TestWhatAProgramLeavesBehindDies(t *testing.T) {
	var log journal
	p, err := command(t, "child", pipe.Options{Logger: log.logger(), Grace: 500 * time.Millisecond}, clip(t, media.VP8))
	require.NoError(t, err)
	requireSame(t, testclips.Samples(media.VP8), collect(t, p.Video()))
	<-p.Done()
	requireGone(t, childPID(t, &log))
}

// One that has left the program's group is not found, but holds up nothing.
func TestADaemonHoldsUpNothing(t *testing.T) {
	var log journal
	p, err := command(t, "daemon", pipe.Options{Logger: log.logger(), Grace: 300 * time.Millisecond}, clip(t, media.VP8))
	require.NoError(t, err)
	requireSame(t, testclips.Samples(media.VP8), collect(t, p.Video()))
	<-p.Done()
	pid := childPID(t, &log)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	requireGone(t, pid)
}

// When the one who supervises is killed, the program dies with it.
func TestNoOrphanAfterKill(t *testing.T) {
	path, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), path, clip(t, media.VP8))
	cmd.Env = append(os.Environ(), "PIPE_PROGRAM=owner")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err, line)
	require.NoError(t, syscall.Kill(pid, 0), "the program runs")
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	requireGone(t, pid)
}

func TestRequestForAKeyframeMayCloseThePipe(t *testing.T) {
	opened := make(chan *pipe.Pipe, 1)
	p, err := command(t, "hang", pipe.Options{RequestKeyframe: func() { (<-opened).Close() }}, clip(t, media.VP8))
	require.NoError(t, err)
	opened <- p
	p.Video().(media.KeyframeRequester).RequestKeyframe()
	<-p.Done()
	require.NoError(t, p.Err())
}

func TestFasterThanTheClockIsTold(t *testing.T) {
	var log journal
	var frames [][]byte
	for range 400 { // 16 seconds
		frames = append(frames, testclips.Samples(media.VP8)[0].Data)
	}
	p, err := command(t, "cat", pipe.Options{Logger: log.logger()}, saved(t, "long.ivf", ivfOf("VP80", frames...)))
	require.NoError(t, err)
	collect(t, p.Video())
	<-p.Done()
	require.Equal(t, 1, strings.Count(log.String(), "set Paced"))
}

func childPID(t *testing.T, log *journal) int {
	t.Helper()
	_, after, ok := strings.Cut(log.String(), "child ")
	require.True(t, ok, log.String())
	pid, err := strconv.Atoi(strings.Trim(strings.Fields(after)[0], `"`))
	require.NoError(t, err)
	return pid
}

func TestStallEndsTheTrack(t *testing.T) {
	p, err := command(t, "hang", pipe.Options{StallTimeout: 300 * time.Millisecond}, clip(t, media.VP8))
	require.NoError(t, err)
	_, err = drain(t, p.Video())
	require.ErrorIs(t, err, pipe.ErrStalled)
	<-p.Done()
	require.Empty(t, children(t))
}

func TestRestartsKeepTheTrack(t *testing.T) {
	one := clip(t, media.VP8)
	state := filepath.Join(t.TempDir(), "state")
	var log journal
	p, err := command(t, "turns", pipe.Options{Restarts: 2, Backoff: time.Millisecond, Logger: log.logger()},
		state, one, one, one)
	require.NoError(t, err)
	got, err := drain(t, p.Video())
	require.NoError(t, err)
	clip := testclips.Samples(media.VP8)
	want := append(append(append([]media.Sample{}, clip...), clip...), clip...)
	requireSame(t, want, got) // and the times grow
	require.Equal(t, 2, p.Stats().Restarts)
	require.Equal(t, int64(len(want)), p.Stats().Sources[0].Samples)
	require.Contains(t, log.String(), "started again")
}

func TestRestartsEnd(t *testing.T) {
	one := clip(t, media.H264)
	p, err := command(t, "turns", pipe.Options{Restarts: 3, Backoff: time.Millisecond},
		filepath.Join(t.TempDir(), "state"), one)
	require.NoError(t, err)
	got, err := drain(t, p.Video())
	requireSame(t, testclips.Samples(media.H264), got)
	require.ErrorIs(t, err, pipe.ErrExited)
	var e *pipe.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, []int{5, 3}, []int{e.Exit, e.Restarts})
}

func TestRestartWithAnotherCodecEndsTheTrack(t *testing.T) {
	p, err := command(t, "turns", pipe.Options{Restarts: -1, Backoff: time.Millisecond},
		filepath.Join(t.TempDir(), "state"), clip(t, media.VP8), clip(t, media.VP9))
	require.NoError(t, err)
	_, err = drain(t, p.Video())
	require.ErrorIs(t, err, pipe.ErrCodec)
	require.ErrorContains(t, err, "[VP9] after the restart, [VP8] before")
}

func TestAStalledProgramIsStartedAgain(t *testing.T) {
	p, err := command(t, "hang", pipe.Options{Restarts: -1, Backoff: time.Millisecond, StallTimeout: 200 * time.Millisecond},
		clip(t, media.VP8))
	require.NoError(t, err)
	src := p.Video()
	clip := len(testclips.Samples(media.VP8))
	last := time.Duration(-1)
	for range 2*clip + 1 {
		s, err := src.Next(t.Context())
		require.NoError(t, err)
		require.Greater(t, s.Timestamp, last)
		last = s.Timestamp
	}
	require.NoError(t, p.Close())
	require.GreaterOrEqual(t, p.Stats().Restarts, 2)
}

func TestCodecThatWasNotAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		file  string
		codec media.Codec
	}{
		"ivf":           {clip(t, media.VP8), media.VP9},
		"annexb":        {clip(t, media.H265), media.H264},
		"annexb, sound": {clip(t, media.H265), media.Opus},
		"ogg":           {clip(t, media.Opus), media.VP8},
		"matroska":      {matroska(t, media.H264, media.Opus), media.PCMU},
	} {
		_, err := command(t, "cat", pipe.Options{Codec: c.codec}, c.file)
		require.ErrorIs(t, err, pipe.ErrCodec, name)
	}
	p, err := command(t, "cat", pipe.Options{Codec: media.Opus}, matroska(t, media.H264, media.Opus))
	require.NoError(t, err)
	require.Len(t, p.Sources(), 1)
	requireSame(t, testclips.Samples(media.Opus), collect(t, p.Audio()))
}

func TestFloodOfWordsIsBounded(t *testing.T) {
	var log journal
	p, err := command(t, "flood", pipe.Options{Logger: log.logger()}, clip(t, media.VP8))
	require.NoError(t, err)
	requireSame(t, testclips.Samples(media.VP8), collect(t, p.Video()))
	<-p.Done()
	require.Less(t, len(log.String()), 4_000_000, "of 40 MB; so much a second is kept")
	require.Contains(t, log.String(), "said more")
}

func TestKeyframeSignal(t *testing.T) {
	asked := filepath.Join(t.TempDir(), "asked")
	calls := make(chan struct{}, 1)
	p, err := command(t, "signaled", pipe.Options{
		KeyframeSignal: syscall.SIGUSR1, RequestKeyframe: func() { calls <- struct{}{} },
	}, clip(t, media.VP8), asked)
	require.NoError(t, err)
	p.Video().(media.KeyframeRequester).RequestKeyframe()
	<-calls
	require.Eventually(t, func() bool {
		_, err := os.Stat(asked)
		return err == nil
	}, 20*time.Second, 5*time.Millisecond)

	p, err = command(t, "hang", pipe.Options{}, clip(t, media.VP8))
	require.NoError(t, err)
	_, can := p.Video().(media.KeyframeRequester)
	require.False(t, can, "a program cannot be asked by what it writes")
}

func TestSecondSampleWaitsForWhoReads(t *testing.T) {
	p, err := command(t, "hang", pipe.Options{}, clip(t, media.VP8))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Video().Next(ctx)
	require.True(t, errors.Is(err, context.Canceled))
}
