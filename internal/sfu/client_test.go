package sfu_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/parley-rtc/parley/signaling/rsp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a server with what clients need to come in.
type world struct {
	t   testing.TB
	srv *sfu.Server
	web *httptest.Server
	key accesstoken.Key
	api *rtc.API
}

func newWorld(t testing.TB, change ...func(*sfu.Config)) *world {
	t.Helper()
	key := accesstoken.NewKey()
	cfg := sfu.Config{
		AccountSID: key.AccountSID,
		Keys:       map[string]accesstoken.Secret{key.SID: key.Secret},
		Limits:     sfu.Limits{JoinRate: -1, Sockets: -1},
		Media:      sfu.Media{Loopback: true},
	}
	for _, c := range change {
		c(&cfg)
	}
	srv, err := sfu.New(cfg)
	require.NoError(t, err)
	web := httptest.NewServer(srv)
	api, err := rtc.New(rtc.Config{Loopback: true, Interfaces: func(name string) bool { return name == "lo" }})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, srv.Close())
		web.Close()
	})
	return &world{t: t, srv: srv, web: web, key: key, api: api}
}

func (w *world) token(identity, room string) string {
	w.t.Helper()
	token, err := accesstoken.Token{Identity: identity, Room: room}.Sign(w.key)
	require.NoError(w.t, err)
	return token
}

func (w *world) transport() *rsp.Transport {
	return rsp.NewTransport(rsp.Options{URL: "ws" + strings.TrimPrefix(w.web.URL, "http") + "/signaling"})
}

// client is a participant as bare as can be: the wire and one peer connection.
// It keeps the newest of everything that it is told, and wakes who waits.
type client struct {
	t       testing.TB
	w       *world
	join    signaling.Join
	pc      *rtc.Peer
	session signaling.Session
	initial signaling.State

	mu           sync.Mutex
	changed      chan struct{}                       // closed and replaced with each change
	participants []signaling.RemoteParticipant       // every section, in order
	published    map[string]signaling.PublishedTrack // by id
	subscribed   []signaling.Subscription
	descriptions []signaling.Description
	recordings   []signaling.Recording // every section, in order
	inlets       map[string]*rtc.Inlet
	channels     map[string]*webrtc.DataChannel
	messages     map[string][]webrtc.DataChannelMessage
	said         []signaling.Channel
	shut         []string // labels of own channels that were closed
	err          error
	done         chan struct{}

	own     *signaling.Description // the offer that is out
	rings   map[*rtc.Outlet]*rtc.Ring
	pcID    string
	restart bool // with the next offer
	closing atomic.Bool
	onOffer func(*signaling.Description) // on the receiving goroutine
}

// answer takes an offer of the server. One of our own that is out is void and
// comes again.
func (c *client) answer(d *signaling.Description) {
	err := c.pc.SetRemoteOffer(d.SDP)
	var sdp string
	if err == nil {
		sdp, err = c.pc.Answer(true)
	}
	if err != nil {
		if !c.closing.Load() {
			c.t.Errorf("answering: %v", err)
		}
		return
	}
	c.sendDescription(signaling.DescriptionAnswer, d.Revision, sdp)
	if c.takeOwn() != nil {
		pc := c.offer()
		c.sendDescription(pc.Description.Type, pc.Description.Revision, pc.Description.SDP)
	}
}

// takeOwn returns the offer that is out, if any, and forgets it.
func (c *client) takeOwn() *signaling.Description {
	c.mu.Lock()
	defer c.mu.Unlock()
	own := c.own
	c.own = nil
	return own
}

func (c *client) takeAnswer(d *signaling.Description) {
	c.mu.Lock()
	own := c.own
	c.mu.Unlock()
	if own == nil || own.Revision != d.Revision {
		return
	}
	err := c.pc.ApplyOffer(own.SDP)
	if err == nil {
		err = c.pc.SetRemoteAnswer(d.SDP)
	}
	c.takeOwn()
	if err != nil && !c.closing.Load() {
		c.t.Errorf("taking an answer: %v", err)
	}
}

func (c *client) sendDescription(kind signaling.DescriptionType, revision int, sdp string) {
	_ = c.session.Send(signaling.Update{PeerConnections: []signaling.PeerConnection{{
		ID: c.pcID, Description: &signaling.Description{Type: kind, Revision: revision, SDP: sdp},
	}}})
}

// renegotiate offers what was added since the last time.
func (c *client) renegotiate() {
	c.t.Helper()
	pc := c.offer()
	require.NoError(c.t, c.session.Send(signaling.Update{
		Participant: &c.join.Participant, PeerConnections: []signaling.PeerConnection{pc},
	}))
	c.until("answer", func() bool { return c.own == nil })
}

// tell sends what is published.
func (c *client) tell() {
	c.t.Helper()
	require.NoError(c.t, c.session.Send(signaling.Update{Participant: &c.join.Participant}))
}

