package parley

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/parley-rtc/parley/signaling"
)

// BandwidthProfile says how the server shares the downlink among the video
// tracks that a program receives. Its zero value lets everything through; with
// it RemoteVideoTrack.SwitchOff and the like have an effect.
//
// At most MaxTracks are on, of at most MaxBitrate bits per second together: the
// ones of the highest priority, of equals those whose participant spoke last,
// then the oldest. The first of all is on whatever it takes, unless it is more
// than the network does. TrackSwitchedOff and TrackSwitchedOn tell what becomes
// of them.
type BandwidthProfile = signaling.BandwidthProfile

// RenderDimensions are the sizes in which tracks are shown, by their priority.
type RenderDimensions = signaling.RenderDimensions

// Dimensions are a size in pixels.
type Dimensions = signaling.Dimensions

// The modes of a BandwidthProfile: what the network is used for once every
// track is on. Its default is grid.
const (
	BandwidthGrid          = signaling.BandwidthGrid          // all tracks alike
	BandwidthCollaboration = signaling.BandwidthCollaboration // tracks of high priority become large first
	BandwidthPresentation  = signaling.BandwidthPresentation  // others are on only with what these leave
)

// When tracks for which there is no bandwidth are switched off. The default is
// predicted.
const (
	SwitchOffPredicted = signaling.SwitchOffPredicted // as soon as their bitrates are too high
	SwitchOffDetected  = signaling.SwitchOffDetected  // after that was so for a while
	SwitchOffDisabled  = signaling.SwitchOffDisabled  // never; MaxTracks counts all the same
)

// The media-signaling channels that go with a profile.
const (
	channelTrackPriority  = "track_priority"
	channelTrackSwitchOff = "track_switch_off"
	channelRenderHints    = "render_hints"
)

func checkProfile(p *BandwidthProfile) error {
	if p == nil {
		return nil
	}
	switch p.Mode {
	case "", BandwidthGrid, BandwidthCollaboration, BandwidthPresentation:
	default:
		return wrap("%w: bandwidth mode %q", ErrOption, p.Mode)
	}
	switch p.SwitchOff {
	case "", SwitchOffPredicted, SwitchOffDetected, SwitchOffDisabled:
	default:
		return wrap("%w: switch-off mode %q", ErrOption, p.SwitchOff)
	}
	if p.SpeakerPriority != "" && !validPriority(p.SpeakerPriority) {
		return wrap("%w: priority %q", ErrOption, p.SpeakerPriority)
	}
	if p.MaxBitrate < 0 || p.MaxTracks < 0 {
		return wrap("%w: negative bound in a bandwidth profile", ErrOption)
	}
	if r := p.RenderDimensions; r != nil {
		for _, d := range []Dimensions{r.Low, r.Standard, r.High} {
			if d.Width < 0 || d.Height < 0 {
				return wrap("%w: negative render dimensions", ErrOption)
			}
		}
	}
	return nil
}

func cloneProfile(p *BandwidthProfile) *BandwidthProfile {
	if p == nil {
		return nil
	}
	c := *p
	if p.RenderDimensions != nil {
		r := *p.RenderDimensions
		c.RenderDimensions = &r
	}
	return &c
}

// SetBandwidthProfile replaces ConnectOptions.BandwidthProfile. It is an error
// where the room was joined without one.
func (p *LocalParticipant) SetBandwidthProfile(profile BandwidthProfile) error {
	if err := p.room.needsProfile(); err != nil {
		return err
	}
	if err := checkProfile(&profile); err != nil {
		return err
	}
	c := cloneProfile(&profile)
	p.room.post(func() { p.room.loop.share.profile, p.room.loop.share.profileDirty = c, true })
	return nil
}

func (r *Room) needsProfile() error {
	if r.opts.BandwidthProfile == nil {
		return wrap("%w: the room was joined without a BandwidthProfile", ErrOption)
	}
	return nil
}

