package sfu

import (
	"time"

	"github.com/parley-rtc/parley/signaling"
)

// remindAfter is how long a client may publish a track before an offer has a
// section for it.
const remindAfter = 2 * time.Second

// reminder asks a client for an offer that it forgot to make. Browsers forget
// what is published while they make an offer for something else: the track is
// announced and nobody ever gets it. It is asked for once for each list of tracks.
type reminder struct {
	timer *time.Timer
	list  int // revision of the list that the timer runs for, or ran
}

func (p *peer) newReminder() {
	p.reminder.timer = time.AfterFunc(time.Hour, func() { p.post(p.remind) })
	p.reminder.timer.Stop()
}

// watchSections starts the timer when a track is without a section.
func (p *peer) watchSections() {
	r := &p.reminder
	switch {
	case p.slotMode || p.link == nil || !p.lacksSection():
		r.timer.Stop()
		r.list = 0
	case r.list != p.localRevision:
		r.list = p.localRevision
		r.timer.Reset(remindAfter)
	}
}

func (p *peer) remind() {
	l := p.link
	if p.ended || l == nil || !p.lacksSection() {
		return
	}
	if p.conn == nil || l.answer == nil || l.offers.pending != nil {
		p.reminder.timer.Reset(remindAfter) // it would not be heard, or has to answer first
		return
	}
	// The revision stays, so that an offer which crosses this still counts.
	p.tellDescription(&signaling.Description{Type: signaling.DescriptionCreateOffer, Revision: l.revision + 1})
}

// lacksSection reports whether a track that needs a section has none.
func (p *peer) lacksSection() bool {
	for _, t := range p.tracks {
		if t.up != nil && !p.link.sends(t.id) {
			return true
		}
	}
	return false
}
