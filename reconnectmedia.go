package parley

import (
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/parley-rtc/parley/internal/engine"
	"github.com/parley-rtc/parley/signaling"
)

// renewEngine replaces the media plane; publications and tracks stay.
func (r *Room) renewEngine() error {
	l := &r.loop
	fresh, err := r.newEngine()
	if err != nil {
		return err
	}
	old := l.engine
	l.engine = fresh
	l.re.renewed = l.re.renewed || l.re.mediaUp
	l.re.mediaUp, l.re.mediaDown, l.re.deaf = false, false, 0
	for _, pub := range l.publications {
		pub.sender.live.Store(false)
		if d := pub.sender.data.Load(); d != nil {
			if n := d.Abandon(); n > 0 {
				r.mu.Lock()
				r.tellOwn(pub.track, MessagesUnconfirmed{pub, n})
				r.mu.Unlock()
			}
		}
		if err := pub.open(fresh); err != nil {
			return err
		}
	}
	r.mu.Lock()
	for _, p := range r.remotes {
		for _, pub := range p.tracks {
			pub.bound = signaling.Subscription{}
		}
	}
	r.mu.Unlock()
	wait := old.Close()
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		if err := wait(); err != nil {
			r.log.Debug("closing the media connection", "err", err)
		}
	}()
	return nil
}

// connectionChanged looks at the media connection. It runs on the loop.
func (r *Room) connectionChanged() {
	l := &r.loop
	if l.ended {
		return
	}
	c := l.engine.Connection()
	if c.Pair != "" {
		l.re.pair = c.Pair
	}
	switch c.State {
	case engine.StateConnected:
		l.re.mediaUp, l.re.mediaDown, l.re.renewed, l.re.deaf = true, false, false, 0
		l.re.unrelayed = false
		if l.re.restart != nil {
			l.re.restart.Stop()
			l.re.restart = nil
		}
		r.goLive()
	case engine.StateDown, engine.StateFailed:
		l.re.unrelayed = l.re.unrelayed || c.Unrelayed
		if c.State == engine.StateFailed {
			r.qualityLost()
		}
		if !l.re.mediaDown {
			l.re.mediaDown, l.re.deaf, l.re.turns = true, 0, 0
			r.restartICE()
			r.probe()
		}
	case engine.StateClosed:
		// The server ended it, and is about to say why. If it does not, it
		// has lost us.
		if l.re.restart == nil {
			l.re.restart = r.after(byeTime, func() {
				if !l.ended && l.engine.Connection().State == engine.StateClosed {
					r.mediaBroken(signaling.NewError(signaling.CodeMediaConnection))
				}
			})
		}
	case engine.StateDTLSFailed:
		r.end(wrap("%w", signaling.NewError(signaling.CodeMediaDTLSFailed)), "")
	case engine.StateNew:
		if l.engine.Alone() && !r.expectsMedia() { // nothing is left that could be down
			l.re.mediaDown, l.re.renewed = false, false
		}
	}
	r.look()
}

// expectsMedia reports whether somebody is there with whom there is to be a
// connection, in a peer-to-peer room.
func (r *Room) expectsMedia() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.remotes, func(p *RemoteParticipant) bool { return p.state == StateConnected })
}

// restartICE tries to find another way for media, again and again while it is
// down.
func (r *Room) restartICE() {
	l := &r.loop
	if l.ended || !l.re.mediaDown || l.caps.PeerToPeer {
		return // each connection between participants restarts by itself
	}
	switch {
	case l.re.sigDown:
		l.re.deaf = 0
	case l.engine.Awaiting():
		if l.re.deaf++; l.re.deaf > deafTurns {
			l.re.deaf = 0
			r.sessionLost(signaling.NewError(signaling.CodeSignalingDisconnected))
			if l.ended {
				return
			}
		}
	case l.re.turns%restartTurns == 0:
		l.re.deaf = 0
		l.re.attempts++
		if err := l.engine.RestartICE(); err != nil {
			r.mediaBroken(err)
			return
		}
	}
	l.re.turns++
	l.re.restart = r.after(restartTick+rand.N(restartTick/2), r.restartICE)
}

// negotiate makes the offers that are due; the turn's end sends them.
func (r *Room) negotiate() error {
	if r.loop.session == nil {
		return nil // the next offer rides in the join
	}
	return r.loop.engine.Negotiate()
}

// mediaBroken handles a media plane that cannot go on.
func (r *Room) mediaBroken(err error) {
	l := &r.loop
	if l.ended {
		return
	}
	var e *signaling.Error
	if errors.As(err, &e) && !e.Temporary() {
		r.end(wrap("%w", e), reasonOf(e))
		return
	}
	l.re.last = err
	l.re.fresh = true
	if l.session != nil {
		r.sessionLost(err)
	}
}
