// Package netwatch tells when the machine's network may have changed: a link
// went up or down, an address came or went, a route is another one. It knows
// this on Linux; elsewhere programs have to say it themselves.
package netwatch

import (
	"errors"
	"io"
	"sync"
	"time"
)

// ErrUnsupported is returned where the system has no such notices.
var ErrUnsupported = errors.New("changes of the network are not told on this system")

// settle is how long the first notice waits for others that belong to it.
const settle = 50 * time.Millisecond

// hub reads the notices for everybody, as long as there is anybody. It owns
// one goroutine, and the last to stop waits for it.
type hub struct {
	open func() (io.ReadCloser, error)

	mu       sync.Mutex
	watchers map[*watcher]struct{}
	source   io.ReadCloser
	ended    chan struct{}
	pending  bool // tell is about to be called
}

type watcher struct{ changed func() }

var system = &hub{open: open}

// Watch calls changed, on a goroutine of its own, shortly after each change of
// the network, until stop is called. It must not block. After stop has returned
// it is not called any more.
func Watch(changed func()) (stop func(), err error) { return system.watch(changed) }

func (h *hub) watch(changed func()) (stop func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.source == nil {
		source, err := h.open()
		if err != nil {
			return nil, err
		}
		h.source, h.ended, h.watchers = source, make(chan struct{}), map[*watcher]struct{}{}
		go h.read(source, h.ended) // closes ended in the end
	}
	w := &watcher{changed}
	h.watchers[w] = struct{}{}
	return func() { h.leave(w) }, nil
}

func (h *hub) leave(w *watcher) {
	h.mu.Lock()
	delete(h.watchers, w)
	if len(h.watchers) > 0 || h.source == nil {
		h.mu.Unlock()
		return
	}
	source, ended := h.source, h.ended
	h.source, h.ended = nil, nil
	h.mu.Unlock()
	_ = source.Close() // it unblocks the reader; there is nothing to lose
	<-ended
}

// read passes notices on. What they say is not looked at: whoever is told looks
// at the network as it is then.
func (h *hub) read(source io.Reader, ended chan struct{}) {
	defer close(ended)
	buf := make([]byte, 64<<10)
	for {
		if _, err := source.Read(buf); err != nil && !lost(err) {
			return
		}
		h.mu.Lock()
		if !h.pending {
			h.pending = true
			time.AfterFunc(settle, h.tell)
		}
		h.mu.Unlock()
	}
}

func (h *hub) tell() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending = false
	for w := range h.watchers {
		w.changed()
	}
}
