package rtc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/internal/congestion"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// ErrClosed is returned by every call on a closed Peer.
var ErrClosed = errors.New("peer connection is closed")

const reportInterval = time.Second

// Handler holds what a Peer tells its owner. The functions are called on any
// goroutine, in any order, and must only post: "look again". None is called
// after Close has begun.
type Handler struct {
	State      func()                    // State or ICEState may have changed
	Candidates func()                    // Candidates may have grown
	Inlet      func(*Inlet)              // a receive section has begun; it must be read
	Channel    func(*webrtc.DataChannel) // the other side opened a data channel
	Limit      func()                    // Limit may have changed
}

// PeerConfig configures one peer connection.
type PeerConfig struct {
	ICEServers []webrtc.ICEServer
	RelayOnly  bool
	// CallTCP has the peer call the other side by TCP where UDP does not lead
	// to it. It is for servers: anybody else could make us call others.
	CallTCP bool
	// MidPrefix starts the mids of sections made here, so that two sides
	// never choose the same one.
	MidPrefix string
	// Steady: video is sent as it comes or not at all, so that its losses tell
	// nothing about what the path takes.
	Steady  bool
	Handler Handler
}

// Peer is one peer connection: unified plan, one bundle, always with an
// application section. Negotiation calls (Offer, SetRemote, …) are for one
// goroutine at a time.
//
// It owns one goroutine for reports and retransmission requests and one for
// the RTCP of each section in use; Close waits for all of them.
type Peer struct {
	api     *webrtc.API
	batch   *batch
	pc      *webrtc.PeerConnection
	ice     *webrtc.ICETransport
	handler Handler
	prefix  string
	policy  webrtc.ICETransportPolicy
	passive bool // the other side began the DTLS handshake; of the negotiating goroutine
	mids    int
	rtt     atomic.Int64
	poke    chan struct{}
	born    time.Time
	remote  remoteClock
	tcp     tcpCalls

	// Of the other side's feedback, and ours.
	congestion congestion.Sender
	arrivals   congestion.Arrivals
	numberIDs  [2]atomic.Uint32 // of audio and video; see numberID
	limitTold  atomic.Int64
	bound      atomic.Int64 // of what the other side sends; see Bound
	boundTold  int          // how often no bound is still to be told; of the reporting goroutine

	// Of negotiation.
	layers         layers
	raw, shown     string              // the last offer, as pion made it and as others see it
	servers        *[]webrtc.ICEServer // that pion does not know yet
	hush           []string            // sections that the last answer must call inactive
	remoteSections atomic.Pointer[[]Section]

	mu         sync.Mutex
	outlets    []*Outlet
	inlets     []*Inlet
	candidates []webrtc.ICECandidateInit
	gathered   bool
	gatherEnd  chan struct{} // one-slot poke: pion has gathered

	done   chan struct{}
	once   sync.Once
	wg     sync.WaitGroup
	gate   sync.RWMutex // held for writing while sealed is set, so that no spawn follows
	sealed bool
	heard  map[*Outlet]struct{} // their reports are read
}

// NewPeer makes a peer connection. The caller must Close it.
func (a *API) NewPeer(cfg PeerConfig) (*Peer, error) {
	policy := webrtc.ICETransportPolicyAll
	if cfg.RelayOnly {
		policy = webrtc.ICETransportPolicyRelay
	}
	p := &Peer{
		batch: a.batch, born: time.Now(), handler: cfg.Handler, prefix: cfg.MidPrefix, policy: policy,
		poke: make(chan struct{}, 1), done: make(chan struct{}), gatherEnd: make(chan struct{}, 1),
		heard: map[*Outlet]struct{}{},
		tcp:   tcpCalls{dialer: a.dialer, wanted: a.dialer != nil && cfg.CallTCP && !cfg.RelayOnly, wait: a.tcpWait},
	}
	p.congestion.Steady = cfg.Steady
	p.api = a.build(p)
	pc, err := p.api.NewPeerConnection(webrtc.Configuration{
		ICEServers:                  cfg.ICEServers,
		ICETransportPolicy:          policy,
		BundlePolicy:                webrtc.BundlePolicyMaxBundle,
		RTCPMuxPolicy:               webrtc.RTCPMuxPolicyRequire,
		Certificates:                []webrtc.Certificate{a.cert},
		AlwaysNegotiateDataChannels: true,
	})
	if err != nil {
		return nil, fmt.Errorf("making a peer connection: %w", err)
	}
	p.pc, p.ice = pc, pc.SCTP().Transport().ICETransport()
	p.ice.OnSelectedCandidatePairChange(p.anotherPath)
	pc.OnConnectionStateChange(func(webrtc.PeerConnectionState) { p.tell(p.handler.State) })
	pc.OnICEConnectionStateChange(func(webrtc.ICEConnectionState) { p.tell(p.handler.State) })
	pc.OnICECandidate(p.onCandidate)
	pc.OnTrack(p.onTrack)
	pc.OnDataChannel(func(dc *webrtc.DataChannel) {
		if !p.closed() && p.handler.Channel != nil {
			p.handler.Channel(dc)
		}
	})
	// When the other side closes, so do we, and State says so. Pion would do it
	// by itself, but a moment too early: it waits up to 0.4 s with a lock that
	// the goroutine which reads the end of the association still wants, and in
	// a synctest bubble waiting for a lock stops the time for ever. That
	// goroutine is done when it calls this.
	pc.SCTP().OnClose(func(error) {
		p.seal()
		_ = pc.Close() // nothing is left that could fail
	})
	p.spawn(p.run)
	return p, nil
}

