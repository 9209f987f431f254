package sfu

import (
	"context"
	"math"
	"slices"
	"sync/atomic"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/internal/sfu/admission"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/webrtc/v4"
)

// link is one peer connection of a participant. Everything but the counters
// belongs to the peer's goroutine.
type link struct {
	id   string
	peer *peer
	pc   *rtc.Peer

	revision int // the latest used by either side
	answer   *signaling.Description
	budget   admission.CandidateBudget
	dropped  int // candidates, of the budget's count

	sources  map[string]*source // by mid
	inlets   map[string]*rtc.Inlet
	wire     map[string]string      // mid to the id of the track, in the latest description
	layers   map[string]int         // mid to the number of its simulcast layers, likewise
	channels map[string]*dataSource // by label
	slots    []*slot
	turn     int  // counts the releases of slots
	worked   bool // it was connected once

	offers offers

	opened atomic.Int32    // channels of the client
	end    context.Context //nolint:containedctx // ends with the connection; its channels' derive from it
	stop   context.CancelFunc
}

func (p *peer) newLink(id string) (*link, error) {
	l := &link{
		id: id, peer: p,
		sources: map[string]*source{}, inlets: map[string]*rtc.Inlet{},
		wire: map[string]string{}, layers: map[string]int{}, channels: map[string]*dataSource{},
	}
	if l.budget.PerGeneration = p.srv.cfg.Limits.Candidates; l.budget.PerGeneration < 0 {
		l.budget.PerGeneration, l.budget.PerMessage = math.MaxInt, math.MaxInt
	}
	l.end, l.stop = context.WithCancel(context.Background())
	pc, err := p.srv.api.NewPeer(rtc.PeerConfig{
		MidPrefix: "s",
		Steady:    true,
		Handler: rtc.Handler{
			State:   func() { p.post(func() { p.linkState(l) }) },
			Inlet:   func(in *rtc.Inlet) { p.post(func() { l.onInlet(in) }) },
			Limit:   func() { p.post(func() { p.linkLimit(l) }) },
			Channel: l.onChannel,
		},
	})
	if err != nil {
		l.stop()
		return nil, err
	}
	l.pc = pc
	p.srv.metrics.connected(pc)
	return l, nil
}

// close ends the connection and waits for what it started.
func (l *link) close() {
	l.stop()
	l.peer.srv.metrics.disconnected(l.pc)
	_ = l.pc.Close() // it is over either way
}

// takeOffer applies an offer of the client and returns the answer.
func (l *link) takeOffer(sdp string) (answer string, fault *signaling.Error) {
	offer, fault := l.admitSDP(sdp)
	if fault != nil {
		return "", fault
	}
	if err := l.pc.SetRemoteOffer(offer.sdp); err != nil {
		return "", signaling.Errorf(signaling.CodeServerRemoteDescription, "the offer cannot be applied: %w", err)
	}
	if err := l.fill(); err != nil {
		return "", signaling.Errorf(signaling.CodeServerLocalDescription, "the answer cannot be made: %w", err)
	}
	answer, err := l.pc.Answer(true)
	if err != nil {
		return "", signaling.Errorf(signaling.CodeServerLocalDescription, "the answer cannot be made: %w", err)
	}
	l.readSections()
	l.addCandidates(l.budget.Begin(offer.ufrag, l.peer.srv.policy))
	return answer, nil
}

// fill gives the client's receive sections their slots.
func (l *link) fill() error {
	var added []*slot
	outs, err := l.pc.FillOutlets(func(mid string, kind media.Kind) rtc.OutletConfig {
		s := &slot{kind: kind, id: mid}
		if !l.peer.slotMode {
			s.id = freshID()
		}
		added = append(added, s)
		return rtc.OutletConfig{ID: s.id, Keyframe: s.keyframe, History: s.history}
	})
	for i, out := range outs {
		added[i].setOutlet(out)
		l.slots = append(l.slots, added[i])
	}
	return err
}

// readSections notes which track each of the client's sections carries. Mids
// are recycled: only the latest description counts.
func (l *link) readSections() {
	clear(l.wire)
	clear(l.layers)
	for _, s := range l.pc.RemoteSections() {
		if s.Track != "" && (s.Direction == "sendrecv" || s.Direction == "sendonly") {
			l.wire[s.Mid], l.layers[s.Mid] = s.Track, s.Layers
		}
	}
	for mid, src := range l.sources {
		if first, layer := rtc.SplitMid(mid); l.wire[first] != src.id || layer >= l.layers[first] {
			src.id = ""
			src.to.Store(nil) // until the track that it carries now is published
		}
	}
}

// carry joins the publication to its section or channel, and reports whether
// there is one.
func (l *link) carry(pub *publication) bool {
	if pub.data != nil {
		src := l.channels[pub.id]
		if src != nil && src.bind(pub.data) {
			l.peer.releases = append(l.peer.releases, src)
		}
		return src != nil
	}
	for mid, id := range l.wire {
		if id == pub.id {
			l.carryLayers(pub, mid)
			return true
		}
	}
	return false
}

