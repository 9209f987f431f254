package parley

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/signaling"
)

const (
	defaultSessionTimeout = 30 * time.Second
	// An attempt to dial has at first dialTimeout, and every further one half
	// as much again. A machine that gets no answer asks ever more rarely: a
	// new attempt asks at once.
	dialTimeout     = 3 * time.Second
	dialTimeoutMost = 15 * time.Second
	backoffStart    = 80 * time.Millisecond
	backoffFactor   = 1.5
	backoffMost     = 10 * time.Second
	// settleTime is how long a session has to last before the attempt after it
	// is the first again. Servers that let everybody in and out at once would
	// be asked without end.
	settleTime = time.Second
	// busySpread is how much later than a busy server says an attempt may be.
	busySpread = 100 * time.Millisecond
	// restartTick is the pace at which lost media is looked after, with up to
	// half of it added at random. Every restartTurns ticks ICE is restarted
	// again, which leaves a slow path the time to be found.
	restartTick  = time.Second
	restartTurns = 3
	// deafTurns is after how many ticks without an answer to the restart the
	// signaling connection is suspected too.
	deafTurns = 2
	// byeTime is what the server has for saying why it closed the media
	// connection.
	byeTime = 500 * time.Millisecond
)

// reconnect is how a room is brought back. There are two things that can be
// down, signaling and media, and three ways: resuming the session, restarting
// ICE, and joining anew with everything the program had. All of them end when
// the session's time is over.
type reconnect struct {
	sigDown, mediaDown bool
	mediaUp            bool // the media connection is up, or was when last looked
	renewed            bool // a media connection that was up is being replaced
	since              time.Time
	attempts           int
	last               error // what the last attempt met
	unrelayed          bool  // no TURN server could be used, since media was up
	pair               string
	deaf, turns        int

	fresh    bool // the session is gone: join anew
	rejoined bool // while the first state after that is applied
	renew    bool // ask for a new token first
	dialing  bool
	tries    int       // in a row, for the backoff
	begun    time.Time // when the last session began

	deadline, restart, retry *time.Timer
}

// joined takes a session that the server has accepted. It runs on the loop.
func (r *Room) joined(join signaling.Join, s signaling.Session) {
	l := &r.loop
	if l.ended {
		_ = s.Close(context.Background(), signaling.ReasonReplaced) // nobody needs it any more
		return
	}
	fresh := join.Resume == ""
	if !fresh && l.re.fresh {
		_ = s.Close(context.Background(), signaling.ReasonReplaced) // it came too late: media is broken
		r.dial(0, 0)
		return
	}
	if l.session != nil {
		_ = l.session.Close(context.Background(), signaling.ReasonReplaced) // see probe
	}
	state := s.Initial()
	again := r.State() == StateReconnecting
	l.session, l.sessionID, l.caps = s, state.Session, state.Capabilities
	l.generation++
	l.re.begun = time.Now()
	r.controlBegins(fresh)
	if why := r.strange(state, fresh); why != "" {
		r.end(wrap("%w", signaling.Errorf(signaling.CodeSignalingIncomingInvalid, "%s", why)), ReasonProtocol)
		return
	}
	if fresh {
		l.publishedRev, l.subscribedRev, l.recordingRev, l.warningsRev = 0, 0, 0, 0
		clear(l.seen)
		l.subs = nil
		l.share.off = nil
		l.re.rejoined = again
		if state.Room.SessionTimeout > 0 {
			l.timeout = state.Room.SessionTimeout
		}
	}
	r.mu.Lock()
	if state.Room.SID != "" {
		r.sid, r.name = state.Room.SID, state.Room.Name
		r.mediaRegion, r.local.region = state.Room.MediaRegion, state.Room.SignalingRegion
	}
	if p := state.Permissions; p != nil {
		r.capabilities = Capabilities(*p)
	}
	if state.Participant.SID != "" {
		r.local.sid, r.local.identity = state.Participant.SID, state.Participant.Identity
	}
	if r.state == "" {
		r.state = StateConnected
	}
	r.mu.Unlock()
	if l.caps.PeerToPeer {
		l.engine.SetMesh(l.timeout, r.iceServers())
	} else {
		l.engine.SetQuiet(l.caps.Slots)
	}
	if err := r.takeServers(state.ICEServers, fresh); err != nil {
		r.end(wrap("%w", err), "")
		return
	}
	l.dirty = l.dirty || l.revision != join.Participant.Revision
	l.re.sigDown, l.re.fresh = false, false
	r.apply(state.Update)
	if l.re.rejoined {
		l.re.rejoined = false
		r.resubscribe() // tracks have new handles
	}
	r.mu.Lock()
	r.askAgain()
	r.mu.Unlock()
	r.measure()
	r.read(s, l.generation)
	r.watchNetwork()
	if l.caps.PeerToPeer {
		r.connectionChanged()
	}
	r.look()
}

