package sfu

import (
	"time"

	"github.com/parley-rtc/parley/internal/sfu/allocation"
	"github.com/parley-rtc/parley/signaling"
)

// A subscriber that said how it wants its downlink shared, or which of the
// tracks it looks at, gets its video by what package allocation decides. One
// that said neither gets everything, as long as its network takes that.
//
// News of any kind (who is there, priorities, wishes, who speaks, the profile)
// are decided on at once. Between them only bitrates change, and those are
// looked at every allotPace, as means over about two seconds. A track that was
// switched off for its bitrate stays off for allotHold at least, unless there
// is news. In the mode "detected" there has to be too much for allotPatience
// before anything is switched off for that.
const (
	allotPace     = 500 * time.Millisecond
	allotHold     = 5 * time.Second
	allotPatience = 2 * time.Second
)

// allotment is what a peer knows about the sharing of its downlink.
type allotment struct {
	profile  *signaling.BandwidthProfile // nil: it has none
	estimate int                         // of the downlink, in bits per second of video; 0: not known
	measured bool                        // it was known once
	look     bool                        // it has changed
	wishes   map[string]*wish            // by SID, of video in the roster
	speaker  string                      // SID of the dominant speaker, or empty
	spoke    map[string]int              // by SID, when each became that last
	turns    int                         // of speaking
	news     bool                        // something is to be decided anew
	over     time.Time                   // since when there is too much; zero: there is not
	timer    *time.Timer
	armed    bool

	videos map[string]int // by SID, where in the roster of
	of     *roster
}

// wish is what a subscriber said about one track.
type wish struct {
	priority signaling.Priority // empty: the publisher's
	off      bool
	shown    signaling.Dimensions
}

// share is a subscription's part of the downlink.
type share struct {
	allocation.Verdict
	told  bool // the client knows that it is off
	held  time.Time
	rates []int // means by layer, in bits per second
}

func (p *peer) newAllotment() {
	p.allotment.wishes, p.allotment.spoke = map[string]*wish{}, map[string]int{}
	p.allotment.timer = time.AfterFunc(time.Hour, func() {
		p.post(func() {
			p.allotment.armed = false
			p.allot(false)
		})
	})
	p.allotment.timer.Stop()
}

// setProfile takes a profile of the client. nil says nothing.
func (p *peer) setProfile(profile *signaling.BandwidthProfile) {
	if profile != nil {
		p.allotment.profile, p.allotment.news = profile, true
	}
}

// setSpeaker says whose tracks are those of the dominant speaker: a
// participant's SID, or nobody's.
func (p *peer) setSpeaker(sid string) {
	a := &p.allotment
	if a.speaker == sid {
		return
	}
	a.speaker, a.news = sid, true
	if sid != "" {
		a.turns++
		a.spoke[sid] = a.turns
	}
}

// setEstimate says how much video the downlink takes, in bits per second; 0: it
// is not known. That is no news: what is held off stays off.
func (p *peer) setEstimate(bitrate int) {
	if a := &p.allotment; a.estimate != bitrate {
		a.estimate, a.look = bitrate, true
		a.measured = a.measured || bitrate > 0
	}
}

// linkLimit looks at what the connection takes. While a queue on the way to the
// client goes away, it stands that what is on stays on, if there will be room
// for that.
func (p *peer) linkLimit(l *link) {
	if p.ended || p.link != l {
		return
	}
	bitrate, lasting, ok := l.pc.MediaLimit()
	if !ok {
		p.setEstimate(0)
		return
	}
	if lasting > bitrate && p.videoLoad() <= lasting {
		bitrate = lasting
	}
	p.setEstimate(max(bitrate, 1))
}

// videoLoad is the bitrate of the video that is on.
func (p *peer) videoLoad() (load int) {
	for _, s := range p.subs {
		if s.pub.kind == signaling.KindVideo && !s.Off && len(s.rates) > 0 {
			load += s.rates[min(s.Layer, len(s.rates)-1)]
		}
	}
	return load
}

// wish returns what the client said about a track, for it to say more; nil: it
// does not have such a track.
func (p *peer) wish(sid string) *wish {
	if _, there := p.videos()[sid]; !there {
		return nil
	}
	w := p.allotment.wishes[sid]
	if w == nil {
		w = &wish{}
		p.allotment.wishes[sid] = w
	}
	return w
}

// videos tells where in the roster which video is.
func (p *peer) videos() map[string]int {
	a := &p.allotment
	if a.of != p.roster {
		a.of, a.videos = p.roster, map[string]int{}
		for i, pub := range p.roster.pubs {
			if pub.kind == signaling.KindVideo {
				a.videos[pub.sid] = i
			}
		}
	}
	return a.videos
}

// forgetWishes drops what was said about tracks that are gone.
func (p *peer) forgetWishes() {
	a := &p.allotment
	a.news = true
	if len(a.wishes)+len(a.spoke) == 0 {
		return
	}
	owners := map[string]bool{}
	for _, sid := range p.roster.owners {
		owners[sid] = true
	}
	for sid := range a.wishes {
		if _, there := p.videos()[sid]; !there {
			delete(a.wishes, sid)
		}
	}
	for sid := range a.spoke {
		if !owners[sid] && sid != a.speaker {
			delete(a.spoke, sid)
		}
	}
}

