package engine

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
)

// mtu is the most that one packet's payload takes: a 1200-byte packet goes
// through every path that is in use, tunnels included.
const mtu = 1160

// ErrNotReady says that a publication cannot carry media yet, or no longer.
var ErrNotReady = errors.New("publication is not ready for media")

// uplink is a send section with what outlives its publications: the sequence
// numbers and the packets kept for retransmission.
type uplink struct {
	outlet *rtc.Outlet
	codec  media.Codec
	layers int // of the section that it is a part of; 1 without simulcast
	ring   *rtc.Ring
	mu     sync.Mutex // one writer at a time
	seq    uint16
	user   atomic.Pointer[Publication]
}

// Publication is one published audio or video track on one engine. Its
// Write methods may be called from any goroutine.
type Publication struct {
	id       string
	link     *uplink
	codec    media.Codec
	keyframe func()
	parts    atomic.Pointer[[]part] // one for each connection of a peer-to-peer room; else nil

	mu      sync.Mutex
	packets *packet.Packetizer
	clock   packet.Clock
	buf     []packet.Payload
	header  rtp.Header // of the last packet; one of its own would be garbage
	level   rtc.Level
	sent    int64 // samples
	frames  pace
	loud    int // of the last sample, as in media.Sample
}

// Publish takes a send section for the track: a free one of its codec, or a new
// one. The next offer tells the server. keyframe is called on any goroutine
// when a receiver needs a key frame; it must only post.
func (e *Engine) Publish(id string, codec media.Codec, keyframe func()) (*Publication, error) {
	layers, err := e.PublishLayers(id, codec, []func(){keyframe})
	if err != nil {
		return nil, err
	}
	return layers[0], nil
}

// PublishLayers is Publish for a track in several sizes, lowest first. Each has
// a key frame function.
func (e *Engine) PublishLayers(id string, codec media.Codec, keyframes []func()) ([]*Publication, error) {
	var pubs []*Publication
	for _, keyframe := range keyframes {
		packets, err := packet.NewPacketizer(codec, mtu)
		if err != nil {
			return nil, err
		}
		pubs = append(pubs, &Publication{id: id, codec: codec, packets: packets, clock: packet.NewClock(codec), keyframe: keyframe})
	}
	// Between participants nobody chooses a size for each: the largest is sent.
	e.published = append(e.published, pubs[len(pubs)-1])
	if e.mesh != nil {
		for _, p := range pubs {
			p.parts.Store(&[]part{})
		}
		return pubs, e.publishMesh(pubs[len(pubs)-1])
	}
	links := e.freeUplinks(codec, len(pubs))
	if links == nil {
		var err error
		if links, err = e.addUplinks(id, codec, len(pubs)); err != nil {
			return nil, err
		}
	}
	for i, p := range pubs {
		p.link = links[i]
		p.link.outlet.SetID(id, "-")
		p.link.user.Store(p)
	}
	e.links[0].dirty = true
	return pubs, nil
}

// freeUplinks finds a section with so many layers that nobody uses.
func (e *Engine) freeUplinks(codec media.Codec, layers int) []*uplink {
	for i := 0; i < len(e.uplinks); i += e.uplinks[i].layers {
		u := e.uplinks[i]
		if u.codec != codec || u.layers != layers {
			continue
		}
		group := e.uplinks[i : i+layers]
		if !slices.ContainsFunc(group, func(u *uplink) bool { return u.user.Load() != nil }) {
			return group
		}
	}
	return nil
}

func (e *Engine) addUplinks(id string, codec media.Codec, layers int) ([]*uplink, error) {
	size := rtc.RingVideo
	if codec.Kind() == media.Audio {
		size = rtc.RingAudio
	}
	var added []*uplink
	var cfgs []rtc.OutletConfig
	for range layers {
		u := &uplink{codec: codec, layers: layers, ring: rtc.NewRing(size), seq: uint16(rand.Uint32())}
		added = append(added, u)
		cfgs = append(cfgs, rtc.OutletConfig{
			Codec: codec, ID: id,
			Keyframe: func() {
				if user := u.user.Load(); user != nil {
					user.keyframe()
				}
			},
			History: u.ring.Get,
		})
	}
	peer := e.links[0].peer
	if layers == 1 {
		out, err := peer.AddOutlet(codec.Kind(), cfgs[0])
		if err != nil {
			return nil, err
		}
		added[0].outlet = out
	} else {
		outs, err := peer.AddLayers(cfgs)
		if err != nil {
			return nil, err
		}
		for i, out := range outs {
			added[i].outlet = out
		}
	}
	e.uplinks = append(e.uplinks, added...)
	return added, nil
}