// strange tells what is wrong with the state that a server answered with, or
// "". A session that is resumed stays where and whose it was.
func (r *Room) strange(s signaling.State, fresh bool) string {
	switch {
	case fresh && s.Participant.SID == "":
		return "the server does not say who we are"
	case !fresh && s.Room.SID != "" && s.Room.SID != r.SID():
		return "the server resumed the session in another room"
	case !fresh && s.Participant.SID != "" && s.Participant.SID != r.local.SID():
		return "the server resumed the session of another participant"
	}
	return ""
}

// read follows a session until it ends.
func (r *Room) read(s signaling.Session, generation int) {
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		for {
			u, err := s.Receive(r.life)
			if err != nil {
				r.post(func() {
					if r.loop.generation == generation {
						r.sessionLost(err)
					}
				})
				return
			}
			r.post(func() {
				if r.loop.generation == generation {
					r.apply(u)
				}
			})
		}
	}()
}

// ErrRemoved says that the server took the program out of the room.
var ErrRemoved = errors.New("removed from the room")

// sessionLost decides what the end of a session means. It runs on the loop.
func (r *Room) sessionLost(err error) {
	l := &r.loop
	if l.ended {
		return
	}
	if l.session != nil {
		_ = l.session.Close(context.Background(), signaling.ReasonReplaced) // it has ended already
		l.session = nil
	}
	l.generation++
	l.re.last = err
	r.controlLost()
	if time.Since(l.re.begun) >= settleTime {
		l.re.tries = 0
	}
	var e *signaling.Error
	if !errors.As(err, &e) {
		e = signaling.Errorf(signaling.CodeSignalingDisconnected, "%w", err)
	}
	switch {
	case e.Reason == ReasonShutdown && e.RetryAfter >= 0:
		l.re.fresh = true
	case e.Temporary():
	case e.Code == 0 && e.Reason == "":
		r.end(ErrRemoved, ReasonRemoved)
		return
	case e.Code == 0:
		r.end(wrap("%w: %s", ErrRemoved, e.Reason), e.Reason)
		return
	default:
		r.end(wrap("%w", e), reasonOf(e))
		return
	}
	l.re.sigDown = true
	r.look()
	r.dial(e.RetryAfter, e.RetryAfter/4) // everybody was told the same
}

func reasonOf(e *signaling.Error) DisconnectReason {
	if e.Reason != "" {
		return e.Reason
	}
	switch e.Code {
	case signaling.CodeRoomCompleted:
		return ReasonCompleted
	case signaling.CodeDuplicateIdentity:
		return ReasonDuplicate
	case signaling.CodeSignalingIncomingInvalid, signaling.CodeSignalingOutgoingInvalid,
		signaling.CodeClientRemoteDescription, signaling.CodeClientLocalDescription,
		signaling.CodeServerRemoteDescription:
		return ReasonProtocol
	}
	return ""
}

// look brings the room's state in line with what is up and down, and tells.
func (r *Room) look() {
	l := &r.loop
	if l.ended {
		return
	}
	down := l.re.sigDown || l.re.mediaDown || l.re.renewed
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case down && r.state == StateConnected:
		r.state = StateReconnecting
		r.reconnecting = l.re.cause()
		r.timeline.Append(Reconnecting{r.reconnecting})
		l.re.since, l.re.attempts = time.Now(), 0
		if l.re.mediaDown {
			l.re.since = l.re.since.Add(-rtc.Silence) // it was down before we knew
		}
		l.re.deadline = r.after(l.timeout-time.Since(l.re.since), r.giveUp)
	case !down && r.state == StateReconnecting:
		r.state, r.reconnecting = StateConnected, nil
		l.re.deadline.Stop()
		l.re.last = nil
		r.timeline.Append(Reconnected{})
	}
}

// cause tells what is down, and what the server said of it if it did.
func (re *reconnect) cause() error {
	if !re.sigDown {
		return ErrMediaConnection
	}
	cause := signaling.NewError(signaling.CodeSignalingDisconnected)
	var e *signaling.Error
	if errors.As(re.last, &e) {
		cause.Reason, cause.RetryAfter = e.Reason, e.RetryAfter
	}
	cause.Cause = re.last
	return cause
}

