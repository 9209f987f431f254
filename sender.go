package parley

import (
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/internal/engine"
)

// sender is what a publication sends with. The engine's part is replaced when a
// full reconnect makes a new engine.
type sender struct {
	layers  [maxLayers]layerSender // of audio and video, lowest first
	data    atomic.Pointer[engine.DataSender]
	live    atomic.Bool // accepted by the server, and the connection is up
	first   atomic.Bool // a sample was sent
	failed  atomic.Int64
	size    atomic.Uint64 // width and height that were told
	bitrate atomic.Int64  // at most; zero: no bound
	part    atomic.Int64  // of what the connection takes; zero: no bound
	sent    atomic.Int64  // bytes of audio or video
}

// layerSender is what one layer is sent with.
type layerSender struct {
	media   atomic.Pointer[engine.Publication]
	needKey atomic.Bool
	resting atomic.Bool // nobody needs it at present
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
	var keyframes []func()
	layers := p.track.local().layers()
	for _, m := range layers {
		keyframes = append(keyframes, m.requestKeyframe)
	}
	outs, err := e.PublishLayers(p.id, layers[0].codec, keyframes)
	if err != nil {
		return err
	}
	for i, out := range outs {
		l := &p.sender.layers[i]
		l.media.Store(out)
		l.needKey.Store(true)
		l.resting.Store(false) // a new server has not said anything yet
	}
	return nil
}

// ready reports whether what is sent now has a section or channel to go into.
func (p *LocalTrackPublication) ready() bool {
	w := p.sender.layers[0].media.Load()
	return w == nil || w.Ready()
}

// rest stops a layer, or lets it go on. It runs on the loop, and reports false
// when there is no such layer.
func (p *LocalTrackPublication) rest(layer int, rest bool) bool {
	m := p.track.local()
	if m == nil || layer < 0 || layer >= len(m.layers()) {
		return false
	}
	l := &p.sender.layers[layer]
	if l.resting.Swap(rest) == rest {
		return true
	}
	m = m.layers()[layer]
	if !rest {
		l.needKey.Store(true)
		m.requestKeyframe()
	}
	m.update()
	return true
}

// setLive lets media flow, once the server has accepted it and the connection
// is up. It runs on the loop.
func (p *LocalTrackPublication) setLive() {
	if p.sender.live.Swap(true) {
		return
	}
	if m := p.track.local(); m != nil {
		p.flow.loosen(p.sender.sent.Load(), time.Now())
		for _, m := range m.layers() {
			m.update() // a key frame is asked for when the next sample is none
		}
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
	for i := range p.sender.layers {
		if w := p.sender.layers[i].media.Swap(nil); w != nil {
			e.Unpublish(w)
		}
	}
	if d := p.sender.data.Swap(nil); d != nil {
		e.UnpublishData(d)
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
