package engine

import (
	"math/rand/v2"
	"slices"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
)

// part is a publication on one connection of a peer-to-peer room.
type part struct {
	link *link
	pub  *Publication
}

// spread turns a publication with one section into one with a part for each
// connection, the first of which is the section.
func (p *Publication) spread(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	child := &Publication{id: p.id, codec: p.codec, link: p.link, packets: p.packets, clock: p.clock, keyframe: p.keyframe}
	p.link.user.Store(child)
	p.parts.Store(&[]part{{l, child}})
}

// publishMesh adds a publication to all connections.
func (e *Engine) publishMesh(p *Publication) error {
	p.parts.Store(&[]part{})
	for _, l := range e.links {
		if err := e.reach(p, l); err != nil {
			return err
		}
	}
	return nil
}

// reach adds a publication to one connection: in a section that the other side
// offers to receive in, in one that has ended, or in a new one.
func (e *Engine) reach(p *Publication, l *link) error {
	packets, err := packet.NewPacketizer(p.codec, mtu)
	if err != nil {
		return err
	}
	kind := p.codec.Kind()
	size := rtc.RingVideo
	if kind == media.Audio {
		size = rtc.RingAudio
	}
	child := &Publication{id: p.id, codec: p.codec, packets: packets, clock: packet.NewClock(p.codec), keyframe: p.keyframe}
	u := &uplink{codec: p.codec, ring: rtc.NewRing(size), seq: uint16(rand.Uint32())}
	u.user.Store(child)
	child.link = u
	cfg := rtc.OutletConfig{ID: p.id, Keyframe: p.keyframe, History: u.ring.Get}
	if u.outlet, err = l.peer.FillOutlet(kind, cfg); err != nil {
		return err
	}
	free := l.mesh.free[kind]
	switch {
	case u.outlet != nil:
		l.dirty = l.dirty || !l.mesh.filling
	case len(free) > 0:
		l.mesh.free[kind] = free[1:]
		u.outlet, err = l.peer.ReuseOutlet(free[0], cfg)
		l.dirty = true
	default:
		cfg.Codec, cfg.Both = p.codec, true
		u.outlet, err = l.peer.AddOutlet(kind, cfg)
		l.dirty = true
	}
	if err != nil {
		return err
	}
	parts := append(slices.Clone(*p.parts.Load()), part{l, child})
	p.parts.Store(&parts)
	return nil
}

// Idle reports whether there is nobody to send to, in a peer-to-peer room.
func (p *Publication) Idle() bool { return p.parts.Load() != nil && !p.Ready() }

// part returns the publication on one connection, or nil.
func (p *Publication) part(l *link) *Publication {
	for _, part := range *p.parts.Load() {
		if part.link == l {
			return part.pub
		}
	}
	return nil
}

// leave takes a connection that has ended away.
func (p *Publication) leave(l *link) {
	parts := slices.DeleteFunc(slices.Clone(*p.parts.Load()), func(part part) bool { return part.link == l })
	p.parts.Store(&parts)
}

// unpublishMesh ends the sections of a publication.
func (e *Engine) unpublishMesh(p *Publication) {
	for _, part := range *p.parts.Load() {
		u := part.pub.link
		u.user.Store(nil)
		if part.link.peer.FreeOutlet(u.outlet) == nil { // otherwise the connection has ended
			part.link.mesh.freed = append(part.link.mesh.freed, u.outlet)
			part.link.dirty = true
		}
	}
	p.parts.Store(&[]part{})
}

// eachPart calls f for every part, and fails if it fails for all.
func eachPart(parts []part, f func(*Publication) error) error {
	err := ErrNotReady
	sent := false
	for _, part := range parts {
		if e := f(part.pub); e == nil {
			sent = true
		} else {
			err = e
		}
	}
	if sent {
		return nil
	}
	return err
}

func (p *Publication) writeSampleMesh(parts []part, s media.Sample) error {
	err := eachPart(parts, func(part *Publication) error { return part.WriteSample(s) })
	p.count(err, s.Level)
	return err
}

func (p *Publication) writeRTPMesh(parts []part, pkt *rtp.Packet) error {
	err := eachPart(parts, func(part *Publication) error { return part.WriteRTP(pkt) })
	if pkt.Marker {
		p.count(err, 0)
	}
	return err
}

func (p *Publication) count(err error, level int) {
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note(level)
}

// statsMesh sums the parts up; of what is no count the worst tells.
func statsMesh(parts []part) (sum rtc.OutletStats) {
	for _, part := range parts {
		s := part.pub.Stats()
		sum.Packets += s.Packets
		sum.Bytes += s.Bytes
		sum.Resent += s.Resent
		sum.Nacks += s.Nacks
		sum.Keyframes += s.Keyframes
		sum.Lost += s.Lost
		sum.FractionLost = max(sum.FractionLost, s.FractionLost)
		sum.Jitter = max(sum.Jitter, s.Jitter)
		sum.RTT = max(sum.RTT, s.RTT)
	}
	return sum
}
