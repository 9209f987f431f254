package parley

import (
	"github.com/parley-rtc/parley/internal/engine"
	"github.com/parley-rtc/parley/signaling"
)

// What we receive: our wishes, the rules they become, and what the server
// subscribes us to. All of it runs on the loop.

func (r *Room) applySubscribed(tracks []signaling.Subscription) {
	const most = 4096 // entries; a room has at most 50 times 16 tracks
	l := &r.loop
	l.subs = make(map[string]signaling.Subscription, len(tracks))
	for _, t := range tracks {
		if len(l.subs) < most {
			l.subs[t.SID] = t
		}
	}
}

// reconcile brings the publications' tracks in line with what the server says
// we receive, as far as all the parts of it have arrived. It runs on the loop.
func (r *Room) reconcile() {
	l := &r.loop
	if l.subs == nil {
		return // the server has not told yet
	}
	audio, video := 0, 0
	r.mu.Lock()
	for _, p := range r.remotes {
		for _, pub := range p.tracks {
			sub, listed := l.subs[pub.sid]
			switch {
			case !listed:
				r.unsubscribe(pub)
			case sub.Err != nil:
				r.unsubscribe(pub)
				if !pub.failed {
					pub.failed = true
					r.timeline.Append(TrackSubscriptionFailed{sub.Err, pub, p})
					pub.settleSubscription(sub.Err)
				}
			default:
				pub.failed = false
				if pub.kind == KindAudio {
					audio++
				} else if pub.kind == KindVideo {
					video++
				}
				r.subscribe(pub, sub)
			}
		}
	}
	r.mu.Unlock()
	if !l.caps.Slots {
		return
	}
	if err := l.engine.WantSlots(min(audio, maxParticipants), min(video, maxParticipants)); err != nil {
		r.log.Warn("adding receive sections", "err", err)
	}
	if err := r.negotiate(); err != nil {
		r.mediaBroken(err)
	}
}

// subscribe binds the publication's track to its media, making the track first
// if needed. mu is held.
func (r *Room) subscribe(pub *RemoteTrackPublication, sub signaling.Subscription) {
	e := r.loop.engine
	var home any // in peer-to-peer rooms
	if r.loop.caps.PeerToPeer {
		if home = e.Home(pub.participant.sid, sub.ID); home == nil {
			return // it will come
		}
	}
	if sub.ID == "" || (pub.track != nil && pub.bound.ID == sub.ID && pub.bound.From == sub.From && pub.home == home) {
		return
	}
	t := pub.track
	if t == nil {
		t = r.newRemoteTrack(pub)
	}
	if d, ok := t.(*RemoteDataTrack); ok {
		ch := e.Channel(r.channelOf(pub, sub))
		if ch == nil {
			return // it will open
		}
		if pub.track == nil {
			d.rel = ch.Reliability()
		}
		ch.Bind(d.push)
	} else if err := r.bind(pub, sub, t.media().recv); err != nil {
		return // its section will come
	}
	pub.bound, pub.home = sub, home
	if pub.track == nil {
		pub.track = t
		r.timeline.Append(TrackSubscribed{t, pub, pub.participant})
		if r.loop.share.off[pub.sid] {
			r.switchOff(pub.sid, true)
		}
		pub.settleSubscription(nil)
	}
}

// bind connects a track with the section that carries it.
func (r *Room) bind(pub *RemoteTrackPublication, sub signaling.Subscription, recv *engine.Receiver) error {
	if r.loop.caps.PeerToPeer {
		return r.loop.engine.BindFrom(pub.participant.sid, sub, recv)
	}
	return r.loop.engine.Bind(sub, r.loop.caps.Slots, recv)
}

// channelOf is how the engine knows the data channel of a subscription.
func (r *Room) channelOf(pub *RemoteTrackPublication, sub signaling.Subscription) string {
	if r.loop.caps.PeerToPeer {
		return engine.MeshLabel(pub.participant.sid, sub.ID)
	}
	return sub.ID
}

// setSubscribed changes what we ask for. It runs on the loop.
func (r *Room) setSubscribed(pub *RemoteTrackPublication, want bool, settled chan error) {
	if pub.gone || r.loop.ended {
		settled <- ErrUnsubscribed
		return
	}
	if !r.loop.caps.Subscribe {
		settled <- signaling.NewError(signaling.CodeSubscriptionNotSupported)
		return
	}
	if want && !r.capabilities.Subscribe {
		settled <- signaling.Errorf(signaling.CodeTokenGrantsInvalid, "the role may not receive tracks")
		return
	}
	before := pub.want
	pub.want = &want
	if len(r.exceptions()) > maxExceptions {
		pub.want = before
		settled <- signaling.Errorf(signaling.CodeSubscribeRulesInvalid, "more than %d tracks are chosen one by one", maxExceptions)
		return
	}
	pub.waits = append(pub.waits, settled)
	pub.failed = false
	r.resubscribe()
	if want == (pub.track != nil) {
		pub.settleSubscription(nil)
	}
}

// maxExceptions is how many publications may be subscribed, or not, other than
// ManualSubscribe says. Servers take 256 rules.
const maxExceptions = 255

// exceptions are the publications that the program wants otherwise than
// ManualSubscribe says.
func (r *Room) exceptions() []*RemoteTrackPublication {
	var list []*RemoteTrackPublication
	for _, p := range r.remotes {
		for _, pub := range p.tracks {
			if pub.want != nil && *pub.want == r.opts.ManualSubscribe {
				list = append(list, pub)
			}
		}
	}
	return list
}

// resubscribe renews the rules that we send.
func (r *Room) resubscribe() {
	r.choose(func(pub *RemoteTrackPublication) signaling.Rule { return signaling.Rule{Track: pub.sid} })
	r.loop.subDirty = true
}

// choose makes the rules, with one for each exception.
func (r *Room) choose(rule func(*RemoteTrackPublication) signaling.Rule) {
	l := &r.loop
	rules := []signaling.Rule{{Exclude: r.opts.ManualSubscribe, All: true}}
	for _, pub := range r.exceptions() {
		one := rule(pub)
		one.Exclude = !r.opts.ManualSubscribe
		rules = append(rules, one)
	}
	l.subscribe = signaling.Subscribe{Revision: l.subscribe.Revision + 1, Rules: rules}
}