func (c *client) unpublish(id string) {
	c.join.Participant.Revision++
	c.join.Participant.Tracks = slices.DeleteFunc(slices.Clone(c.join.Participant.Tracks),
		func(t signaling.LocalTrack) bool { return t.ID == id })
}

func (w *world) client(identity, room string) *client {
	w.t.Helper()
	c := &client{
		t: w.t, w: w, changed: make(chan struct{}), done: make(chan struct{}),
		published: map[string]signaling.PublishedTrack{}, inlets: map[string]*rtc.Inlet{},
		channels: map[string]*webrtc.DataChannel{}, messages: map[string][]webrtc.DataChannelMessage{},
	}
	c.join = signaling.Join{
		Token: w.token(identity, ""), Room: room, Slots: true,
		Participant: signaling.LocalParticipant{Revision: 1},
		Subscribe:   signaling.Subscribe{Revision: 1, Rules: []signaling.Rule{{All: true}}},
	}
	c.rings = map[*rtc.Outlet]*rtc.Ring{}
	c.pcID, c.onOffer = "pc", c.answer
	c.pc = c.newPeer()
	w.t.Cleanup(c.close)
	return c
}

func (c *client) newPeer() *rtc.Peer {
	c.t.Helper()
	pc, err := c.w.api.NewPeer(rtc.PeerConfig{MidPrefix: "c", Handler: rtc.Handler{
		State: func() { c.change(func() {}) },
		Inlet: func(in *rtc.Inlet) { c.change(func() { c.inlets[in.Mid()] = in }) },
		Channel: func(dc *webrtc.DataChannel) {
			label := dc.Label()
			dc.OnMessage(func(m webrtc.DataChannelMessage) {
				c.change(func() { c.messages[label] = append(c.messages[label], m) })
			})
			dc.OnOpen(func() { c.change(func() {}) })
			c.change(func() { c.channels[label] = dc })
		},
	}})
	require.NoError(c.t, err)
	return pc
}

// newConnection forgets the peer connection and begins another one.
func (c *client) newConnection() {
	require.NoError(c.t, c.pc.Close())
	pc := c.newPeer()
	c.change(func() {
		c.pc, c.pcID, c.inlets, c.descriptions = pc, c.pcID+"'", map[string]*rtc.Inlet{}, nil
	})
}

func (c *client) close() {
	c.closing.Store(true)
	if c.session != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = c.session.Close(ctx, signaling.ReasonLeave)
		<-c.done
	}
	require.NoError(c.t, c.pc.Close())
}

func (c *client) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *client) look(ok func() bool) (bool, chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ok(), c.changed
}

// until waits until what the client knows satisfies ok.
func (c *client) until(what string, ok func() bool) {
	c.t.Helper()
	timeout := time.NewTimer(10 * time.Second)
	defer timeout.Stop()
	for {
		good, changed := c.look(ok)
		if good {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			c.t.Fatalf("waited in vain for: %s (%v)", what, c.err)
		}
	}
}

// publish adds tracks to what will be published. Video and audio get a section.
func (c *client) publish(kind signaling.Kind, id string) *rtc.Outlet {
	c.t.Helper()
	c.join.Participant.Revision++
	c.join.Participant.Tracks = append(slices.Clone(c.join.Participant.Tracks), signaling.LocalTrack{
		ID: id, Kind: kind, Name: "name of " + id, Enabled: true,
	})
	if kind == signaling.KindData {
		return nil
	}
	codec := media.VP8
	if kind == signaling.KindAudio {
		codec = media.Opus
	}
	ring := rtc.NewRing(rtc.RingVideo)
	out, err := c.pc.AddOutlet(media.Kind(kind), rtc.OutletConfig{Codec: codec, ID: id, History: ring.Get})
	require.NoError(c.t, err)
	c.rings[out] = ring
	return out
}

func (c *client) slot(kind media.Kind) string {
	c.t.Helper()
	mid, err := c.pc.AddInlet(kind)
	require.NoError(c.t, err)
	return mid
}

func (c *client) offer() signaling.PeerConnection {
	c.t.Helper()
	sdp, err := c.pc.Offer(c.restart)
	require.NoError(c.t, err)
	c.restart = false
	c.mu.Lock()
	defer c.mu.Unlock()
	revision := 1
	for _, d := range c.descriptions {
		revision = max(revision, d.Revision+1)
	}
	// It is applied with its answer: an offer of the server may come before.
	c.own = &signaling.Description{Type: signaling.DescriptionOffer, Revision: revision, SDP: sdp}
	sent := *c.own
	return signaling.PeerConnection{ID: c.pcID, Description: &sent}
}

