package rtc

import (
	"fmt"
	"slices"

	"github.com/pion/webrtc/v4"
)

// FreeOutlet ends a send section: the next description says that it is
// inactive. Once that is negotiated, ReuseOutlet can begin another one in its
// place.
func (p *Peer) FreeOutlet(o *Outlet) error {
	p.gate.Lock()
	o.freed = true
	p.gate.Unlock()
	if err := p.pc.RemoveTrack(o.sender); err != nil {
		return fmt.Errorf("freeing section %s: %w", o.Mid(), err)
	}
	p.hangUp()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outlets = slices.DeleteFunc(p.outlets, func(other *Outlet) bool { return other == o })
	return nil
}

// ReuseOutlet adds a send section in the place of one that was freed.
func (p *Peer) ReuseOutlet(freed *Outlet, cfg OutletConfig) (*Outlet, error) {
	o := newOutlet(p, freed.kind, cfg)
	if err := p.attach(freed.transceiver, o); err != nil {
		return nil, fmt.Errorf("reusing section %s: %w", freed.Mid(), err)
	}
	return o, nil
}

// attach makes the outlet the sender of a section that has none. pion's own
// AddTrack would choose the section by itself. A sender made here, in turn, has
// heard of no description: it would send with the payload types of our list,
// where those of the other side have been agreed on. The section knows them.
func (p *Peer) attach(t *webrtc.RTPTransceiver, o *Outlet) error {
	sender, err := p.api.NewRTPSender(outletTrack{o}, p.pc.SCTP().Transport())
	if err != nil {
		return err
	}
	if err := t.SetSender(sender, outletTrack{o}); err != nil {
		_ = sender.Stop() // it has sent nothing
		return err
	}
	o.transceiver, o.sender, o.negotiated = t, sender, sender.GetParameters().Codecs
	p.keep(o)
	return nil
}
