package sfu

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/parley-rtc/parley/internal/names"
	"github.com/parley-rtc/parley/internal/sid"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/parley-rtc/parley/signaling/rsp"
)

// serveSignaling takes one client's socket from its first byte to its last.
func (s *Server) serveSignaling(w http.ResponseWriter, r *http.Request) {
	remote := remoteAddr(r.RemoteAddr)
	leave, ok := s.gate.enter(remote)
	if !ok {
		s.metrics.refusals.WithLabelValues("sockets").Inc()
		http.Error(w, "too many connections", http.StatusTooManyRequests)
		return
	}
	defer leave()
	l := &s.cfg.Limits
	conn, err := rsp.Upgrade(w, r, rsp.ServerOptions{
		Logger: s.log, CheckOrigin: s.cfg.CheckOrigin,
		HelloTimeout: l.HelloTimeout, WriteTimeout: l.WriteTimeout, Heartbeat: l.Heartbeat,
		ReadLimit: l.MessageBytes, QueueMessages: l.QueueMessages, QueueBytes: l.QueueBytes,
		Rate: l.MessageRate, Burst: l.MessageBurst,
	})
	if err != nil {
		s.log.Debug("no signaling connection", "remote", r.RemoteAddr, "err", err)
		return
	}
	defer conn.Close()
	began := time.Now()
	join, err := conn.ReadJoin(s.ctx, s.answerICE)
	if err != nil {
		s.metrics.refused(asError(err, 0).Code)
		return
	}
	enter := s.join
	if join.Resume != "" {
		enter = s.resume
	}
	var p *peer
	refusal := s.gate.join(remote, join.Resume != "")
	if refusal == nil {
		p, refusal = enter(conn, &join)
	}
	if refusal != nil {
		s.metrics.refused(refusal.Code)
		s.log.Debug("client refused", "remote", r.RemoteAddr, "code", int(refusal.Code))
		_ = conn.Reject(refusal) // whether or not it arrives
		return
	}
	s.metrics.joins.Observe(time.Since(began).Seconds())
	s.listen(p, conn)
}

// listen hands the client's updates to its peer, one at a time: a client that
// sends faster than they can be worked off waits in its socket.
func (s *Server) listen(p *peer, conn *rsp.ServerConn) {
	for {
		u, err := conn.Receive(s.ctx)
		if s.ctx.Err() != nil {
			return
		}
		if err != nil {
			if p.post(func() { p.lost(conn, err) }) {
				return
			}
		} else if p.do(func() { p.update(conn, u) }) {
			continue
		}
		<-p.gone // it says what there is to say
		return
	}
}

// answerICE gives the client its ICE servers ahead of the join.
func (s *Server) answerICE(token string) ([]signaling.ICEServer, *signaling.Error) {
	g, err := s.verifier.Verify(token)
	if err != nil {
		return nil, asError(err, signaling.CodeTokenInvalid)
	}
	s.mu.Lock()
	r := s.lookup(g.Room)
	s.mu.Unlock()
	if r == nil {
		return s.iceServers(g.Identity, nil), nil
	}
	return s.iceServers(g.Identity, &r.opts), nil
}

// join admits a client: the token first, then the room, then the media.
func (s *Server) join(conn *rsp.ServerConn, j *signaling.Join) (*peer, *signaling.Error) {
	g, err := s.verifier.Verify(j.Token)
	if err != nil {
		return nil, asError(err, signaling.CodeTokenInvalid)
	}
	if err := checkRules(j.Subscribe.Rules); err != nil {
		return nil, err
	}
	p, refusal := s.reserve(&g, j.Room)
	if refusal != nil {
		return nil, refusal
	}
	p.slotMode = j.Slots && !s.cfg.ServerOffers && p.room.mesh == nil
	p.sid, p.session = sid.New(sid.Participant), newSession()
	p.rules, p.rulesRevision, p.rulesUpdated = j.Subscribe.Rules, j.Subscribe.Revision, time.Now()
	p.localRevision = -1
	p.extended = j.ChannelMessages
	if p.room.mesh == nil {
		p.wantChannels(j)
	}
	p.setProfile(j.BandwidthProfile)
	if err := p.apply(&j.Participant, j.PeerConnections, nil); err != nil {
		return nil, p.abandon(err)
	}
	var found news
	if !p.room.enter(p, p.trackList(), func(n news) {
		found, p.roster = n, n.roster
		p.setSpeaker(n.speaker)
		p.descriptions = append(p.descriptions, n.connections...)
		p.reconcile()
	}) {
		return nil, p.abandon(signaling.NewError(signaling.CodeRoomCompleted))
	}
	p.allotNews()
	p.conn, p.recording = conn, found.recording
	p.channelsReady()
	if !s.addPeer(p) {
		p.room.leave(p, signaling.DisconnectShutdown)
		return nil, p.abandon(s.goingDown())
	}
	state := p.state(found.participants)
	p.clean()
	_ = conn.Accept(state) // a connection that was lost is noticed by its reader
	p.start()
	s.spawn(p.run)
	return p, nil
}

