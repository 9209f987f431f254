//go:build e2e

// Package browser_test runs the watch page, a page without an SDK, and
// recordings in real browsers. It needs Chromium, Firefox, Node, the packages of
// package-lock.json, and ffmpeg:
//
//	apt-get install chromium firefox-esr nodejs npm ffmpeg
//	npm ci --prefix internal/e2e/browser
//	go test -tags e2e ./internal/e2e/browser/
//
// CHROMIUM and FIREFOX name other browsers than those in /usr/bin. Screenshots
// are kept in the directory PARLEY_ARTIFACTS, if that is set.
package browser_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/e2e/picture"
)

const install = "install it as the comment of this package says"

// engine is a kind of browser.
type engine struct {
	name    string // of the driver's part
	setting string // the environment variable that names another program
	program string
}

var (
	chromium = engine{"chromium", "CHROMIUM", "/usr/bin/chromium"}
	firefox  = engine{"firefox", "FIREFOX", "/usr/bin/firefox-esr"}
)

// inEach runs a test in each kind of browser.
func inEach(t *testing.T, test func(t *testing.T, e engine)) {
	for _, e := range []engine{chromium, firefox} {
		t.Run(e.name, func(t *testing.T) { test(t, e) })
	}
}

// tab is one browser with one page.
type tab struct {
	t    *testing.T
	in   io.WriteCloser
	out  *bufio.Scanner
	dir  string
	logs *logs
}

// logs collects what the driver and the page print.
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

// newTab starts Chromium.
func newTab(t *testing.T) *tab {
	t.Helper()
	return chromium.start(t)
}

// start starts a browser with a profile of its own.
func (e engine) start(t *testing.T) *tab {
	t.Helper()
	program := cmp.Or(os.Getenv(e.setting), e.program)
	_, err := os.Stat(program)
	require.NoError(t, err, "there is no %s: %s", e.name, install)
	node, err := exec.LookPath("node")
	require.NoError(t, err, "there is no Node: %s", install)
	for _, name := range []string{"playwright-core", "ws"} {
		_, err = os.Stat("node_modules/" + name + "/package.json")
		require.NoError(t, err, "there is no %s: %s", name, install)
	}

	b := &tab{t: t, logs: &logs{}, dir: os.Getenv("PARLEY_ARTIFACTS")}
	if b.dir == "" {
		b.dir = t.TempDir()
	}
	require.NoError(t, os.MkdirAll(b.dir, 0o755))
	// Not the test's own directory: a browser may still write when it is told
	// to end, and what cannot be removed then is no failure.
	profile, err := os.MkdirTemp("", "parley-"+e.name+"-") //nolint:usetesting // as said
	require.NoError(t, err)
	cmd := exec.Command(node, "driver.mjs", e.name, program, profile)
	cmd.Stderr = b.logs
	b.in, err = cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	b.out = bufio.NewScanner(out)
	b.out.Buffer(nil, 16<<20)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = b.in.Close() // or it has been
		kill := time.AfterFunc(15*time.Second, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		kill.Stop()
		_ = os.RemoveAll(profile)
		if t.Failed() {
			t.Logf("the browser said:\n%s", b.logs)
		}
		require.NoError(t, err, "the driver")
	})
	return b
}

// do has the driver work off a command, and reads its answer into value.
func (b *tab) do(value any, command string, args map[string]any) {
	b.t.Helper()
	line := map[string]any{"command": command}
	for k, v := range args {
		line[k] = v
	}
	data, err := json.Marshal(line)
	require.NoError(b.t, err)
	_, err = b.in.Write(append(data, '\n'))
	require.NoError(b.t, err, "the driver has ended")
	stuck := time.AfterFunc(90*time.Second, func() { _ = b.in.Close() })
	defer stuck.Stop()
	require.True(b.t, b.out.Scan(), "%s: the driver has ended: %v", command, b.out.Err())
	var answer struct {
		Value json.RawMessage `json:"value"`
		Error string          `json:"error"`
	}
	require.NoError(b.t, json.Unmarshal(b.out.Bytes(), &answer))
	if answer.Error != "" {
		path := filepath.Join(b.dir, "failed-"+strings.ReplaceAll(b.t.Name(), "/", "-")+".png")
		if command != "screenshot" && command != "open" {
			b.screenshot(path, "")
		}
		require.FailNow(b.t, "the page is not as it should be", "%s %v: %s", command, args, answer.Error)
	}
	if value != nil {
		require.NoError(b.t, json.Unmarshal(answer.Value, value), "%s: %s", command, answer.Value)
	}
}

// open opens a page, and runs the script before any of the page's own.
func (b *tab) open(url, first string) {
	b.t.Helper()
	var status int
	b.do(&status, "open", map[string]any{"url": url, "first": first})
	require.Contains(b.t, []int{200, 206}, status, url)
}

// wait waits until the expression is true.
func (b *tab) wait(expression string) {
	b.t.Helper()
	b.do(nil, "wait", map[string]any{"expression": expression, "timeout": 40_000})
}

func (b *tab) number(expression string) float64 {
	b.t.Helper()
	var n float64
	b.do(&n, "eval", map[string]any{"expression": expression})
	return n
}

func (b *tab) text(expression string) string {
	b.t.Helper()
	var s string
	b.do(&s, "eval", map[string]any{"expression": expression})
	return s
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(nil, "click", map[string]any{"selector": selector})
}

// rises waits until the number that the expression gives has grown by more
// than least.
func (b *tab) rises(expression string, least float64) {
	b.t.Helper()
	begin := b.number(expression)
	b.wait(fmt.Sprintf("(%s) > %v", expression, begin+least))
}

// quiet checks that the page had nothing to complain of since the last time.
func (b *tab) quiet(except ...string) {
	b.t.Helper()
	var list []string
	b.do(&list, "complaints", nil)
	for _, text := range list {
		known := false
		for _, e := range except {
			known = known || strings.Contains(text, e)
		}
		require.True(b.t, known, "the page complains: %s", text)
	}
}

func (b *tab) screenshot(path, selector string) {
	b.t.Helper()
	args := map[string]any{"path": path}
	if selector != "" {
		args["selector"] = selector
	}
	b.do(nil, "screenshot", args)
}

// picture takes a screenshot of an element, "" for the page, and keeps it under
// a name.
func (b *tab) picture(name, selector string) image.Image {
	b.t.Helper()
	path := filepath.Join(b.dir, name+".png")
	b.screenshot(path, selector)
	img, err := picture.Open(path)
	require.NoError(b.t, err)
	return img
}
