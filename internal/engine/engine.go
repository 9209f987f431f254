// Package engine is the client's media plane: it negotiates any number of peer
// connections, publishes, subscribes, and moves packets between them and the
// tracks. It knows no room.
//
// An [Engine] belongs to one goroutine, its owner's loop: every method is
// called there unless its comment says otherwise. What happens elsewhere, on
// pion's goroutines, reaches the loop through Config.Post and is looked at
// again there.
package engine

import (
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/webrtc/v4"
)

// Config configures an Engine.
type Config struct {
	API        *rtc.API
	ICEServers []webrtc.ICEServer
	RelayOnly  bool
	// AwaitServers has the first offer take effect with UseServers, when it is
	// known which ICE servers there are.
	AwaitServers bool
	Logger       *slog.Logger

	// Post runs f on the owner's loop, soon. It must not block.
	Post func(f func())

	// The notices, called on the owner's loop.
	ConnectionChanged func()          // Connected, Failed or Down may differ
	LimitChanged      func()          // MediaLimit may differ; may be nil
	Outgoing          func()          // Flush has something to send
	ChannelOpened     func(id string) // a data channel of the server's is ready to be bound
}

// Engine is the media plane of one session. See the package comment.
type Engine struct {
	cfg    Config
	links  []*link // the first is ours, made at the start
	closed bool

	mesh      *mesh // in a peer-to-peer room
	published []*Publication
	senders   []*DataSender

	uplinks  []*uplink
	inlets   map[inletKey]*slot
	channels map[string]*DataReceiver   // opened by the other side, by label
	opened   map[*DataReceiver]struct{} // and still open
	out      map[string]*signaling.PeerConnection

	haveSlots map[media.Kind]int // receive sections made here, by kind
}

type inletKey struct {
	link *link
	mid  string
}

