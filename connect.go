package parley

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/parley-rtc/parley/internal/engine"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/internal/timeline"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/rsp"
	"github.com/pion/webrtc/v4"
)

// ConnectOptions say how to join a room. Nil and the zero value are usable
// where Transport or URL name the server.
type ConnectOptions struct {
	// URL is the server's signaling endpoint: ws://host/signaling or
	// wss://host/signaling. It is needed unless Transport is set.
	URL string
	// Name is the room's name or SID. Default: the room that the token
	// grants, or else a new one without a name.
	Name string
	// Tracks are published before Connect returns. The room does not stop
	// them when it ends. Nothing is captured unless it is put in here.
	Tracks []LocalTrack
	// ManualSubscribe subscribes to nothing until SetSubscribed is called.
	// Default: subscribe to every track. In a peer-to-peer room every track is
	// subscribed in any case.
	ManualSubscribe bool
	// BandwidthProfile says which video the server sends, and how large, where
	// it cannot be all. Default: everything is sent. It has no effect in a
	// peer-to-peer room, nor have the next two.
	BandwidthProfile *BandwidthProfile
	// DominantSpeaker has the server tell who speaks: see
	// Room.DominantSpeaker and the event DominantSpeakerChanged.
	DominantSpeaker bool
	// NetworkQuality has the server tell how good connections are: see the
	// event NetworkQualityLevelChanged. Nil: not at all.
	NetworkQuality *NetworkQuality
	// MaxAudioBitrate and MaxVideoBitrate bound what the source of each track
	// encodes, in bits per second; zero: no bound. See SetParameters.
	MaxAudioBitrate, MaxVideoBitrate int
	// Transport replaces the default, package signaling/rsp over WebSocket.
	Transport signaling.Transport
	// ICEServers are used instead of those that the server gives, which change
	// with each time that the room connects: credentials of TURN servers do not
	// last. The program's own are used as they are, for as long as the room
	// lasts.
	ICEServers []webrtc.ICEServer
	// RefreshToken is asked for a new access token when the room has to be
	// joined anew, or the old one has expired. It may block; its context ends
	// with the room.
	RefreshToken func(context.Context) (string, error)
	// Logger gets what the room and pion have to say. Default: silent.
	// Tokens and keys are never logged.
	Logger *slog.Logger

	// RelayOnly sends media through TURN servers only: it hides the machine's
	// addresses, and works where a network lets nothing else through. The room
	// cannot be joined, with ErrTURN, where there is no such server; and where
	// none can be used it ends with an *LostError that matches ErrTURN too.
	RelayOnly bool
	// Interfaces and IPs keep the local network interfaces and addresses to
	// use; nil keeps all.
	Interfaces func(name string) bool
	IPs        func(net.IP) bool
	// NetworkTypes restricts address families and protocols. Default: UDP over
	// IPv4 and IPv6, and TCP where the server takes it and UDP does not lead
	// to it within a second.
	NetworkTypes []webrtc.NetworkType
	// ConfigureWebRTC may change any of pion's settings, after ours.
	ConfigureWebRTC func(*webrtc.SettingEngine)
}

// Connect joins a room with an access token. It is ConnectContext without a
// bound but the transport's own.
func Connect(token string, opts *ConnectOptions) (*Room, error) {
	return ConnectContext(context.Background(), token, opts)
}

// ConnectContext joins a room with an access token. It returns once the server
// has accepted the program and settled its tracks; media flows some round trips
// later. ctx bounds the joining only: when it ends first, nothing is left
// behind. The room ends by Disconnect, or by itself.
//
// A refusal is an *Error with the server's code. A track that is refused does
// not fail the joining: LocalTrackPublicationFailed tells it.
func ConnectContext(ctx context.Context, token string, opts *ConnectOptions) (*Room, error) {
	r, err := newRoom(token, opts)
	if err != nil {
		return nil, err
	}
	go r.run() // owned by the room; ends with it
	if err := r.join(ctx); err != nil {
		r.post(func() { r.end(err, "") })
		<-r.done
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, wrap("connecting: %w", err)
	}
	return r, nil
}