// wall returns t without what somebody did to the machine's clock since the
// peer was made.
func (p *Peer) wall(t time.Time) time.Time { return p.born.Add(t.Sub(p.born)) }

func (p *Peer) closed() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *Peer) tell(f func()) {
	if f != nil && !p.closed() {
		f()
	}
}

// seal lets no section begin any more. It comes before the closing: pion begins
// sections on a goroutine of its own, and what begins after it has ended all
// sections would be read for ever.
func (p *Peer) seal() {
	p.gate.Lock()
	defer p.gate.Unlock()
	p.sealed = true
}

func (p *Peer) isSealed() bool {
	p.gate.RLock()
	defer p.gate.RUnlock()
	return p.sealed
}

// spawn runs f on a goroutine that Close waits for.
func (p *Peer) spawn(f func()) {
	p.gate.RLock()
	defer p.gate.RUnlock()
	if p.sealed {
		return
	}
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		f()
	}()
}

// hear reads an outlet's reports, on a goroutine that Close waits for.
func (p *Peer) hear(o *Outlet, b *binding) {
	p.gate.Lock()
	defer p.gate.Unlock()
	if p.sealed || o.freed {
		return
	}
	p.heard[o] = struct{}{}
	p.wg.Go(func() {
		o.readReports(b)
		p.gate.Lock()
		defer p.gate.Unlock()
		delete(p.heard, o)
	})
}

// hangUp ends what hear began: for all outlets that were freed or, once the peer
// is sealed, for all. Pion has stopped their senders; but one that is stopped
// while it begins to send goes on reading.
func (p *Peer) hangUp() {
	p.gate.RLock()
	var over []*Outlet
	for o := range p.heard {
		if p.sealed || o.freed {
			over = append(over, o)
		}
	}
	p.gate.RUnlock()
	for _, o := range over {
		_ = o.sender.SetReadDeadline(time.Unix(1, 0)) // it has ended by itself then
	}
}

// closePause comes before the closing. Both sides tend to close at the same
// moment. Pion keeps the lock of its SCTP transport while it waits, up to 0.4 s,
// for its ABORT to be sent, in vain if that of the other side came first; and
// the goroutine that reads the other one wants that lock. In a synctest bubble
// this is a deadlock: waiting for a lock stops the time there. So neither side
// closes in the very moment in which something arrives.
const closePause = time.Millisecond

// Close ends the connection and waits for its goroutines. It is idempotent
// and must not be called from a Handler. Pion's own last goroutine, that of the
// ICE keepalives, ends with its next tick, half a second later at most: waiting
// for it would make every leaving that slow.
func (p *Peer) Close() error {
	var err error
	p.once.Do(func() {
		p.seal()
		close(p.done)
		p.tcp.end()
		if _, started := p.iceTransport(); started {
			<-time.NewTimer(closePause + rand.N(closePause)).C
		}
		err = p.pc.Close()
		p.hangUp()
		p.wg.Wait()
	})
	return err
}

// State returns the state of the connection as a whole, ICEState of its
// transport.
func (p *Peer) State() webrtc.PeerConnectionState   { return p.pc.ConnectionState() }
func (p *Peer) ICEState() webrtc.ICEConnectionState { return p.pc.ICEConnectionState() }

// SignalingState tells whether an offer is pending.
func (p *Peer) SignalingState() webrtc.SignalingState { return p.pc.SignalingState() }

// nextMid returns a fresh mid of this side.
func (p *Peer) nextMid() string {
	mid := p.prefix + strconv.Itoa(p.mids)
	p.mids++
	return mid
}