// New returns an engine with one peer connection that has spare receive
// sections for each kind of media. The caller must Close it.
func New(cfg Config) (*Engine, error) {
	e := &Engine{
		cfg:       cfg,
		inlets:    map[inletKey]*slot{},
		channels:  map[string]*DataReceiver{},
		opened:    map[*DataReceiver]struct{}{},
		out:       map[string]*signaling.PeerConnection{},
		haveSlots: map[media.Kind]int{},
	}
	if e.cfg.Logger == nil {
		e.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := e.open(uuid.NewString(), "c")
	if err != nil {
		return nil, err
	}
	l.dirty, l.held = true, cfg.AwaitServers
	if err := e.WantSlots(0, 0); err != nil {
		_ = l.peer.Close()
		return nil, err
	}
	return e, nil
}

func (e *Engine) open(id, midPrefix string) (*link, error) {
	l := &link{}
	post := func(f func()) {
		e.cfg.Post(func() {
			if !e.closed {
				f()
			}
		})
	}
	peer, err := e.cfg.API.NewPeer(rtc.PeerConfig{
		ICEServers: e.cfg.ICEServers,
		RelayOnly:  e.cfg.RelayOnly,
		CallTCP:    e.mesh == nil,
		MidPrefix:  midPrefix,
		Handler: rtc.Handler{
			State: func() {
				post(func() {
					if e.mesh != nil && !l.mesh.gone {
						e.look(l)
					}
					e.cfg.ConnectionChanged()
				})
			},
			Candidates: func() {
				post(func() {
					e.sendICE(l, false)
					e.renewed(l)
					if e.cfg.RelayOnly {
						e.cfg.ConnectionChanged() // there may be none
					}
				})
			},
			Limit: func() { post(e.limitChanged) },
			Inlet: func(in *rtc.Inlet) { post(func() { e.inletBegan(l, in) }) },
			Channel: func(dc *webrtc.DataChannel) {
				r := newDataReceiver(dc)
				post(func() { e.channelOpened(l, r) })
				r.onClose(func() { post(func() { e.channelClosed(r) }) })
			},
		},
	})
	if err != nil {
		return nil, err
	}
	*l = *newLink(id, peer)
	e.links = append(e.links, l)
	return l, nil
}

// Close stops the engine: nothing of it is told any more. The function it
// returns may be called on any goroutine; it ends all connections and waits for
// their goroutines. Receivers stay readable for what they hold.
func (e *Engine) Close() (wait func() error) {
	if e.closed {
		return func() error { return nil }
	}
	e.closed = true
	links, inlets := e.links, e.inlets
	for _, l := range links {
		l.stopTimer()
	}
	return func() error {
		var errs []error
		if e.mesh != nil {
			defer e.mesh.wg.Wait()
		}
		for _, l := range links {
			errs = append(errs, l.peer.Close())
		}
		for _, s := range inlets {
			s.wait()
		}
		return errors.Join(errs...)
	}
}

// SetQuiet says that the server makes no offers, so that ours can take effect
// at once.
func (e *Engine) SetQuiet(quiet bool) {
	for _, l := range e.links {
		l.quiet = quiet
	}
}

// What a server can make an engine keep: connections, the receive sections made
// for its tracks, of each kind, and those that it only talks about.
const (
	maxLinks  = 16
	maxSlots  = 112
	maxInlets = 1024
)

// WantSlots makes sure that the server finds receive sections for that many
// tracks, and one of each kind to spare, up to a limit: tracks beyond it wait
// until others end.
func (e *Engine) WantSlots(audio, video int) error {
	l := e.links[0]
	for _, k := range []struct {
		kind media.Kind
		want int
	}{{media.Audio, audio + 1}, {media.Video, video + 1}} {
		for e.haveSlots[k.kind] < min(k.want, maxSlots) {
			if _, err := l.peer.AddInlet(k.kind); err != nil {
				return err
			}
			e.haveSlots[k.kind]++
			l.dirty = true
		}
	}
	return nil
}

// Join returns the peer connections for the first message: our offer.
func (e *Engine) Join() ([]signaling.PeerConnection, error) {
	l := e.links[0]
	d, err := l.negotiate()
	if err != nil {
		return nil, err
	}
	if d == nil {
		d = l.description()
	}
	return []signaling.PeerConnection{{ID: l.id, Description: d}}, nil
}

// Sync returns the state of all peer connections for a resume: pending offers,
// or else our last answers, and our candidates.
func (e *Engine) Sync() ([]signaling.PeerConnection, error) {
	var list []signaling.PeerConnection
	for _, l := range e.links {
		if _, err := l.negotiate(); err != nil {
			return nil, err
		}
		pc := signaling.PeerConnection{ID: l.id, Description: l.description(), ICE: l.ice(true), AskOffer: l.wantsTurn()}
		l.mesh.asked = pc.AskOffer
		if pc.Description == nil {
			pc.Description = l.answer
		}
		list = append(list, pc)
	}
	clear(e.out)
	if e.mesh != nil {
		list = append(list, e.mesh.said...)
		e.mesh.said = nil
	}
	return list, nil
}

// Apply takes the peer-connection section of an update. full says that the
// list is complete, so that connections missing from it are closed; a server
// that gives no list at all leaves them alone.
func (e *Engine) Apply(list []signaling.PeerConnection, full bool) error {
	if e.mesh != nil {
		e.applyMesh(list, full)
		return nil
	}
	for _, pc := range list {
		l := e.link(pc.ID)
		if l == nil {
			if pc.Description == nil || pc.Description.Type != signaling.DescriptionOffer || len(e.links) >= maxLinks {
				continue
			}
			var err error
			if l, err = e.open(pc.ID, "c"); err != nil {
				return err
			}
		}
		if d := pc.Description; d != nil {
			if d.Type == signaling.DescriptionClose {
				return signaling.Errorf(signaling.CodeMediaConnection, "the server closed the peer connection")
			}
			if err := e.describe(l, *d); err != nil {
				return err
			}
		}
		if pc.ICE != nil {
			l.receiveICE(*pc.ICE)
		}
	}
	if full && len(list) > 0 {
		for _, l := range e.links {
			found := false
			for _, pc := range list {
				found = found || pc.ID == l.id
			}
			if !found {
				return signaling.Errorf(signaling.CodeMediaConnection, "the server has closed the peer connection")
			}
		}
	}
	return e.Negotiate()
}

func (e *Engine) describe(l *link, d signaling.Description) error {
	reply, settled, err := l.receive(d)
	if err != nil {
		code := signaling.CodeClientLocalDescription
		if errors.Is(err, errRemote) {
			code = signaling.CodeClientRemoteDescription
		}
		return signaling.Errorf(code, "%w", err)
	}
	if reply != nil {
		e.queue(l).Description = reply
	}
	if settled {
		e.sendICE(l, false)
	}
	return nil
}

// Negotiate makes the offers that are due; what is to be sent waits for Flush.
func (e *Engine) Negotiate() error {
	if e.mesh != nil {
		e.negotiateMesh()
		return nil
	}
	for _, l := range e.links {
		d, err := l.negotiate()
		if err != nil {
			return signaling.Errorf(signaling.CodeClientLocalDescription, "%w", err)
		}
		if d != nil {
			e.queue(l).Description = d
		}
	}
	return nil
}

// RestartICE begins an ICE restart on every connection. Where an offer waits
// for its answer that is repeated first: its candidates may be those of another
// network.
func (e *Engine) RestartICE() error {
	for _, l := range e.links {
		l.restart = true
		if l.offer != nil {
			e.queue(l).Description = l.description()
		}
	}
	return e.Negotiate()
}

// Awaiting reports whether an offer waits for its answer.
func (e *Engine) Awaiting() bool {
	if e.mesh != nil {
		return false // for somebody else than the server
	}
	for _, l := range e.links {
		if l.offer != nil {
			return true
		}
	}
	return false
}

func (e *Engine) link(id string) *link {
	for _, l := range e.links {
		if l.id == id {
			return l
		}
	}
	return nil
}

func (e *Engine) queue(l *link) *signaling.PeerConnection {
	pc := e.out[l.id]
	if pc == nil {
		pc = &signaling.PeerConnection{ID: l.id}
		e.out[l.id] = pc
	}
	e.cfg.Outgoing()
	return pc
}

func (e *Engine) sendICE(l *link, again bool) {
	if l.mesh.gone || !l.settled && e.mesh == nil {
		return // the join is not answered yet; its reply has the candidates we need
	}
	if ice := l.ice(again); ice != nil {
		e.queue(l).ICE = ice
	}
}

// Flush returns what waits to be sent, and forgets it.
func (e *Engine) Flush() []signaling.PeerConnection {
	var list []signaling.PeerConnection
	for _, l := range e.links {
		if pc := e.out[l.id]; pc != nil {
			list = append(list, *pc)
		}
	}
	clear(e.out)
	if e.mesh != nil {
		list = append(list, e.mesh.said...)
		e.mesh.said = nil
	}
	return list
}

// Connection sums the connections' states up: the best of several counts.
func (e *Engine) Connection() Connection {
	if e.mesh != nil {
		return e.connectionMesh()
	}
	c := Connection{State: StateNew}
	for i, l := range e.links {
		if s := stateOf(l.peer); i == 0 || s > c.State {
			c.State = s
		}
		if pair := l.peer.CandidatePair(); pair != "" {
			c.Pair = pair
		}
		if rtt := l.peer.RTT(); rtt != 0 {
			c.RTT = rtt
		}
	}
	if c.State == StateNew && e.unrelayed() {
		c.State, c.Unrelayed = StateFailed, true
	}
	return c
}

// LocalAddresses returns the addresses of this machine that media uses.
func (e *Engine) LocalAddresses() []netip.Addr {
	var list []netip.Addr
	for _, l := range e.links {
		if a := l.peer.LocalAddress(); a.IsValid() {
			list = append(list, a)
		}
	}
	return list
}

// Connection is the state of the media connection.
type Connection struct {
	State State
	Pair  string // candidate pair, for diagnosis
	RTT   time.Duration
	// Unrelayed says that no TURN server let in a connection that needs one.
	Unrelayed bool
}

// State of the media connection, worst first.
type State int

// The states.
const (
	StateDTLSFailed State = iota // for good
	StateClosed                  // the other side closed it, or we did
	StateFailed                  // ICE found no way
	StateDown                    // ICE had a way and lost it
	StateNew                     // not connected yet
	StateConnected
)

func (s State) String() string {
	return [...]string{"dtls failed", "closed", "ice failed", "disconnected", "connecting", "connected"}[s]
}

func stateOf(p *rtc.Peer) State {
	if p.State() == webrtc.PeerConnectionStateClosed || p.ICEState() == webrtc.ICEConnectionStateClosed {
		if p.Impostor() {
			return StateDTLSFailed
		}
		return StateClosed // pion closes all of it when DTLS is closed
	}
	switch p.ICEState() {
	case webrtc.ICEConnectionStateFailed:
		return StateFailed
	case webrtc.ICEConnectionStateDisconnected:
		return StateDown
	case webrtc.ICEConnectionStateConnected, webrtc.ICEConnectionStateCompleted:
		switch p.State() {
		case webrtc.PeerConnectionStateConnected:
			return StateConnected
		case webrtc.PeerConnectionStateFailed:
			return StateDTLSFailed
		}
	}
	return StateNew
}

// Sections returns the counters of all sections, by mid.
func (e *Engine) Sections() (out map[string]rtc.OutletStats, in map[string]rtc.InletStats) {
	out, in = map[string]rtc.OutletStats{}, map[string]rtc.InletStats{}
	for _, l := range e.links {
		o, i, _ := l.peer.Stats()
		for mid, s := range o {
			out[mid] = s
		}
		for mid, s := range i {
			in[mid] = s
		}
	}
	return out, in
}

func (e *Engine) inletBegan(l *link, in *rtc.Inlet) {
	if l.mesh.gone {
		return
	}
	key := inletKey{l, in.Mid()}
	s := e.inlets[key]
	if s == nil {
		s = newSlot()
		e.inlets[key] = s
	}
	s.attach(in)
}

// slot returns the receive section with the mid, which may still have to begin,
// or nil when there are too many of that sort.
func (e *Engine) slot(l *link, mid string) *slot {
	key := inletKey{l, mid}
	s := e.inlets[key]
	if s == nil {
		if len(e.inlets) >= maxInlets {
			return nil
		}
		s = newSlot()
		e.inlets[key] = s
	}
	return s
}

func (e *Engine) channelOpened(l *link, r *DataReceiver) {
	const most = 512 // channels; those that a server opens beyond are closed again
	if len(e.opened) >= most {
		_ = r.dc.Close() // it has ended already then
		return
	}
	if len(e.channels) > 2*most {
		maps.DeleteFunc(e.channels, func(_ string, old *DataReceiver) bool { _, open := e.opened[old]; return !open })
	}
	e.opened[r] = struct{}{}
	e.channels[e.labelOf(l, r)] = r
	if e.cfg.ChannelOpened != nil {
		e.cfg.ChannelOpened(r.Label())
	}
}

func (e *Engine) channelClosed(r *DataReceiver) { delete(e.opened, r) }

// Channel returns the data channel that the server opened under the label, or
// nil while there is none.
func (e *Engine) Channel(label string) *DataReceiver { return e.channels[label] }

// ForgetChannel drops the data channel once its subscription has ended.
func (e *Engine) ForgetChannel(label string) {
	delete(e.channels, label)
}

// ErrNoSection says that no description has the section of a subscription yet:
// bind it again after the next one.
var ErrNoSection = errors.New("no media section yet")