func newRoom(token string, opts *ConnectOptions) (*Room, error) {
	if opts == nil {
		opts = &ConnectOptions{}
	}
	r := &Room{
		opts: *opts, token: token, log: opts.Logger,
		poke: make(chan struct{}, 1), done: make(chan struct{}), requests: make(chan struct{}, maxRequests),
		memos: map[any]any{}, messages: &messageHub{},
		capabilities: Capabilities{Publish: true, PublishData: true, Subscribe: true},
	}
	r.opts.Tracks = slices.Clone(opts.Tracks)
	r.opts.ICEServers = slices.Clone(opts.ICEServers)
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if token == "" {
		return nil, wrap("%w: the access token is empty", ErrOption)
	}
	if opts.MaxAudioBitrate < 0 || opts.MaxVideoBitrate < 0 {
		return nil, wrap("%w: negative bitrate", ErrOption)
	}
	if err := checkProfile(opts.BandwidthProfile); err != nil {
		return nil, err
	}
	r.opts.BandwidthProfile = cloneProfile(opts.BandwidthProfile)
	if q := opts.NetworkQuality; q != nil {
		if q.Local < 0 || q.Local > 3 || q.Remote < 0 || q.Remote > 3 {
			return nil, wrap("%w: NetworkQuality %+v; it goes from 0 to 3", ErrOption, *q)
		}
		r.opts.NetworkQuality = &NetworkQuality{q.Local, q.Remote}
	}
	if r.opts.Transport == nil {
		t, err := newTransport(r.opts.URL, opts.Logger)
		if err != nil {
			return nil, err
		}
		r.opts.Transport, r.watches = t, true
	}
	if opts.RelayOnly && len(opts.ICEServers) > 0 && !relays(opts.ICEServers) {
		return nil, wrap("%w: RelayOnly, and no TURN server among ICEServers", ErrOption)
	}
	api, err := rtc.New(rtc.Config{
		RelayOnly: opts.RelayOnly, CallTCP: true,
		Logger: opts.Logger, Interfaces: opts.Interfaces, IPs: opts.IPs, NetworkTypes: opts.NetworkTypes,
		Loopback: isLoopback(opts.URL), Configure: opts.ConfigureWebRTC,
	})
	if err != nil {
		return nil, wrap("%w", err)
	}
	r.api = api
	r.life, r.cancel = context.WithCancel(context.Background())
	r.timeline = timeline.New(timeline.Options[Event]{
		Coalesce: coalesce,
		Warn: func(view string, waiting int) {
			r.post(func() { r.log.Warn("an event channel is not read", "channel", view, "waiting", waiting) })
		},
		Overflow: func() { r.post(func() { r.end(ErrSlowConsumer, ReasonSlow) }) },
	})
	r.local = &LocalParticipant{room: r, done: make(chan struct{})}
	l := &r.loop
	l.timeout = defaultSessionTimeout
	l.seen = map[string]int{}
	l.revision = 1
	l.share.profile = r.opts.BandwidthProfile
	l.encoding = EncodingParameters{opts.MaxAudioBitrate, opts.MaxVideoBitrate}
	l.subscribe = signaling.Subscribe{Revision: 1, Rules: []signaling.Rule{{Exclude: opts.ManualSubscribe, All: true}}}
	if l.engine, err = r.newEngine(); err != nil {
		r.cancel()
		return nil, wrap("%w", err)
	}
	return r, nil
}

func newTransport(endpoint string, logger *slog.Logger) (signaling.Transport, error) {
	if endpoint == "" {
		return nil, wrap("%w: URL is empty; it names the server, as in ws://127.0.0.1:7880/signaling", ErrOption)
	}
	u, err := url.Parse(endpoint)
	if err != nil || (u.Scheme != "ws" && u.Scheme != "wss") || u.Host == "" {
		return nil, wrap("%w: URL %q; it has to be like ws://127.0.0.1:7880/signaling", ErrOption, endpoint)
	}
	return rsp.NewTransport(rsp.Options{URL: endpoint, Logger: logger}), nil
}

func isLoopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || (ip != nil && ip.IsLoopback())
}

// iceServers are those to use: the program's, or else the server's.
func (r *Room) iceServers() []webrtc.ICEServer {
	servers := slices.Clone(r.opts.ICEServers)
	if len(servers) == 0 {
		for _, s := range r.loop.servers {
			server := webrtc.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential}
			if err := r.api.CheckServer(server); err != nil {
				r.log.Warn("an ICE server is left out", "err", err)
				continue
			}
			servers = append(servers, server)
		}
	}
	return servers
}

func (r *Room) newEngine() (*engine.Engine, error) {
	return engine.New(engine.Config{
		API: r.api, ICEServers: r.iceServers(), RelayOnly: r.opts.RelayOnly, Logger: r.log,
		AwaitServers:      len(r.opts.ICEServers) == 0,
		Post:              r.post,
		ConnectionChanged: r.connectionChanged,
		LimitChanged:      r.shareUplink,
		Outgoing:          func() {}, // every turn of the loop ends with a flush
		ChannelOpened:     func(string) { r.reconcile() },
	})
}

// join makes the first connection and waits until the tracks are settled.
func (r *Room) join(ctx context.Context) error {
	if len(r.opts.ICEServers) == 0 {
		servers, err := r.opts.Transport.Prepare(ctx, r.token)
		if err != nil {
			return err
		}
		if len(servers) > 0 {
			if err := r.useServers(ctx, servers); err != nil {
				return err
			}
		}
	}
	pubs := make([]*LocalTrackPublication, len(r.opts.Tracks))
	for i, t := range r.opts.Tracks {
		pub, err := newPublication(r, t, nil)
		if err != nil {
			return err
		}
		pubs[i] = pub
	}
	var join signaling.Join
	var failed error
	if err := r.do(ctx, func() {
		if failed = r.publish(pubs); failed == nil {
			join, failed = r.freshJoin()
		}
	}); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	session, err := r.opts.Transport.Dial(ctx, join)
	if err != nil {
		return err
	}
	if err := r.do(context.Background(), func() { r.joined(join, session) }); err != nil {
		_ = session.Close(context.Background(), signaling.ReasonReplaced) // the room ended meanwhile
		return err
	}
	if err := r.Err(); err != nil {
		return err // the server's first state was not usable
	}
	if _, err := await(ctx, r, pubs); err != nil && ctx.Err() != nil {
		return err
	}
	return nil
}

func (r *Room) useServers(ctx context.Context, servers []signaling.ICEServer) error {
	var failed error
	err := r.do(ctx, func() {
		r.loop.servers, r.loop.serversAt = servers, time.Now()
		failed = r.loop.engine.UseServers(r.iceServers())
	})
	return errors.Join(err, failed)
}

// freshJoin is the first message of a new session. It runs on the loop.
func (r *Room) freshJoin() (signaling.Join, error) {
	l := &r.loop
	pcs, err := l.engine.Join()
	if err != nil {
		return signaling.Join{}, err
	}
	// What others publish has other handles in a new session. Their names last
	// until we are told.
	r.choose(func(pub *RemoteTrackPublication) signaling.Rule {
		return signaling.Rule{Publisher: pub.participant.identity, Track: pub.name}
	})
	l.dirty, l.subDirty, l.share.profileDirty = false, false, false
	return signaling.Join{
		Token: r.token, Room: r.opts.Name, Participant: *r.localSection(), PeerConnections: pcs,
		Subscribe: l.subscribe, OwnICEServers: len(r.opts.ICEServers) > 0, Slots: true, Agent: agent,
		Channels: r.channels(), BandwidthProfile: l.share.profile,
	}, nil
}

// agent names this library to servers.
const agent = "parley-go/" + Version

// Version is the version of this module. It follows semantic versioning.
const Version = "0.1.0"