// AddOutlet adds a send section, to be negotiated.
func (p *Peer) AddOutlet(kind media.Kind, cfg OutletConfig) (*Outlet, error) {
	return p.addOutlet(p.nextMid(), kind, cfg)
}

// AddLayers adds one send section with simulcast layers, lowest first: each has
// an outlet of its own. There are at most MaxLayers.
func (p *Peer) AddLayers(cfgs []OutletConfig) ([]*Outlet, error) {
	if len(cfgs) == 0 || len(cfgs) > MaxLayers {
		return nil, fmt.Errorf("%w: %d to send", ErrLayers, len(cfgs))
	}
	mid := p.nextMid()
	var added []*Outlet
	for i, cfg := range cfgs {
		o, err := p.addOutlet(LayerMid(mid, i), media.Video, cfg)
		if err != nil {
			return nil, err
		}
		added = append(added, o)
	}
	p.layers.add(mid, len(cfgs))
	return added, nil
}

func (p *Peer) addOutlet(mid string, kind media.Kind, cfg OutletConfig) (*Outlet, error) {
	o := newOutlet(p, kind, cfg)
	direction := webrtc.RTPTransceiverDirectionSendonly
	if cfg.Both {
		direction = webrtc.RTPTransceiverDirectionSendrecv // without it pion has no receiver, and never gets one
	}
	t, err := p.pc.AddTransceiverFromTrack(outletTrack{o}, webrtc.RTPTransceiverInit{Direction: direction})
	if err != nil {
		return nil, fmt.Errorf("adding a send section: %w", err)
	}
	if cfg.Codec != "" {
		if err := t.SetCodecPreferences(preferred(cfg.Codec)); err != nil {
			return nil, fmt.Errorf("preferring %s: %w", cfg.Codec, err)
		}
	}
	if err := t.SetMid(mid); err != nil {
		return nil, fmt.Errorf("naming a send section: %w", err)
	}
	o.transceiver, o.sender = t, t.Sender()
	p.keep(o)
	return o, nil
}

// AddInlet adds a receive section, to be negotiated, and returns its mid.
func (p *Peer) AddInlet(kind media.Kind) (mid string, err error) {
	t, err := p.pc.AddTransceiverFromKind(codecType(kind), webrtc.RTPTransceiverInit{
		Direction: webrtc.RTPTransceiverDirectionRecvonly,
	})
	if err != nil {
		return "", fmt.Errorf("adding a receive section: %w", err)
	}
	mid = p.nextMid()
	if err := t.SetMid(mid); err != nil {
		return "", fmt.Errorf("naming a receive section: %w", err)
	}
	return mid, nil
}

// FillOutlets gives every section in which the other side only receives a
// sender, if it has none: call it between SetRemote and Answer. config is asked
// once for each new one.
func (p *Peer) FillOutlets(config func(mid string, kind media.Kind) OutletConfig) ([]*Outlet, error) {
	var added []*Outlet
	for _, t := range p.pc.GetTransceivers() {
		if t.Sender() != nil || t.Direction() != webrtc.RTPTransceiverDirectionSendonly {
			continue
		}
		kind := kindOf(t.Kind())
		o := newOutlet(p, kind, config(t.Mid(), kind))
		if err := p.attach(t, o); err != nil {
			return added, fmt.Errorf("filling section %s: %w", t.Mid(), err)
		}
		added = append(added, o)
	}
	return added, nil
}

func (p *Peer) keep(o *Outlet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outlets = append(p.outlets, o)
}

func (p *Peer) onTrack(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	t := receiver.RTPTransceiver()
	if t == nil || p.isSealed() {
		return
	}
	in := newInlet(p, t.Mid(), track, receiver)
	p.mu.Lock()
	p.inlets = slices.DeleteFunc(p.inlets, func(old *Inlet) bool { return old.mid == in.mid })
	p.inlets = append(p.inlets, in)
	p.mu.Unlock()
	if p.handler.Inlet != nil {
		p.handler.Inlet(in)
	}
}

// CreateChannel opens a data channel.
func (p *Peer) CreateChannel(label string, init *webrtc.DataChannelInit) (*webrtc.DataChannel, error) {
	return p.pc.CreateDataChannel(label, init)
}

// Stats returns what the sections did so far.
func (p *Peer) Stats() (out map[string]OutletStats, in map[string]InletStats, rtt time.Duration) {
	p.mu.Lock()
	outlets, inlets := slices.Clone(p.outlets), slices.Clone(p.inlets)
	p.mu.Unlock()
	out, in = map[string]OutletStats{}, map[string]InletStats{}
	for _, o := range outlets {
		out[o.Mid()] = o.Stats()
	}
	for _, i := range inlets {
		in[i.mid] = i.Stats()
	}
	return out, in, p.RTT()
}

