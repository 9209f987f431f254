package pipe_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rtc/parley/media/pipe"
)

// TestMain makes the test binary its own subprocess: with PIPE_PROGRAM set it
// is the program under supervision.
func TestMain(m *testing.M) {
	if program := os.Getenv("PIPE_PROGRAM"); program != "" {
		os.Exit(run(program, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// run is what the programs do.
func run(program string, args []string) int {
	switch program {
	case "cat": // FILE...: writes them
		for _, name := range args {
			if !write(name) {
				return 3
			}
		}
	case "fail": // CODE FILE...: writes the files, then fails
		for _, name := range args[1:] {
			write(name)
		}
		fmt.Fprintln(os.Stderr, "connecting to rtsp://admin:secret@camera/1")
		fmt.Fprintln(os.Stderr, "it went wrong")
		code, _ := strconv.Atoi(args[0])
		return code
	case "hang": // FILE...: writes them, then nothing, ever
		for _, name := range args {
			write(name)
		}
		forever()
	case "stubborn": // FILE: does not listen to SIGTERM
		signal.Ignore(syscall.SIGTERM)
		write(args[0])
		forever()
	case "slow": // PAUSE FILE: writes it in small pieces
		pause, _ := time.ParseDuration(args[0])
		data, _ := os.ReadFile(args[1])
		for len(data) > 0 {
			n := min(777, len(data))
			if _, err := os.Stdout.Write(data[:n]); err != nil {
				return 4
			}
			data = data[n:]
			<-time.After(pause)
		}
	case "flood": // FILE: a lot of words
		line := strings.Repeat("x", 2000)
		for range 20_000 {
			fmt.Fprintln(os.Stderr, line)
		}
		fmt.Fprint(os.Stderr, "frame=1\rframe=2\r\n\xff\xfe")
		write(args[0])
	case "child": // FILE: leaves a child behind that holds its output
		write(args[0])
		fmt.Fprintln(os.Stderr, "child", spawn(nil))
	case "daemon": // FILE: the same, in a session of its own
		write(args[0])
		fmt.Fprintln(os.Stderr, "child", spawn(&syscall.SysProcAttr{Setsid: true}))
	case "turns": // FILE STATE...: another file at each run, then none
		state, _ := os.ReadFile(args[0])
		n := len(state)
		_ = os.WriteFile(args[0], append(state, 'x'), 0o600)
		if n+1 < len(args) {
			write(args[n+1])
			return 0
		}
		return 5
	case "owner": // FILE: supervises a program, and tells its process id
		p, err := pipe.Command(context.Background(), []string{"/proc/self/exe", args[0]}, &pipe.Options{Env: []string{"PIPE_PROGRAM=hang"}})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		tasks, _ := filepath.Glob("/proc/self/task/*/children")
		for _, task := range tasks {
			pids, _ := os.ReadFile(task)
			os.Stdout.Write(pids)
		}
		fmt.Println()
		<-p.Done()
	case "signaled": // FILE LOG: notes SIGUSR1
		got := make(chan os.Signal, 1)
		signal.Notify(got, syscall.SIGUSR1)
		write(args[0])
		<-got
		_ = os.WriteFile(args[1], []byte("asked"), 0o600)
		forever()
	case "endless": // never stops writing the file
		data, _ := os.ReadFile(args[0])
		for {
			if _, err := io.Copy(os.Stdout, bytes.NewReader(data)); err != nil {
				return 4
			}
		}
	}
	return 0
}

func write(name string) bool {
	data, err := os.ReadFile(name)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return false
	}
	_, err = os.Stdout.Write(data)
	return err == nil
}

func forever() { <-time.After(time.Hour) }

func spawn(attr *syscall.SysProcAttr) int {
	self, _ := os.Executable()
	proc, err := os.StartProcess(self, []string{self}, &os.ProcAttr{
		Env: append(os.Environ(), "PIPE_PROGRAM=hang"), Files: []*os.File{nil, os.Stdout, os.Stderr}, Sys: attr,
	})
	if err != nil {
		return 0
	}
	return proc.Pid
}
