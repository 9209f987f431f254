package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asParley makes the test program be parley.
const asParley = "PARLEY_TEST_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(asParley) != "" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// process is one run of parley.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr bytes.Buffer
	stdin  io.WriteCloser
	lines  chan string // of the standard error, where it was asked for
	done   chan struct{}
}

// patience bounds a run: a command that hangs is killed and fails its test. The
// tests in slow machines have more.
var patience = 30 * time.Second

func parleyCommand(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	p := &process{t: t, done: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	p.cmd = exec.CommandContext(ctx, self, args...)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, envPrefix) {
			p.cmd.Env = append(p.cmd.Env, e)
		}
	}
	p.cmd.Env = append(append(p.cmd.Env, asParley+"=1"), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	return p
}

// parleyRun runs a command to its end and returns what it printed.
func parleyRun(t *testing.T, env []string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	p := parleyCommand(t, env, args...)
	err := p.cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return p.stdout.String(), p.stderr.String(), p.cmd.ProcessState.ExitCode()
}

// parleyStart runs a command in the background, with the lines that it prints.
func parleyStart(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := parleyCommand(t, env, args...)
	p.lines = make(chan string, 1000)
	out := &lineWriter{lines: p.lines}
	p.cmd.Stderr = io.MultiWriter(&p.stderr, out)
	p.cmd.Stdout = io.MultiWriter(&p.stdout, &lineWriter{lines: p.lines})
	var err error
	p.stdin, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // the status is asked for later
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // or it has ended
		<-p.done
	})
	return p
}

// until waits for a line with the text and returns what follows it.
func (p *process) until(text string) string {
	p.t.Helper()
	for {
		select {
		case line := <-p.lines:
			if _, rest, ok := strings.Cut(line, text); ok {
				return rest
			}
		case <-p.done:
			for len(p.lines) > 0 {
				if _, rest, ok := strings.Cut(<-p.lines, text); ok {
					return rest
				}
			}
			require.Fail(p.t, "the command ended", "waiting for %q; it printed:\n%s%s", text, &p.stdout, &p.stderr)
		}
	}
}

// stop interrupts the command and returns its exit status.
func (p *process) stop(s syscall.Signal) int {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(s))
	return p.wait()
}

func (p *process) wait() int {
	p.t.Helper()
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// lineWriter sends whole lines.
type lineWriter struct {
	rest  string
	lines chan<- string
}

func (w *lineWriter) Write(b []byte) (int, error) {
	w.rest += string(b)
	for {
		line, rest, ok := strings.Cut(w.rest, "\n")
		if !ok {
			return len(b), nil
		}
		w.rest = rest
		w.lines <- line
	}
}