// RTT is the last measured round trip, or zero.
func (p *Peer) RTT() time.Duration {
	if rtt := time.Duration(p.rtt.Load()); rtt != 0 {
		return rtt
	}
	if pair, ok := p.pair(); ok {
		return pair
	}
	return 0
}

func (p *Peer) noteRTT(rtt time.Duration) { p.rtt.Store(int64(rtt)) }

func (p *Peer) pair() (time.Duration, bool) {
	if p.closed() || p.State() != webrtc.PeerConnectionStateConnected {
		return 0, false
	}
	ice, ok := p.iceTransport()
	if !ok {
		return 0, false
	}
	s, ok := ice.GetSelectedCandidatePairStats()
	if !ok || s.CurrentRoundTripTime <= 0 {
		return 0, false
	}
	return time.Duration(s.CurrentRoundTripTime * float64(time.Second)), true
}

// iceTransport returns the ICE transport once it has started: pion's questions
// to it race with its start.
func (p *Peer) iceTransport() (*webrtc.ICETransport, bool) {
	return p.ice, p.ice.State() != webrtc.ICETransportStateNew
}

// CandidatePair describes the pair in use, or "" without one.
func (p *Peer) CandidatePair() string {
	ice, ok := p.iceTransport()
	if !ok {
		return ""
	}
	pair, err := ice.GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return ""
	}
	return pair.Local.String() + " <-> " + pair.Remote.String()
}

// LocalAddress returns this machine's address on the pair in use, if there is
// one and it is known.
func (p *Peer) LocalAddress() netip.Addr {
	ice, ok := p.iceTransport()
	if !ok {
		return netip.Addr{}
	}
	pair, err := ice.GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return netip.Addr{}
	}
	text := pair.Local.Address
	if pair.Local.Typ != webrtc.ICECandidateTypeHost {
		text = pair.Local.RelatedAddress // the base, RFC 8445 section 5.1.1
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

func (p *Peer) writeRTCP(packets []rtcp.Packet) error {
	if p.closed() {
		return ErrClosed
	}
	return p.pc.WriteRTCP(packets)
}

func (p *Peer) wake() {
	select {
	case p.poke <- struct{}{}:
	default:
	}
}

// run asks for lost packets and reports, as long as the connection lives.
func (p *Peer) run() {
	timer := time.NewTimer(reportInterval)
	defer timer.Stop()
	report := time.Now().Add(reportInterval)
	for {
		select {
		case <-p.done:
			return
		case <-p.poke:
		case <-timer.C:
		}
		now := time.Now()
		next := p.askAgain(now)
		early := report.After(now)
		p.sendReports(now, early)
		if !early {
			report = now.Add(reportInterval)
		}
		for _, at := range [...]time.Time{report, p.tellArrivals(now), p.probe(now)} {
			if next.IsZero() || !at.IsZero() && at.Before(next) {
				next = at
			}
		}
		timer.Reset(next.Sub(now))
	}
}

func (p *Peer) sections() ([]*Outlet, []*Inlet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.outlets), slices.Clone(p.inlets)
}

func (p *Peer) askAgain(now time.Time) (next time.Time) {
	_, inlets := p.sections()
	var packets []rtcp.Packet
	rtt := p.RTT()
	for _, in := range inlets {
		nack, at := in.nack(now, rtt)
		if nack != nil {
			packets = append(packets, nack)
		}
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if len(packets) > 0 {
		_ = p.writeRTCP(packets) // asked again when due
	}
	return next
}

// sendReports sends the reports that are due; early: those that cannot wait.
func (p *Peer) sendReports(now time.Time, early bool) {
	outlets, inlets := p.sections()
	var packets []rtcp.Packet
	for _, o := range outlets {
		if sr := o.senderReport(now, early); sr != nil {
			packets = append(packets, sr)
		}
	}
	if early {
		inlets = nil
	}
	rr := &rtcp.ReceiverReport{}
	for _, in := range inlets {
		if r, due := in.receptionReport(now); due {
			rr.Reports = append(rr.Reports, r)
		}
		if len(rr.Reports) == 31 { // the most a packet can hold
			packets = append(packets, rr)
			rr = &rtcp.ReceiverReport{}
		}
	}
	if len(rr.Reports) > 0 {
		packets = append(packets, rr)
	}
	if !early {
		if b := p.boundReport(inlets); b != nil {
			packets = append(packets, b)
		}
	}
	for _, pkt := range packets {
		_ = p.writeRTCP([]rtcp.Packet{pkt}) // the next report says it anew
	}
}