// allots reports whether the client's video is shared out at all.
func (p *peer) allots() bool {
	return p.allotment.profile != nil || p.allotment.measured || p.has(channelRenderHints)
}

// allotNews decides anew if there is a reason.
func (p *peer) allotNews() {
	if p.allotment.news || p.allotment.look {
		p.allot(p.allotment.news)
	}
}

// allot decides which video the client gets. Without news it is only time that
// has passed.
func (p *peer) allot(news bool) {
	a := &p.allotment
	a.news, a.look = false, false
	if p.ended || !p.allots() {
		return
	}
	now := time.Now()
	if l := p.link; l != nil && l.pc.Limit() > 0 {
		p.linkLimit(l) // sound takes its part, which changes
		a.look = false
	}
	room := allocation.Room{Bitrate: p.budget()}
	room.Firm = room.Bitrate > 0 && room.Bitrate == a.estimate
	var shared []*subscription
	var tracks []allocation.Track
	for _, s := range p.subs {
		if s.pub.kind == signaling.KindVideo {
			t := p.shareOf(s)
			t.Held = !news && now.Before(s.held)
			shared, tracks = append(shared, s), append(tracks, t)
		}
	}
	room.Patient = p.patient(room.Bitrate, tracks, now)
	for i, v := range allocation.Decide(a.profile, room, tracks) {
		s := shared[i]
		if v.Starved && !s.Off {
			s.held = now.Add(allotHold)
		}
		s.Verdict = v
		if s.slot != nil {
			s.slot.prefer(v.Size.Width, v.Size.Height)
			s.slot.pause(v.Off)
		}
	}
	p.tellSwitched(shared)
	p.want(tracks)
	if room.Bitrate > 0 && len(shared) > 0 && !a.armed {
		a.armed = true
		a.timer.Reset(allotPace)
	}
}

// want tells the connection how much video there would be to send, so that it
// finds out whether there is room for more.
func (p *peer) want(tracks []allocation.Track) {
	a := &p.allotment
	if a.estimate == 0 || p.link == nil {
		return
	}
	room := allocation.Room{}
	if a.profile != nil {
		room.Bitrate = a.profile.MaxBitrate
	}
	for i, v := range allocation.Decide(a.profile, room, tracks) {
		tracks[i].Verdict = v
	}
	p.link.pc.Want(allocation.Load(tracks))
}

// budget is what all video together may take; 0: as much as it likes.
func (p *peer) budget() int {
	bitrate := p.allotment.estimate
	if prof := p.allotment.profile; prof != nil && prof.MaxBitrate > 0 && (bitrate == 0 || prof.MaxBitrate < bitrate) {
		bitrate = prof.MaxBitrate
	}
	return bitrate
}

// patient reports whether what is on shall stay on.
func (p *peer) patient(bitrate int, tracks []allocation.Track, now time.Time) bool {
	a := &p.allotment
	if bitrate == 0 || allocation.Load(tracks) <= bitrate {
		a.over = time.Time{}
	} else if a.over.IsZero() {
		a.over = now
	}
	return a.profile != nil && a.profile.SwitchOff == signaling.SwitchOffDetected &&
		(a.over.IsZero() || now.Sub(a.over) < allotPatience)
}

// shareOf is what there is to know about a subscription.
func (p *peer) shareOf(s *subscription) allocation.Track {
	a := &p.allotment
	t := allocation.Track{
		Speaks: s.owner == a.speaker, Spoke: a.spoke[s.owner], Verdict: s.Verdict, Layers: s.measure(),
	}
	if i, ok := p.videos()[s.pub.sid]; ok {
		t.Published, t.Disabled = p.roster.tracks[i].priority, !p.roster.tracks[i].on()
	}
	if w := a.wishes[s.pub.sid]; w != nil {
		t.Override, t.Refused, t.Shown = w.priority, w.off, w.shown
	}
	return t
}

// measure returns the layers of the subscription with their mean bitrates. Of
// what is not sent to anybody nothing comes, so what is known of it stays; one
// of which nothing is known counts as three times the one below.
func (s *subscription) measure() []allocation.Layer {
	layers := s.pub.up.measured()
	for len(s.rates) < len(layers) {
		s.rates = append(s.rates, 0)
	}
	for i := range layers {
		switch rate := layers[i].Bitrate; {
		case s.rates[i] == 0:
			s.rates[i] = rate
		case rate > 0:
			s.rates[i] += (rate - s.rates[i]) / 2
		case !s.Off && i <= s.Layer:
			s.rates[i] /= 2
		}
		layers[i].Bitrate = s.rates[i]
		if i > 0 && layers[i].Bitrate == 0 {
			layers[i].Bitrate = 3 * layers[i-1].Bitrate
		}
	}
	return layers
}
