//go:build e2e

package interop_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// patience is how long a page may take for what it is waited for, in
// milliseconds.
const patience = 40_000

var pages atomic.Int64

// page is one page of the browser, with twilio-video and page.js in it. It may
// be used from one goroutine at a time; several pages run side by side.
type page struct {
	t      *testing.T
	number int
	closed bool
}

// options are those of connect, and tracks to be made of the fake devices, as
// Lab.make in page.js takes them.
type options map[string]any

// track is what Lab.make takes: the kind, the name, and what the kind's
// constructor knows beside it.
func track(kind, name string, more ...options) options {
	o := options{"kind": kind, "name": name}
	for _, m := range more {
		for k, v := range m {
			o[k] = v
		}
	}
	return o
}

// open opens a page. It is closed, without a word to it, with the test, after
// it was asked for what it complained of.
func (w *world) open() *page {
	w.t.Helper()
	p := &page{t: w.t, number: int(pages.Add(1))}
	var status int
	p.do(&status, "open", map[string]any{"url": "http://" + w.addr + "/interop/page.html"})
	require.Equal(w.t, 200, status)
	w.t.Cleanup(func() {
		if p.closed {
			return
		}
		if w.t.Failed() {
			var log, messages string
			if shared.do(&log, "eval", p.number, map[string]any{"expression": `lab.log.map((e) => JSON.stringify(e)).join("\n")`}) == nil {
				w.t.Logf("page %d heard:\n%s", p.number, log)
			}
			if shared.do(&messages, "eval", p.number, map[string]any{"expression": "JSON.stringify(lab.messages)"}) == nil {
				w.t.Logf("its messages: %s", messages)
			}
			var frames []string
			if os.Getenv("INTEROP_LOG") != "" && shared.do(&frames, "eval", p.number, map[string]any{"expression": "spied.frames"}) == nil {
				w.t.Logf("its signaling:\n%s", strings.Join(frames, "\n"))
			}
			var complaints []string
			if shared.do(&complaints, "complaints", p.number, nil) == nil && len(complaints) > 0 {
				w.t.Logf("it complains: %s", strings.Join(complaints, "\n"))
			}
		}
		p.close()
	})
	return p
}

// join opens a page and joins the room "lab".
func (w *world) join(identity string, o options) *page {
	w.t.Helper()
	p := w.open()
	p.join(w.token(identity), o)
	return p
}

// joined is what Lab.join returns.
type joined struct {
	SID, Name, State string
	ParticipantSID   string
}

// join joins with the token.
func (p *page) join(token string, o options) joined {
	p.t.Helper()
	if o == nil {
		o = options{}
	}
	var j joined
	p.eval(&j, fmt.Sprintf("lab.join(%s, %s)", js(token), js(o)))
	return j
}

// publish publishes a track, and returns its SID.
func (p *page) publish(track options) (sid string) {
	p.t.Helper()
	p.eval(&sid, fmt.Sprintf("lab.publish(%s)", js(track)))
	return sid
}

// unpublish ends a publication, by the name of its track.
func (p *page) unpublish(name string) {
	p.t.Helper()
	p.run(fmt.Sprintf("lab.unpublish(%s)", js(name)))
}

// leave disconnects in order.
func (p *page) leave() {
	p.t.Helper()
	p.run("void lab.room.disconnect()")
}

// close closes the page without a word to it.
func (p *page) close() {
	p.t.Helper()
	p.closed = true
	p.do(nil, "close", nil)
}

// eval evaluates an expression in the page, waits if it is a promise, and reads
// it into value.
func (p *page) eval(value any, expression string) {
	p.t.Helper()
	p.do(value, "eval", map[string]any{"expression": expression})
}

// run evaluates an expression for its effect.
func (p *page) run(expression string) {
	p.t.Helper()
	p.eval(nil, "(async () => { await ("+expression+"); })()")
}

func (p *page) count(expression string) (n float64) {
	p.t.Helper()
	p.eval(&n, expression)
	return n
}

func (p *page) text(expression string) (s string) {
	p.t.Helper()
	p.eval(&s, expression)
	return s
}

// wait waits until the expression, or the promise that it is, is true.
func (p *page) wait(expression string) {
	p.t.Helper()
	p.do(nil, "wait", map[string]any{"expression": expression, "timeout": patience})
}

// waits waits until the event came to an object of a class, named who, or to
// any if that is empty.
func (p *page) waits(on, event, who string) {
	p.t.Helper()
	if who == "" {
		p.wait(fmt.Sprintf("lab.seen(%s, %s) > 0", js(on), js(event)))
		return
	}
	p.wait(fmt.Sprintf("lab.seen(%s, %s, %s) > 0", js(on), js(event), js(who)))
}

// rises waits until the number that the expression gives has grown by more than
// least.
func (p *page) rises(expression string, least float64) {
	p.t.Helper()
	begin := p.count(expression)
	p.wait(fmt.Sprintf("(async () => (await (%s)) > %v)()", expression, begin+least))
}

// plays waits until the page has decoded, or for audio received, some more of a
// track.
func (p *page) plays(identity, name string) {
	p.t.Helper()
	p.wait(fmt.Sprintf("lab.track(%s, %s)?.mediaStreamTrack !== undefined", js(identity), js(name)))
	what := "frames"
	if p.text(fmt.Sprintf("lab.track(%s, %s).kind", js(identity), js(name))) == "audio" {
		what = "packets"
	}
	p.rises(fmt.Sprintf("lab.%s(%s, %s)", what, js(identity), js(name)), 15)
}

// cdp gives the page a command of the Chrome DevTools protocol.
func (p *page) cdp(method string, params map[string]any) {
	p.t.Helper()
	p.do(nil, "cdp", map[string]any{"method": method, "params": params})
}

// quiet checks that the page had nothing to complain of since the last time.
func (p *page) quiet(except ...string) {
	p.t.Helper()
	var list []string
	p.do(&list, "complaints", nil)
	for _, text := range list {
		known := false
		for _, e := range except {
			known = known || strings.Contains(text, e)
		}
		require.True(p.t, known, "the page complains: %s", text)
	}
}

func (p *page) do(value any, command string, args map[string]any) {
	p.t.Helper()
	err := shared.do(value, command, p.number, args)
	if err != nil && command != "open" && command != "screenshot" {
		path := filepath.Join(artifacts(p.t), "failed-"+strings.ReplaceAll(p.t.Name(), "/", "-")+".png")
		_ = shared.do(nil, "screenshot", p.number, map[string]any{"path": path}) // a help, if it works
	}
	require.NoError(p.t, err, "page %d: %s %v", p.number, command, args)
}

// artifacts is where pictures are kept.
func artifacts(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("PARLEY_ARTIFACTS")
	if dir == "" {
		return t.TempDir()
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	return dir
}

// js is a value as JavaScript has it.
func js(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // of a test's literals
	}
	return string(data)
}
