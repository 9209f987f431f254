package parley

import (
	"sync/atomic"

	"github.com/parley-rtc/parley/internal/engine"
)

// sender is what a publication sends with. The engine's part is replaced when a
// full reconnect makes a new engine.
type sender struct {
	media   atomic.Pointer[engine.Publication]
	data    atomic.Pointer[engine.DataSender]
	live    atomic.Bool // accepted by the server, and the connection is up
	needKey atomic.Bool
	first   atomic.Bool // a sample was sent
	failed  atomic.Int64
	size    atomic.Uint64 // width and height that were told
	bitrate atomic.Int64  // at most; zero: no bound
}

// bound limits the bitrate of the publication. It runs on the loop.
func (p *LocalTrackPublication) bound(params EncodingParameters) {
	p.sender.bitrate.Store(int64(params.max(p.kind)))
	if m := p.track.local(); m != nil {
		m.aim()
	}
}

// open connects the publication with the engine. It runs on the loop.
func (p *LocalTrackPublication) open(e *engine.Engine) error {
	if t, ok := p.track.(*LocalDataTrack); ok {
		d, err := e.PublishData(p.id, t.rel)
		if err != nil {
			return err
		}
		p.sender.data.Store(d)
		t.follow(p)
		return nil
	}
	m := p.track.local()
	w, err := e.Publish(p.id, m.codec, m.requestKeyframe)
	if err != nil {
		return err
	}
	p.sender.media.Store(w)
	p.sender.needKey.Store(true)
	return nil
}

// ready reports whether what is sent now has a section or channel to go into.
func (p *LocalTrackPublication) ready() bool {
	w := p.sender.media.Load()
	return w == nil || w.Ready()
}

// setLive lets media flow, once the server has accepted it and the connection
// is up. It runs on the loop.
func (p *LocalTrackPublication) setLive() {
	if p.sender.live.Swap(true) {
		return
	}
	if m := p.track.local(); m != nil {
		m.update() // a key frame is asked for when the next sample is none
	}
}

// detach stops the flow into the publication. It runs on the loop.
func (p *LocalTrackPublication) detach() {
	p.sender.live.Store(false)
	if t, ok := p.track.(*LocalDataTrack); ok {
		t.unfollow(p)
		return
	}
	p.track.local().unfollow(p)
}

// close gives the engine's part back. It runs on the loop.
func (p *LocalTrackPublication) close(e *engine.Engine) {
	if w := p.sender.media.Swap(nil); w != nil {
		e.Unpublish(w)
	}
	if d := p.sender.data.Swap(nil); d != nil {
		_ = d.Close() // a channel that cannot be closed is closed already
	}
}

// note counts what became of a sample and reports whether it was sent.
func (p *LocalTrackPublication) note(err error) bool {
	if err != nil {
		if p.sender.failed.Add(1) == 1 {
			p.room.log.Warn("a sample could not be sent", "track", p.name, "err", err)
		}
		return false
	}
	if !p.sender.first.Swap(true) {
		p.room.post(func() { p.room.localStarted(p) })
	}
	return true
}

func (p *LocalTrackPublication) sized(width, height int) {
	size := uint64(width)<<32 | uint64(height)
	if old := p.sender.size.Swap(size); old != size {
		e := LocalTrackDimensionsChanged{
			Publication: p, Width: width, Height: height, OldWidth: int(old >> 32), OldHeight: int(uint32(old)),
		}
		p.room.post(func() { p.room.localSized(e) })
	}
}
