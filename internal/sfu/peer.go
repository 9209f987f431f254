package sfu

import (
	"errors"
	"io"
	"slices"
	"time"

	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/parley-rtc/parley/signaling/rsp"
)

// peer is one participant's stay in a room. Its goroutine owns everything here
// and lives until the stay ends, over any number of sockets. Whoever reads the
// socket, and pion, post to it.
type peer struct {
	actor
	srv           *Server
	room          *room
	sid, identity string
	session       string
	account       string
	offers        []signaling.PeerConnection // of a join, in a peer-to-peer room
	role          accesstoken.Role
	extended      bool // the client speaks our extensions
	slotMode      bool // media arrives in slots, and we make no offers
	rates         *dataRates

	conn   *rsp.ServerConn // nil while the client is away
	ended  bool
	ending func(*rsp.ServerConn) // says goodbye on the last socket
	away   *time.Timer           // session timeout; stopped while the client is there
	mute   *time.Timer           // how long media may be gone
	stay   *time.Timer           // how long the stay may last

	localRevision int
	tracks        []*track
	refused       map[string]*signaling.Error // by wire id

	rules         []signaling.Rule
	limits        []signaling.Rule // an administrator's, which hold against the client's; nil: none
	barred        []string         // SIDs of what the client's rules want and these do not
	rulesRevision int
	rulesUpdated  time.Time
	roster        *roster
	subs          []*subscription

	quality   qualities
	channels  channels
	control   control
	muting    *muting // nil: new tracks begin as they are
	hints     hints
	allotment allotment
	link      *link
	reminder  reminder
	releases  []*dataSource // may be read once the room has heard of them

	// What the next flush tells the client.
	news               []signaling.RemoteParticipant
	publishedRevision  int
	publishedDirty     bool
	subscribedRevision int
	subscribedDirty    bool
	recording          signaling.Recording
	recordingDirty     bool
	descriptions       []signaling.PeerConnection
	starts             []*subscription // forward after the client was told
}

func newPeer(srv *Server, r *room, g *accesstoken.Grants) *peer {
	p := &peer{
		actor: newActor(), srv: srv, room: r, identity: g.Identity, account: g.AccountSID, role: g.Role,
		rates: newDataRates(&srv.cfg.Limits), refused: map[string]*signaling.Error{}, roster: &roster{},
	}
	p.away = time.AfterFunc(time.Hour, func() { p.post(p.timedOut) })
	p.away.Stop()
	p.mute = time.AfterFunc(time.Hour, func() { p.post(p.mediaGone) })
	p.mute.Stop()
	p.newAllotment()
	p.newReminder()
	p.stay = time.AfterFunc(r.opts.MaxParticipantDuration, func() {
		p.post(func() { p.finish(nil, signaling.DisconnectDuration, 0) })
	})
	return p
}

// run is the peer's goroutine.
func (p *peer) run() {
	defer close(p.gone)
	for p.turn() {
		p.flush()
		<-p.poke
	}
	p.away.Stop()
	p.mute.Stop()
	p.stay.Stop()
	p.allotment.timer.Stop()
	p.reminder.timer.Stop()
	p.stopHints()
	for _, t := range p.tracks {
		t.close()
	}
	for _, s := range p.subs {
		p.drop(s)
	}
	// The reason first: a media connection that is closed before looks like a
	// broken one to the client.
	if p.conn != nil {
		if p.ending != nil {
			p.ending(p.conn)
		}
		p.conn.Close()
	}
	if p.link != nil {
		p.link.close()
	}
}

// hear takes what the room tells.
func (p *peer) hear(n news) {
	if n.roster.tick <= p.roster.tick {
		return // older than the state that a resume began with
	}
	if p.owes() {
		p.flush() // what was said before: its sender may be gone now
	}
	p.news = append(p.news, n.participants...)
	p.roster = n.roster
	p.reconcile()
}

// tellRoom passes the list of tracks on.
func (p *peer) tellRoom() {
	p.room.setTracks(p, p.trackList())
	for _, src := range p.releases {
		p.room.settled(p, src.release)
	}
	p.releases = nil
}

func (p *peer) trackList() []track {
	list := make([]track, len(p.tracks))
	for i, t := range p.tracks {
		list[i] = *t
	}
	return list
}

// update applies what the client sent.
func (p *peer) update(conn *rsp.ServerConn, u signaling.Update) {
	if p.ended || p.conn != conn {
		return
	}
	err := p.apply(u.Participant, u.PeerConnections, u.Subscribe)
	if err != nil {
		p.finish(err, signaling.DisconnectProtocol, 0)
		return
	}
	p.setProfile(u.BandwidthProfile)
	p.channelMessages(u.Channels)
}

func (p *peer) apply(lp *signaling.LocalParticipant, pcs []signaling.PeerConnection, sub *signaling.Subscribe) *signaling.Error {
	if lp != nil {
		if err := p.publish(lp); err != nil {
			return err
		}
	}
	for i := range pcs {
		if err := p.negotiate(&pcs[i]); err != nil {
			return err
		}
	}
	if sub != nil && sub.Revision > p.rulesRevision {
		if err := checkRules(sub.Rules); err != nil {
			return err
		}
		p.rulesRevision, p.rules, p.rulesUpdated = sub.Revision, slices.Clone(sub.Rules), time.Now()
		p.subscribedDirty = true // the answer, also where it is what was told before
		p.reconcile()
	}
	return nil
}