// sends reports whether a section of the client carries the track.
func (l *link) sends(id string) bool {
	for _, track := range l.wire {
		if track == id {
			return true
		}
	}
	return false
}

// carryLayers joins the layers of a publication to their sections.
func (l *link) carryLayers(pub *publication, first string) {
	n := max(l.layers[first], 1)
	pub.up.grow(n)
	for i, ly := range *pub.up.layers.Load() {
		if i >= n {
			ly.setInlet(nil)
			continue
		}
		mid := rtc.LayerMid(first, i)
		src := l.source(mid)
		src.id = pub.id
		src.to.Store(ly)
		ly.setInlet(l.inlets[mid])
	}
}

func (l *link) source(mid string) *source {
	src := l.sources[mid]
	if src == nil {
		src = &source{}
		l.sources[mid] = src
	}
	return src
}

// uncarry ends what carried the publication.
func (l *link) uncarry(pub *publication) {
	if pub.data != nil {
		if src := l.channels[pub.id]; src != nil {
			delete(l.channels, pub.id)
			src.stop()
			_ = src.channel.Close() // the client has closed it first, mostly
		}
		return
	}
	for _, src := range l.sources {
		if ly := src.to.Load(); ly != nil && ly.up == pub.up {
			src.to.Store(nil)
		}
	}
}

// onInlet starts the pump of a receive section.
func (l *link) onInlet(in *rtc.Inlet) {
	if l.end.Err() != nil {
		return
	}
	mid := in.Mid()
	l.inlets[mid] = in
	src := l.source(mid)
	l.peer.srv.spawn(func() { src.pump(in) })
	if ly := src.to.Load(); ly != nil {
		ly.setInlet(in)
	}
}

// onChannel is called by pion, on a goroutine of its own, before the channel
// delivers anything.
func (l *link) onChannel(dc *webrtc.DataChannel) {
	limits := &l.peer.srv.cfg.Limits
	if n := l.opened.Add(1); limits.Channels > 0 && int(n) > limits.Channels {
		dc.OnOpen(func() { _ = dc.Close() })
		l.peer.srv.metrics.refusals.WithLabelValues("channels").Inc()
		return
	}
	src := &dataSource{channel: dc, limits: limits, rates: l.peer.rates, bound: make(chan struct{})}
	src.end, src.stop = context.WithCancel(l.end)
	label := dc.Label()
	src.tooBig = func() {
		l.peer.post(func() {
			_ = dc.Close()
			for _, t := range l.peer.tracks {
				if t.id == label {
					l.peer.failTrack(t.publication, errMessageTooBig)
					return
				}
			}
		})
	}
	dc.OnMessage(src.receive)
	dc.OnClose(func() {
		src.stop()
		l.opened.Add(-1)
		l.peer.post(func() {
			if l.channels[label] == src {
				delete(l.channels, label)
			}
		})
	})
	l.peer.post(func() { l.addChannel(label, src) })
}

func (l *link) addChannel(label string, src *dataSource) {
	if l.end.Err() != nil || l.channels[label] != nil {
		src.stop()
		_ = src.channel.Close() // a second channel of a name has no meaning
		return
	}
	l.channels[label] = src
	for _, t := range l.peer.tracks {
		if t.id == label && t.data != nil {
			l.peer.bind()
			l.peer.tellRoom()
			return
		}
	}
}

// freeSlot returns the free slot of the kind that was unused longest, or nil.
func (l *link) freeSlot(kind media.Kind) *slot {
	var best *slot
	for _, s := range l.slots {
		if s.used == nil && s.kind == kind && (best == nil || s.since < best.since) {
			best = s
		}
	}
	return best
}

// release lets the next subscription have the slot.
func (l *link) release(s *slot) {
	l.turn++
	s.used, s.since = nil, l.turn
	if !l.peer.slotMode {
		l.freeSection(s)
	}
}

// sendChannel opens the channel of a subscription.
func (l *link) sendChannel(label string, init *webrtc.DataChannelInit) (*dataDownlink, error) {
	dc, err := l.pc.CreateChannel(label, init)
	if err != nil {
		return nil, err
	}
	if !hasSection(l.pc.RemoteSections(), "application") {
		l.offers.needed = true
	}
	return newDataDownlink(dc, init, &l.peer.srv.cfg.Limits, l.peer.tooSlow), nil
}

// ready reports whether media can pass.
func (l *link) ready() bool { return l.pc.State() == webrtc.PeerConnectionStateConnected }

func hasSection(sections []rtc.Section, kind string) bool {
	return slices.ContainsFunc(sections, func(s rtc.Section) bool { return s.Kind == kind })
}
