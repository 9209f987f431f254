package pipe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// process is one run of a program. It owns two goroutines: one starts it and
// waits for its end, on a thread of its own, since Linux ends a child when the
// thread ends that started it; the other reads its standard error.
type process struct {
	cmd    *exec.Cmd
	in     *input
	out    *os.File
	stderr *lines
	exited chan struct{} // closed when it is reaped

	stopping sync.Once
	mu       sync.Mutex
	reaped   bool // no signal may be sent any more
}

// startProcess starts the program with its output in pipes.
func startProcess(args []string, p *Pipe) (*process, error) {
	path, err := exec.LookPath(args[0])
	if err != nil {
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %s", ErrNotFound, args[0])
		}
		return nil, err
	}
	out, outEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	said, saidEnd, err := os.Pipe()
	if err != nil {
		_, _ = out.Close(), outEnd.Close() // never used
		return nil, err
	}
	cmd := exec.Command(path, args[1:]...) //nolint:noctx // It ends by Close.
	cmd.Args[0] = args[0]
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.o.Dir, outEnd, saidEnd
	if len(p.o.Env) > 0 {
		cmd.Env = append(cmd.Environ(), p.o.Env...)
	}
	group(cmd)
	proc := &process{cmd: cmd, out: out, exited: make(chan struct{}), stderr: newLines(said, p.log, p.o.secrets)}
	proc.in = newInput(out, p.o.StartTimeout, p.o.StallTimeout)
	started := make(chan error, 1)
	go proc.keep(started, p.o.Grace) // ends with the program; exited tells
	err = <-started
	_, _ = outEnd.Close(), saidEnd.Close() // the program has them now
	if err != nil {
		_, _ = out.Close(), said.Close() // never used
		return nil, err
	}
	go proc.stderr.run() // ends with the program's last word
	return proc, nil
}

// keep starts the program and reaps it.
func (p *process) keep(started chan<- error, grace time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	reap(p.cmd, func() {
		// What it left behind goes with it, and cannot hold up the reading.
		p.mu.Lock()
		defer p.mu.Unlock()
		killGroup(p.cmd.Process)
		p.reaped = true
	})
	end := time.Now().Add(grace)
	p.in.drainUntil(end)
	p.stderr.drainUntil(end)
	close(p.exited)
}

// await waits for the program to end by itself, for a while.
func (p *process) await(limit time.Duration) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-p.exited:
	case <-t.C:
	}
}

// end ends the program, SIGTERM first and SIGKILL after grace, and waits until
// it is gone with all that read from it. own is true when it had ended by itself.
func (p *process) end(grace time.Duration) (own bool) {
	select {
	case <-p.exited:
		own = true
	default:
	}
	p.stopping.Do(func() {
		if !own {
			p.terminate()
		}
		_ = p.out.Close() // it was read only
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-p.exited:
		case <-t.C:
			p.mu.Lock()
			if !p.reaped {
				killGroup(p.cmd.Process)
			}
			p.mu.Unlock()
		}
	})
	<-p.exited
	<-p.stderr.done
	return own
}

func (p *process) terminate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		terminateGroup(p.cmd.Process)
	}
}

func (p *process) signal(s os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = p.cmd.Process.Signal(s) // it may just have ended
	}
}

// status returns the exit code, -1 after a signal. It is known after exited.
func (p *process) status() (code int, failed bool) {
	st := p.cmd.ProcessState
	return st.ExitCode(), !st.Success()
}

func (p *process) state() string { return p.cmd.ProcessState.String() }