// reserve finds or makes the room and keeps a place in it.
func (s *Server) reserve(g *accesstoken.Grants, asked string) (*peer, *signaling.Error) {
	for {
		r, err := s.findRoom(g, asked)
		if err != nil {
			return nil, err
		}
		p := newPeer(s, r, g)
		switch err := r.reserve(p); err {
		case nil:
			return p, nil
		case errRoomGone: // it ended between finding and reserving
		default:
			p.abandonTimers()
			return nil, err
		}
	}
}

// findRoom returns the room that is asked for, by name or SID, or that the
// token grants; one that is not there comes into being, if it may.
func (s *Server) findRoom(g *accesstoken.Grants, asked string) (*room, *signaling.Error) {
	if asked == "" {
		asked = g.Room
	} else if err := names.Room(asked); err != nil {
		return nil, asError(err, signaling.CodeRoomNameInvalid)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.lookup(asked); r != nil {
		if !g.AllowsRoom(r.name, r.sid) {
			return nil, signaling.Errorf(signaling.CodeTokenGrantsInvalid, "the token is for another room")
		}
		return r, nil
	}
	switch {
	case !g.AllowsRoom(asked, ""):
		return nil, signaling.Errorf(signaling.CodeTokenGrantsInvalid, "the token is for another room")
	case s.cfg.DisableAdHocRooms, sid.Valid(asked, sid.Room):
		return nil, signaling.NewError(signaling.CodeRoomNotFound)
	}
	r, _, refusal := s.addRoom(RoomOptions{Name: asked}, true)
	return r, refusal
}

// abandon gives up a peer that never entered its room.
func (p *peer) abandon(err *signaling.Error) *signaling.Error {
	p.room.cancel(p)
	p.closeLink()
	p.abandonTimers()
	return err
}

func (p *peer) abandonTimers() {
	p.stop()
	p.away.Stop()
	p.mute.Stop()
	p.stay.Stop()
	p.allotment.timer.Stop()
	p.stopHints()
	for _, t := range p.tracks {
		t.close()
	}
}

// resume gives a client that lost its socket its place back.
func (s *Server) resume(conn *rsp.ServerConn, j *signaling.Join) (*peer, *signaling.Error) {
	g, err := s.verifier.VerifyResume(j.Token)
	if err != nil {
		return nil, asError(err, signaling.CodeTokenInvalid)
	}
	refusal := errOver
	p := s.session(j.Resume)
	if p != nil && p.identity == g.Identity && p.account == g.AccountSID {
		p.do(func() { refusal = p.resume(conn, j) })
	}
	if refusal == errOver {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := s.endings.of(j.Resume, g.Identity, g.AccountSID, conn.Extended()); err != nil {
			return nil, err
		}
	}
	return p, refusal
}

var errOver = signaling.Errorf(signaling.CodeSignalingDisconnected, "the session is over")

// resume applies what the client did meanwhile before anybody hears that it is
// back.
func (p *peer) resume(conn *rsp.ServerConn, j *signaling.Join) *signaling.Error {
	if p.ended {
		return errOver
	}
	if old := p.conn; old != nil {
		p.srv.spawn(old.Close)
	}
	p.conn = conn
	p.control.sent, p.control.out = 0, nil
	p.away.Stop()
	var rules *signaling.Subscribe
	if j.Subscribe.Revision > 0 {
		rules = &j.Subscribe
	}
	if err := p.apply(&j.Participant, j.PeerConnections, rules); err != nil {
		p.conn = nil
		p.finish(err, signaling.DisconnectProtocol, 0)
		return err
	}
	found, ok := p.room.resume(p)
	if !ok {
		err := signaling.NewError(signaling.CodeRoomCompleted)
		p.conn = nil
		p.finish(err, signaling.DisconnectCompleted, 0)
		return err
	}
	p.news = nil // what is there now says it all
	p.roster, p.recording = found.roster, found.recording
	p.setSpeaker(found.speaker)
	p.reconcile()
	p.setProfile(j.BandwidthProfile)
	p.allotNews()
	p.channelsReady()
	p.listLink(found.connections)
	state := p.state(found.participants)
	p.clean()
	_ = conn.Accept(state) // a connection that was lost again is noticed by its reader
	p.start()
	return nil
}

// listLink makes sure that the live connection is among the descriptions: one
// that is not named would be closed.
func (p *peer) listLink(mesh []signaling.PeerConnection) {
	if p.room.mesh != nil {
		p.descriptions = mesh
		return
	}
	if p.link == nil {
		if p.descriptions == nil {
			p.descriptions = []signaling.PeerConnection{}
		}
		return
	}
	if d := p.link.offers.pending; d != nil {
		p.tellDescription(d) // it may have been lost
	} else if len(p.descriptions) == 0 {
		p.tellDescription(p.link.answer)
	}
}

// newSession returns an id that nobody can guess.
func newSession() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: the program is ended instead
	return hex.EncodeToString(b[:])
}

// asError makes any error one with a code.
func asError(err error, code signaling.Code) *signaling.Error {
	var e *signaling.Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, io.EOF) {
		return &signaling.Error{Message: "client left"}
	}
	return &signaling.Error{Code: code, Message: code.Text(), Cause: err}
}
