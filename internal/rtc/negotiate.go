package rtc

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// Offer makes an offer. With restart it begins an ICE restart. The offer takes
// effect with ApplyOffer; until then a description of the other side may still
// come first, and the offer is forgotten.
func (p *Peer) Offer(restart bool) (sdp string, err error) {
	if err := p.takeServers(); err != nil {
		return "", err
	}
	d, err := p.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return "", fmt.Errorf("making an offer: %w", err)
	}
	p.raw, p.shown = d.SDP, p.discreet(p.layers.out(d.SDP))
	return p.shown, nil
}

// ApplyOffer makes the last offer the pending local description and begins to
// gather candidates.
func (p *Peer) ApplyOffer(sdp string) error {
	if sdp == p.shown {
		sdp = p.raw
	}
	if err := p.takeServers(); err != nil {
		return err
	}
	if err := p.pc.SetLocalDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}); err != nil {
		return fmt.Errorf("applying an offer: %w", err)
	}
	return nil
}

// PendingOffer returns the applied offer that waits for its answer, with the
// candidates gathered so far, or "".
func (p *Peer) PendingOffer() string {
	if d := p.pc.PendingLocalDescription(); d != nil && d.Type == webrtc.SDPTypeOffer {
		return p.discreet(p.layers.out(d.SDP))
	}
	return ""
}

// SetRemoteOffer applies the other side's offer; Answer must follow.
func (p *Peer) SetRemoteOffer(sdp string) error { return p.setRemote(webrtc.SDPTypeOffer, sdp) }

// SetRemoteAnswer applies the answer to the pending offer.
func (p *Peer) SetRemoteAnswer(sdp string) error { return p.setRemote(webrtc.SDPTypeAnswer, sdp) }

func (p *Peer) setRemote(t webrtc.SDPType, sdp string) error {
	var byTCP []string
	shown, err := p.layers.in(sdp, t == webrtc.SDPTypeAnswer)
	if err == nil && t == webrtc.SDPTypeOffer {
		shown = p.resting(shown)
		err = p.takeServers()
	}
	if err == nil {
		p.readNumbers(sdp) // what an answer opens sends at once
		shown, byTCP = withoutTCP(shown)
		err = p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: t, SDP: shown})
	}
	if err != nil {
		return fmt.Errorf("applying a remote %s: %w", t, err)
	}
	p.callLater(byTCP, DescriptionUfrag(sdp))
	list := Sections(sdp)
	p.remoteSections.Store(&list)
	if t == webrtc.SDPTypeAnswer && strings.Contains(sdp, setupActive) {
		p.passive = true
	}
	return nil
}

// The DTLS role in a description, RFC 5763 section 5.
const (
	setupActive  = "a=setup:active"
	setupPassive = "a=setup:passive"
)

// Answer answers the remote offer. With gather it waits until the candidates
// are known, and the answer holds them; that is quick where no STUN or TURN
// server is asked.
func (p *Peer) Answer(gather bool) (sdp string, err error) {
	d, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("making an answer: %w", err)
	}
	if err := p.pc.SetLocalDescription(d); err != nil {
		return "", fmt.Errorf("applying an answer: %w", err)
	}
	// Not with pion's GatheringCompletePromise. An ICE restart gathers from
	// SetRemoteOffer on, and whoever finishes that looks for the promise's
	// handler before it says that it has finished: a promise that is made in
	// between is never kept.
	for gather && p.pc.ICEGatheringState() != webrtc.ICEGatheringStateComplete {
		select {
		case <-p.gatherEnd:
		case <-p.done:
			return "", ErrClosed
		}
	}
	sdp = p.hushed(p.discreet(p.layers.out(p.pc.CurrentLocalDescription().SDP)))
	if p.passive {
		// Roles stay, RFC 8842 section 5.5. Pion would have its answers say
		// otherwise on a connection that it offered first.
		sdp = strings.ReplaceAll(sdp, setupActive, setupPassive)
	}
	return sdp, nil
}

// AddCandidate takes a candidate of the other side.
func (p *Peer) AddCandidate(c webrtc.ICECandidateInit) error {
	if isTCP(c.Candidate) {
		p.callLater([]string{c.Candidate}, "")
		return nil
	}
	if err := p.pc.AddICECandidate(c); err != nil {
		return fmt.Errorf("adding a candidate: %w", err)
	}
	return nil
}

func (p *Peer) onCandidate(c *webrtc.ICECandidate) {
	if c != nil && p.tcp.dialer != nil && c.Protocol == webrtc.ICEProtocolTCP {
		return
	}
	p.mu.Lock()
	if c == nil {
		p.gathered = true
	} else {
		init := c.ToJSON()
		init.Candidate = p.discreet(init.Candidate)
		if n := len(p.candidates); n > 0 && ufrag(p.candidates[n-1]) != ufrag(init) {
			p.candidates = nil // an ICE restart began a new generation
		}
		p.gathered = false
		p.candidates = append(p.candidates, init)
	}
	p.mu.Unlock()
	if c == nil {
		select {
		case p.gatherEnd <- struct{}{}:
		default:
		}
	}
	p.tell(p.handler.Candidates)
}

func ufrag(c webrtc.ICECandidateInit) string {
	if c.UsernameFragment == nil {
		return ""
	}
	return *c.UsernameFragment
}

// Candidates returns the local candidates of the current generation so far,
// and whether there will be no more.
func (p *Peer) Candidates() (list []webrtc.ICECandidateInit, ufragment string, complete bool) {
	d := p.pc.LocalDescription()
	p.mu.Lock()
	defer p.mu.Unlock()
	if d != nil {
		ufragment = DescriptionUfrag(d.SDP)
	}
	for _, c := range p.candidates {
		if u := ufrag(c); u == "" || ufragment == "" || u == ufragment {
			list = append(list, c)
		}
	}
	return list, ufragment, p.gathered
}

// DescriptionUfrag returns the first ice-ufrag in a description.
func DescriptionUfrag(sdp string) string {
	const key = "a=ice-ufrag:"
	_, rest, ok := strings.Cut(sdp, key)
	if !ok {
		return ""
	}
	rest, _, _ = strings.Cut(rest, "\n")
	return strings.TrimRight(rest, "\r")
}

// Section is what a description says of one media section.
type Section struct {
	Mid, Kind, Direction string
	Track                string // track part of a=msid
	// Layers is how many simulcast layers are sent; 1 also for what is not
	// sent at all. Each has an inlet of its own: see LayerMid.
	Layers int
}

// RemoteSections lists the media sections of the other side's latest
// description.
func (p *Peer) RemoteSections() []Section {
	if list := p.remoteSections.Load(); list != nil {
		return slices.Clone(*list)
	}
	return nil
}

// Sections lists the media sections of a description; nil if it cannot be
// parsed.
func Sections(text string) []Section {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return nil
	}
	var list []Section
	for _, m := range d.MediaDescriptions {
		s := Section{Kind: m.MediaName.Media, Direction: "sendrecv", Layers: 1}
		for _, a := range m.Attributes {
			switch a.Key {
			case "mid":
				s.Mid = a.Value
			case "sendrecv", "sendonly", "recvonly", "inactive":
				s.Direction = a.Key
			case "ssrc-group":
				if f := strings.Fields(a.Value); len(f) > 0 && f[0] == "SIM" {
					s.Layers = min(max(len(f)-1, 1), MaxLayers)
				}
			case "msid":
				if _, track, ok := strings.Cut(a.Value, " "); ok {
					s.Track = track
				}
			}
		}
		list = append(list, s)
	}
	return list
}
