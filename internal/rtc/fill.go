package rtc

import (
	"fmt"

	"github.com/parley-rtc/parley/media"
	"github.com/pion/webrtc/v4"
)

// FillOutlet adds a sender to a section of the kind in which the other side only
// receives and that has none yet; without one it returns nil. The next
// description tells the other side.
func (p *Peer) FillOutlet(kind media.Kind, cfg OutletConfig) (*Outlet, error) {
	for _, t := range p.pc.GetTransceivers() {
		if t.Sender() != nil || t.Direction() != webrtc.RTPTransceiverDirectionSendonly || kindOf(t.Kind()) != kind {
			continue
		}
		o := newOutlet(p, kind, cfg)
		if err := p.attach(t, o); err != nil {
			return nil, fmt.Errorf("filling section %s: %w", t.Mid(), err)
		}
		return o, nil
	}
	return nil, nil
}