// flush tells the client everything that has changed, in one message, and then
// begins to forward what it was told of.
func (p *peer) flush() {
	if p.ended {
		return
	}
	p.allotNews()
	p.makeOffer()
	p.watchSections()
	var u signaling.Update
	tell := len(p.news) > 0
	u.Participants = p.news
	descriptions := p.descriptions
	if len(descriptions) > 0 {
		tell = true
		u.PeerConnections, descriptions = descriptions[:1], descriptions[1:]
	}
	if p.publishedDirty {
		tell = true
		p.publishedRevision++
		u.Published = p.published()
	}
	if p.subscribedDirty {
		tell = true
		p.subscribedRevision++
		u.Subscribed = p.subscribed()
	}
	if p.recordingDirty {
		tell = true
		told := p.recording
		u.Recording = &told
	}
	if u.Channels = p.channels.messages; len(u.Channels) > 0 {
		tell = true
	}
	p.clean()
	if tell && p.conn != nil {
		_ = p.conn.Send(u)            // its reader notices a lost connection
		for i := range descriptions { // of the same connection, one after the other
			_ = p.conn.Send(signaling.Update{PeerConnections: descriptions[i : i+1]})
		}
	}
	for _, part := range p.controls() {
		_ = p.conn.Send(signaling.Update{Channels: part})
	}
	p.sayLate()
	p.start()
}

// clean forgets what was told, or is told in full.
func (p *peer) clean() {
	p.news, p.descriptions, p.publishedDirty, p.subscribedDirty = nil, nil, false, false
	p.recordingDirty = false
	p.channels.messages = nil
}

// state is everything that a client is told when it comes or comes back.
func (p *peer) state(others []signaling.RemoteParticipant) signaling.State {
	p.publishedRevision++
	p.subscribedRevision++
	cfg, recording, mesh := &p.srv.cfg, p.recording, p.room.mesh != nil
	return signaling.State{
		Session: p.session,
		Room: signaling.Room{
			SID: p.room.sid, Name: p.room.name, SessionTimeout: cfg.SessionTimeout,
			SignalingRegion: cfg.Region, MediaRegion: p.room.opts.MediaRegion, MaxParticipants: p.room.opts.MaxParticipants,
		},
		Participant: signaling.Identity{SID: p.sid, Identity: p.identity},
		Capabilities: signaling.Capabilities{
			Resume: true, Slots: p.slotMode, Subscribe: !mesh, PeerToPeer: mesh, Channels: p.channelNames(),
		},
		Permissions: &signaling.Permissions{
			Publish: p.role.CanPublish(), PublishData: p.role.CanSendData(),
			Subscribe: p.role.CanSubscribe(), Moderate: p.role.CanModerate(),
		},
		ICEServers: p.srv.iceServers(p.identity, &p.room.opts),
		Update: signaling.Update{
			Full: true, Participants: others, Published: p.published(), Subscribed: p.subscribed(),
			Recording: &recording, PeerConnections: p.descriptions,
			Channels: p.channelState(),
		},
	}
}

// lost notes that a socket has ended. A client that left in order is gone, and
// so is one that broke the protocol; any other may come back.
func (p *peer) lost(conn *rsp.ServerConn, err error) {
	if p.ended || p.conn != conn {
		return
	}
	p.conn = nil
	switch code := asError(err, 0).Code; {
	case errors.Is(err, io.EOF):
		p.finish(nil, signaling.DisconnectLeft, 0)
	case code == signaling.CodeSignalingOutgoingInvalid:
		p.finish(asError(err, code), signaling.DisconnectProtocol, 0)
	default:
		p.away.Reset(p.srv.cfg.SessionTimeout)
		p.room.setState(p, signaling.StateReconnecting)
	}
}

func (p *peer) timedOut() {
	if p.conn == nil {
		p.finish(nil, signaling.DisconnectTimeout, 0)
	}
}

// finish ends the stay. The client is told err, or the reason alone.
func (p *peer) finish(err *signaling.Error, reason signaling.DisconnectReason, retryAfter time.Duration) {
	if p.ended {
		return
	}
	p.ended = true
	p.srv.metrics.ended(reason)
	p.srv.forgetPeer(p, err, reason)
	for _, t := range p.tracks { // whoever hears that it is gone finds its places
		t.uncount()
	}
	p.room.leave(p, reason)
	if err != nil {
		p.srv.metrics.refused(err.Code)
	}
	if reason != signaling.DisconnectLeft {
		p.ending = func(conn *rsp.ServerConn) { conn.End(err, reason, retryAfter) }
	}
	p.stop()
}

// tooSlow ends a client that does not read what is sent to it. It may be
// called from anywhere.
func (p *peer) tooSlow() {
	p.post(func() { p.finish(nil, signaling.DisconnectSlow, 0) })
}
