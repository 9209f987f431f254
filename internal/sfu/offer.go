package sfu

// offers is what is known of the offers that we make.
type offers struct{}

func (p *peer) assignSection(s *subscription) {}

func (p *peer) freeSection(s *subscription) {}

func (p *peer) makeOffer() {}