// Unpublish frees the publication's section. The server needs no offer for it.
func (e *Engine) Unpublish(p *Publication) {
	e.published = slices.DeleteFunc(e.published, func(o *Publication) bool { return o == p })
	if e.mesh != nil && p.parts.Load() != nil {
		e.unpublishMesh(p)
		return
	}
	p.link.user.CompareAndSwap(p, nil)
}

// Ready reports whether media that is written now can arrive.
func (p *Publication) Ready() bool {
	if parts := p.parts.Load(); parts != nil {
		return slices.ContainsFunc(*parts, func(part part) bool { return part.pub.Ready() })
	}
	return p.link.user.Load() == p && p.link.outlet.Negotiated()
}

// WriteSample sends one sample. It does not wait for the network.
func (p *Publication) WriteSample(s media.Sample) error {
	if parts := p.parts.Load(); parts != nil {
		return p.writeSampleMesh(*parts, s)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.Ready() {
		return ErrNotReady
	}
	pt, ok := p.link.outlet.PayloadType(rtc.Codec{Codec: p.codec})
	if !ok {
		return rtc.ErrNotNegotiated
	}
	payloads, err := p.packets.Packetize(p.buf[:0], s)
	if err != nil {
		return err
	}
	p.buf = payloads
	h := &p.header
	*h = rtp.Header{Version: 2, PayloadType: pt, Timestamp: p.clock.RTP(s.Timestamp)}
	if len(payloads) > 1 {
		p.link.outlet.Hold()
		defer p.link.outlet.Release()
	}
	p.level.Put(h, p.link.outlet, s.Level)
	for _, payload := range payloads {
		h.Marker = payload.Marker
		if err := p.link.write(h, payload.Data, s.Captured); err != nil {
			return err
		}
	}
	p.note(s.Level)
	return nil
}

// note counts a sample that was sent. The lock is held.
func (p *Publication) note(level int) {
	p.sent++
	p.frames.count(time.Now())
	if level != 0 {
		p.loud = level
	}
}

// WriteRTP sends one packet that was made elsewhere. Sequence numbers follow
// those of the section, timestamps keep their distances.
func (p *Publication) WriteRTP(pkt *rtp.Packet) error {
	if parts := p.parts.Load(); parts != nil {
		return p.writeRTPMesh(*parts, pkt)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.Ready() {
		return ErrNotReady
	}
	pt, ok := p.link.outlet.PayloadType(rtc.Codec{Codec: p.codec})
	if !ok {
		return rtc.ErrNotNegotiated
	}
	p.header = rtp.Header{Version: 2, PayloadType: pt, Timestamp: pkt.Timestamp, Marker: pkt.Marker}
	if pkt.Marker {
		p.note(0)
	}
	return p.link.write(&p.header, pkt.Payload, time.Time{})
}

func (u *uplink) write(h *rtp.Header, payload []byte, captured time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	h.SequenceNumber = u.seq
	u.seq++
	u.ring.Put(h, payload)
	return u.outlet.Write(h, payload, captured)
}

// PublicationStats counts what was sent.
type PublicationStats struct {
	rtc.OutletStats
	Samples   int64
	SSRC      uint32  // zero in peer-to-peer rooms, where each connection has its own
	FrameRate float64 // of video
	Level     int     // of audio, as in media.Sample
}

// Stats returns the counters.
func (p *Publication) Stats() PublicationStats {
	var s PublicationStats
	if parts := p.parts.Load(); parts != nil {
		s.OutletStats = statsMesh(*parts)
	} else {
		s.OutletStats, s.SSRC = p.link.outlet.Stats(), p.link.outlet.SSRC()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Samples, s.Level = p.sent, p.loud
	if p.codec.Kind() == media.Video {
		s.FrameRate = p.frames.rate(time.Now())
	}
	return s
}