// SetPriority gives the track another priority for this program than its
// publisher did; "" returns to the publisher's. It counts for what is switched
// off first and what is large, stays through reconnecting, and ends with the
// publication. It is an error without ConnectOptions.BandwidthProfile.
func (t *remoteMedia) SetPriority(priority Priority) error {
	if priority != "" && !validPriority(priority) {
		return wrap("%w: priority %q", ErrOption, priority)
	}
	return t.pub.ask(func(a *asked) { a.priority, a.tellPriority = priority, true })
}

// Priority returns what SetPriority set, or "".
func (t *remoteMedia) Priority() Priority {
	r := t.pub.participant.room
	r.mu.RLock()
	defer r.mu.RUnlock()
	return t.pub.asked.priority
}

// SwitchOff asks the server to send the track no more. It stays subscribed;
// TrackSwitchedOff tells when it is so. As SetPriority, it stays through
// reconnecting and needs a BandwidthProfile.
func (t *RemoteVideoTrack) SwitchOff() error {
	return t.pub.ask(func(a *asked) { a.off, a.tellOff = true, true })
}

// SwitchOn takes SwitchOff back. The track goes on with a key frame, unless it
// is off for another reason.
func (t *RemoteVideoTrack) SwitchOn() error {
	return t.pub.ask(func(a *asked) { a.off, a.tellOff = false, true })
}

// SetContentPreferences says in which size the picture is shown, in pixels, so
// that the server need not send it larger; 0, 0 asks for the best. The size is
// a wish: of a track that is published in one size only there is that one. As
// SetPriority, it stays through reconnecting and needs a BandwidthProfile.
func (t *RemoteVideoTrack) SetContentPreferences(width, height int) error {
	if width < 0 || height < 0 || (width == 0) != (height == 0) {
		return wrap("%w: content preferences of %dx%d", ErrOption, width, height)
	}
	return t.pub.ask(func(a *asked) { a.shown, a.tellShown = Dimensions{Width: width, Height: height}, true })
}

// asked is what the program asked of a remote track.
type asked struct {
	priority Priority // empty: the publisher's
	off      bool
	shown    Dimensions

	// Of the loop alone: what the server is to be told, and what it was told,
	// which may not have arrived.
	tellPriority, tellOff, tellShown bool
	toldPriority, toldOff, toldShown bool
	waits                            bool // it is among those to tell
}

// ask changes what is asked of the track and lets the server know.
func (p *RemoteTrackPublication) ask(change func(*asked)) error {
	r := p.participant.room
	if err := r.needsProfile(); err != nil {
		return err
	}
	r.post(func() {
		if p.gone {
			return
		}
		r.mu.Lock()
		change(&p.asked)
		r.mu.Unlock()
		r.loop.share.wait(p)
	})
	return nil
}

// Servers hear of what is asked in portions, so that a program that asks a lot
// is not taken for one that floods.
const (
	askPortion = 20 // tracks
	askPause   = 500 * time.Millisecond
)

// share is what the loop knows about the sharing of the downlink.
type share struct {
	profile      *BandwidthProfile
	profileDirty bool
	off          map[string]bool // SIDs that the server has switched off
	waiting      []*RemoteTrackPublication
	next         time.Time // when the server may be told again
	timer        *time.Timer
	hints        int // messages so far
}

func (s *share) wait(p *RemoteTrackPublication) {
	if !p.asked.waits {
		p.asked.waits = true
		s.waiting = append(s.waiting, p)
	}
}

// channels are the media-signaling channels that the room wants.
func (r *Room) channels() []string {
	list := []string{channelPublisherHints}
	if r.opts.BandwidthProfile != nil {
		list = append(list, channelTrackPriority, channelTrackSwitchOff, channelRenderHints)
	}
	if r.opts.DominantSpeaker {
		list = append(list, channelSpeaker)
	}
	if r.opts.NetworkQuality != nil {
		list = append(list, channelQuality)
	}
	return list
}

