package window

import (
	"fmt"
	"sync"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/play"
)

// pane is the place of one track's pictures.
type pane struct {
	shows *panes
	label label

	mu    sync.Mutex
	frame media.VideoFrame // the newest picture
	any   bool             // there is one
	fresh bool             // it has not been drawn
	over  bool
}

// panes are those of a window, in the order in which they were opened.
type panes struct {
	ready chan struct{} // one-slot poke: something is to be drawn

	mu    sync.Mutex
	list  []*pane
	moved bool // the list has changed
}

// maxPanes is how many pictures a window shows.
const maxPanes = 256

func (p *panes) poke() {
	select {
	case p.ready <- struct{}{}:
	default:
	}
}

func (p *panes) add(title string) (*pane, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.list) >= maxPanes {
		return nil, fmt.Errorf("window: more than %d pictures", maxPanes)
	}
	n := &pane{shows: p, label: newLabel(title)}
	p.list = append(p.list[:len(p.list):len(p.list)], n)
	p.moved = true
	p.poke()
	return n, nil
}

func (p *panes) remove(gone *pane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var rest []*pane
	for _, n := range p.list {
		if n != gone {
			rest = append(rest, n)
		}
	}
	p.list, p.moved = rest, true
	p.poke()
}

// all returns the panes, which are not changed any more, and whether others
// than last time.
func (p *panes) all() (list []*pane, moved bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	moved, p.moved = p.moved, false
	return p.list, moved
}

// end makes all panes refuse pictures.
func (p *panes) end() {
	list, _ := p.all()
	for _, n := range list {
		n.mu.Lock()
		n.over = true
		n.mu.Unlock()
	}
}

// Show keeps a copy of the picture until it is drawn or another comes.
func (n *pane) Show(f *media.VideoFrame) error {
	if f.Format != media.I420 {
		return fmt.Errorf("window: %w: a picture in %q, not in %s", play.ErrOption, f.Format, media.I420)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.over {
		return fmt.Errorf("window: %w", ErrClosed)
	}
	if err := n.frame.CopyFrom(f); err != nil {
		return fmt.Errorf("window: %w", err)
	}
	n.any, n.fresh = true, true
	n.shows.poke()
	return nil
}

// Close makes the place disappear.
func (n *pane) Close() error {
	n.mu.Lock()
	over := n.over
	n.over = true
	n.mu.Unlock()
	if !over {
		n.shows.remove(n)
	}
	return nil
}