// dial joins with an offer of what was added so far.
func (c *client) dial() error {
	c.t.Helper()
	c.join.PeerConnections = []signaling.PeerConnection{c.offer()}
	session, err := c.w.transport().Dial(c.t.Context(), c.join)
	if err != nil {
		return err
	}
	c.begin(session)
	return nil
}

func (c *client) begin(session signaling.Session) {
	c.session, c.initial = session, session.Initial()
	c.done = make(chan struct{})
	c.take(c.initial.Update)
	go func() {
		defer close(c.done)
		for {
			u, err := session.Receive(context.Background())
			if err != nil {
				c.change(func() { c.err = err })
				return
			}
			c.take(u)
		}
	}()
}

func (c *client) take(u signaling.Update) {
	c.change(func() {
		for _, pc := range u.PeerConnections {
			if pc.Description != nil {
				c.descriptions = append(c.descriptions, *pc.Description)
			}
		}
	})
	for _, pc := range u.PeerConnections {
		d := pc.Description
		switch {
		case d == nil:
		case d.Type == signaling.DescriptionAnswer:
			c.takeAnswer(d)
		case d.Type == signaling.DescriptionOffer:
			c.onOffer(d)
		}
	}
	c.change(func() {
		c.participants = append(c.participants, u.Participants...)
		c.said = append(c.said, u.Channels...)
		if u.Published != nil {
			for _, t := range u.Published.Tracks {
				c.published[t.ID] = t
			}
		}
		if u.Subscribed != nil {
			c.subscribed = u.Subscribed.Tracks
		}
		if u.Recording != nil {
			c.recordings = append(c.recordings, *u.Recording)
		}
	})
}

func (c *client) connected() {
	c.t.Helper()
	c.until("connection", func() bool { return c.pc.State() == webrtc.PeerConnectionStateConnected })
}

func (c *client) readyWith(id string) (trackSID string) {
	c.t.Helper()
	c.until("publication "+id, func() bool {
		p := c.published[id]
		trackSID = p.SID
		return p.State == signaling.PublishReady
	})
	return trackSID
}

func (c *client) subscription(trackSID string) (s signaling.Subscription) {
	c.t.Helper()
	c.until("subscription "+trackSID, func() bool {
		i := slices.IndexFunc(c.subscribed, func(s signaling.Subscription) bool { return s.SID == trackSID && s.ID != "" })
		if i >= 0 {
			s = c.subscribed[i]
		}
		return i >= 0
	})
	return s
}

func (c *client) inlet(mid string) (in *rtc.Inlet) {
	c.t.Helper()
	c.until("inlet "+mid, func() bool { in = c.inlets[mid]; return in != nil })
	return in
}

func (c *client) sees(identity string, state signaling.ParticipantState) (p signaling.RemoteParticipant) {
	c.t.Helper()
	c.until(identity+" "+string(state), func() bool {
		i := slices.IndexFunc(c.participants, func(p signaling.RemoteParticipant) bool {
			return p.Identity == identity && p.State == state
		})
		if i >= 0 {
			p = c.participants[i]
		}
		return i >= 0
	})
	return p
}

// stream sends packets of one frame each, 200 a second, until the test ends or
// stop is called.
type stream struct {
	stop  func()
	delta atomic.Bool  // send no key frames
	skip  atomic.Int32 // so many packets are left out, for good
}

func (c *client) stream(out *rtc.Outlet, codec media.Codec, from uint16) *stream {
	c.t.Helper()
	done, ended := make(chan struct{}), make(chan struct{})
	ring := c.rings[out]
	s := &stream{stop: sync.OnceFunc(func() { close(done); <-ended })}
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		seq, ts := from, uint32(from)*450
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			pt, ok := out.PayloadType(rtc.Codec{Codec: codec})
			if !ok {
				continue
			}
			// A VP8 descriptor, a frame tag and, in a key frame, its start
			// code; the picture's size tells which packet it is.
			payload := []byte{0x10, 0x50, 1, 0, 0x9d, 0x01, 0x2a, byte(seq >> 8), byte(seq), 1, 0, 0}
			if s.delta.Load() {
				payload[1] |= 1
			}
			h := rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: seq, Timestamp: ts, Marker: true}
			if s.skip.Load() > 0 {
				s.skip.Add(-1)
			} else {
				if ring != nil {
					ring.Put(&h, payload)
				}
				_ = out.Write(&h, payload, time.Time{})
			}
			seq++
			ts += 450
		}
	}()
	c.t.Cleanup(s.stop)
	return s
}

// read returns the next packets of an inlet.
func read(t testing.TB, in *rtc.Inlet, n int) (packets []rtp.Packet) {
	t.Helper()
	buf := make([]byte, 1500)
	for range n {
		var p rtp.Packet
		payload, err := in.Read(buf, &p.Header)
		require.NoError(t, err)
		p.Payload = slices.Clone(payload)
		packets = append(packets, p)
	}
	return packets
}