// askAgain tells a server that may not know what was asked. mu is held.
func (r *Room) askAgain() {
	s := &r.loop.share
	for _, p := range r.remotes {
		for _, pub := range p.tracks {
			a := &pub.asked
			a.tellPriority = a.tellPriority || a.toldPriority
			a.tellOff = a.tellOff || a.toldOff
			a.tellShown = a.tellShown || a.toldShown
			if a.tellPriority || a.tellOff || a.tellShown {
				s.wait(pub)
			}
		}
	}
}

type hint struct {
	Track   string    `json:"track"`
	Enabled *bool     `json:"enabled,omitempty"`
	Render  *hintSize `json:"render_dimensions,omitempty"`
}

type hintSize struct {
	Width  int `json:"width"`
	Height int `json:"height"`
}

// asks are the messages for the next portion.
func (r *Room) asks() []signaling.Channel {
	s := &r.loop.share
	if len(s.waiting) == 0 {
		return nil
	}
	if wait := time.Until(s.next); wait > 0 {
		if s.timer == nil {
			s.timer = r.after(wait, func() { s.timer = nil }) // the turn ends with a flush
		}
		return nil
	}
	var list []signaling.Channel
	var hints []hint
	n := min(len(s.waiting), askPortion)
	for _, p := range s.waiting[:n] {
		a := &p.asked
		if a.tellPriority && !p.gone {
			list = append(list, priorityMessage(p.sid, a.priority))
		}
		if (a.tellOff || a.tellShown) && !p.gone {
			h := hint{Track: p.sid}
			if a.tellOff {
				on := !a.off
				h.Enabled = &on
			}
			if a.tellShown {
				h.Render = &hintSize{a.shown.Width, a.shown.Height}
			}
			hints = append(hints, h)
		}
		a.toldPriority, a.toldOff, a.toldShown = a.toldPriority || a.tellPriority, a.toldOff || a.tellOff, a.toldShown || a.tellShown
		a.waits, a.tellPriority, a.tellOff, a.tellShown = false, false, false, false
	}
	s.waiting = slices.Delete(s.waiting, 0, n)
	s.next = time.Now().Add(askPause)
	if len(hints) > 0 {
		s.hints++
		list = append(list, hintsMessage(s.hints, hints))
	}
	if len(s.waiting) > 0 && s.timer == nil {
		s.timer = r.after(askPause, func() { s.timer = nil })
	}
	return list
}

// applySwitched takes what the server has switched. mu is held. What is not
// subscribed yet is remembered: a track may be later than this news.
func (r *Room) applySwitched(off, on []string) {
	const most = 4096
	l := &r.loop
	for _, sid := range on {
		if !slices.Contains(off, sid) {
			delete(l.share.off, sid)
			r.switchOff(sid, false)
		}
	}
	for _, sid := range off {
		if len(l.share.off) < most {
			if l.share.off == nil {
				l.share.off = map[string]bool{}
			}
			l.share.off[sid] = true
		}
		r.switchOff(sid, true)
	}
}

func priorityMessage(sid string, priority Priority) signaling.Channel {
	m := struct {
		Type      string    `json:"type"`
		Track     string    `json:"track"`
		Subscribe *Priority `json:"subscribe"` // null: the publisher's
	}{Type: channelTrackPriority, Track: sid}
	if priority != "" {
		m.Subscribe = &priority
	}
	return channelMessage(channelTrackPriority, m)
}

func hintsMessage(id int, hints []hint) signaling.Channel {
	type subscriber struct {
		ID    int    `json:"id"`
		Hints []hint `json:"hints"`
	}
	return channelMessage(channelRenderHints, struct {
		Type       string     `json:"type"`
		Subscriber subscriber `json:"subscriber"`
	}{channelRenderHints, subscriber{id, hints}})
}

func channelMessage(name string, m any) signaling.Channel {
	data, _ := json.Marshal(m) // strings, numbers and booleans always can
	return signaling.Channel{Name: name, Payload: data}
}