// giveUp ends a room that could not be restored in time.
func (r *Room) giveUp() {
	l := &r.loop
	if l.ended || r.State() != StateReconnecting || time.Since(l.re.since) < l.timeout {
		return
	}
	if l.caps.PeerToPeer && !l.re.sigDown {
		// Others cannot end our room. Connections that stay down end by
		// themselves, and new ones may come.
		l.re.deadline = r.after(l.timeout, r.giveUp)
		return
	}
	cause := ErrSignalingDisconnected
	if !l.re.sigDown {
		cause = ErrMediaConnection
		if l.re.unrelayed {
			l.re.last = errUnrelayed
		}
	}
	r.end(wrap("%w", &LostError{
		Err: cause, Last: l.re.last, Attempts: l.re.attempts,
		Elapsed: time.Since(l.re.since), CandidatePair: l.re.pair,
	}), ReasonTimeout)
}

// dial connects again, not before least if that is above zero, and within
// spread from then on. Else the first attempt is immediate, and the others back
// off at random.
func (r *Room) dial(least, spread time.Duration) {
	l := &r.loop
	if l.ended || l.re.dialing || l.session != nil {
		return
	}
	wait := max(backoff(l.re.tries), 0)
	if least > 0 {
		wait = least + rand.N(spread+time.Millisecond)
	}
	l.re.tries++
	l.re.dialing = true
	if wait == 0 {
		r.dialNow()
		return
	}
	l.re.retry = r.after(wait, r.dialNow)
}

func backoff(tries int) time.Duration {
	if tries == 0 {
		return 0
	}
	most := float64(backoffStart)
	for range tries - 1 {
		most = min(most*backoffFactor, float64(backoffMost))
	}
	return rand.N(time.Duration(most)) + time.Millisecond
}

func (r *Room) dialNow() {
	l := &r.loop
	if l.ended {
		return
	}
	l.re.attempts++
	join, err := r.again()
	if err != nil {
		r.end(wrap("%w", err), "")
		return
	}
	refresh := r.opts.RefreshToken
	if !l.re.renew && !l.re.fresh {
		refresh = nil
	}
	limit := dialTimeout
	for range min(l.re.tries-1, 10) {
		limit += limit / 2
	}
	limit = min(limit, dialTimeoutMost)
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		ctx, cancel := context.WithTimeout(r.life, limit)
		defer cancel()
		var s signaling.Session
		var err error
		if refresh != nil {
			join.Token, err = refresh(ctx)
		}
		if err == nil {
			s, err = r.opts.Transport.Dial(ctx, join)
		}
		taken := make(chan struct{})
		r.post(func() {
			close(taken)
			r.dialed(join, s, err)
		})
		select {
		case <-taken:
		case <-r.life.Done():
			select {
			case <-taken:
			default:
				if s != nil {
					_ = s.Close(context.Background(), signaling.ReasonReplaced) // the room has ended
				}
			}
		}
	}()
}

// again is the message with which to come back.
func (r *Room) again() (signaling.Join, error) {
	l := &r.loop
	if !l.re.fresh && l.sessionID != "" && l.caps.Resume {
		pcs, err := l.engine.Sync()
		if err != nil {
			return signaling.Join{}, err
		}
		l.dirty, l.share.profileDirty = false, false
		return signaling.Join{
			Token: r.token, Room: r.Name(), Resume: l.sessionID, Participant: *r.localSection(),
			PeerConnections: pcs, Subscribe: l.subscribe, Slots: l.caps.Slots, Agent: agent,
			Channels: r.channels(), BandwidthProfile: l.share.profile,
		}, nil
	}
	if err := r.renewEngine(); err != nil {
		return signaling.Join{}, err
	}
	join, err := r.freshJoin()
	if join.Room == "" {
		join.Room = r.Name()
	}
	return join, err
}

func (r *Room) dialed(join signaling.Join, s signaling.Session, err error) {
	l := &r.loop
	l.re.dialing = false
	if err == nil {
		r.token, l.re.renew = join.Token, false
		r.joined(join, s)
		return
	}
	if l.ended {
		return
	}
	l.re.last = err
	var e *signaling.Error
	if !errors.As(err, &e) {
		r.dial(0, 0) // what the application or the machine met may pass
		return
	}
	over := join.Resume != "" && e.Cause == nil && e.Reason == "" &&
		(e.Code == signaling.CodeSignalingDisconnected || e.Code == signaling.CodeParticipantNotFound)
	switch {
	case l.session != nil && over:
		l.re.fresh = true
		r.sessionLost(e)
	case l.session != nil: // a probe; the session may still be good
	case over:
		l.re.fresh, l.re.dialing = true, true
		r.dialNow() // the server is there
	case e.Code == signaling.CodeTokenExpired && r.opts.RefreshToken != nil && !l.re.renew:
		l.re.renew = true
		r.dial(0, 0)
	case e.Temporary():
		r.dial(e.RetryAfter, busySpread)
	default:
		r.end(wrap("%w", e), reasonOf(e))
	}
}
