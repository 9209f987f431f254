//go:build e2e

package interop_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const install = "install it as the comment of this package says"

// TestMain ends the browser before goroutines are counted.
func TestMain(m *testing.M) { goleak.VerifyTestMain(suite{m}) }

type suite struct{ m *testing.M }

func (s suite) Run() int {
	code := s.m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "the browser:", err)
		code = max(code, 1)
	}
	return code
}

// shared is the browser of all tests.
var shared browser

// browser is a Chromium with its driver. The zero value starts with the first
// command.
type browser struct {
	once sync.Once
	err  error
	cmd  *exec.Cmd
	in   io.WriteCloser
	logs logs
	read chan struct{} // closed when the driver's answers have ended

	mu    sync.Mutex
	last  int
	waits map[int]chan answer
	ended bool
}

// answer is what the driver says to a command.
type answer struct {
	ID    int             `json:"id"`
	Value json.RawMessage `json:"value"`
	Error string          `json:"error"`
}

// logs collects what the driver and the pages print.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (b *browser) start() error {
	chromium := os.Getenv("CHROMIUM")
	if chromium == "" {
		chromium = "/usr/bin/chromium"
	}
	if _, err := os.Stat(chromium); err != nil {
		return fmt.Errorf("there is no Chromium, %s: %w", install, err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return fmt.Errorf("there is no Node, %s: %w", install, err)
	}
	for _, name := range []string{"playwright-core", "twilio-video"} {
		if _, err := os.Stat("node_modules/" + name + "/package.json"); err != nil {
			return fmt.Errorf("there is no %s, %s: %w", name, install, err)
		}
	}
	b.cmd = exec.Command(node, "driver.mjs", chromium)
	b.cmd.Stderr = &b.logs
	if b.in, err = b.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := b.cmd.Start(); err != nil {
		return err
	}
	b.waits, b.read = map[int]chan answer{}, make(chan struct{})
	go b.hear(out)
	return nil
}

// hear hands out the answers until the driver has ended.
func (b *browser) hear(out io.Reader) {
	defer close(b.read)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var a answer
		err := json.Unmarshal(lines.Bytes(), &a)
		b.mu.Lock()
		if wait := b.waits[a.ID]; err == nil && wait != nil {
			delete(b.waits, a.ID)
			wait <- a // has room for it
		}
		b.mu.Unlock()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	for _, wait := range b.waits {
		wait <- answer{Error: "the driver has ended"}
	}
}

// do has the driver work off a command, and reads its answer into value, unless
// that is nil.
func (b *browser) do(value any, command string, page int, args map[string]any) error {
	b.once.Do(func() { b.err = b.start() })
	if b.err != nil {
		return b.err
	}
	wait := make(chan answer, 1)
	b.mu.Lock()
	if b.ended {
		b.mu.Unlock()
		return errors.New("the driver has ended")
	}
	b.last++
	line := map[string]any{"id": b.last, "command": command, "page": page}
	for k, v := range args {
		line[k] = v
	}
	data, err := json.Marshal(line)
	if err == nil {
		b.waits[b.last] = wait
		_, err = b.in.Write(append(data, '\n'))
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	limit := time.NewTimer(90 * time.Second)
	defer limit.Stop()
	select {
	case a := <-wait:
		if a.Error != "" {
			return errors.New(a.Error)
		}
		if value == nil {
			return nil
		}
		return json.Unmarshal(a.Value, value)
	case <-limit.C:
		return errors.New("the driver does not answer")
	}
}

// stop ends the browser, if it was started.
func (b *browser) stop() error {
	if b.cmd == nil || b.cmd.Process == nil {
		return nil
	}
	_ = b.in.Close() // or it has been
	kill := time.AfterFunc(15*time.Second, func() { _ = b.cmd.Process.Kill() })
	defer kill.Stop()
	<-b.read
	return b.cmd.Wait()
}
