package rsp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/parley-rtc/parley/signaling"
)

// Options configure a [Transport]. Only URL is required.
type Options struct {
	// URL is the signaling endpoint, ws:// or wss://.
	URL string

	// Agent names the client software, as "name/version (platform)", where
	// the join does not.
	Agent string

	// AcquireICE makes Prepare ask for ICE servers in a round trip of its
	// own, which servers other than parley's need. Without it they are
	// expected in the answer to the join.
	AcquireICE bool

	// NetDialContext opens the connection; nil means a net.Dialer. TLS, where
	// the URL asks for it, is added on top.
	NetDialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLSConfig is for wss:// URLs; nil means the defaults.
	TLSConfig *tls.Config
	// Header is added to the WebSocket handshake.
	Header http.Header
	// Logger gets debug records without any token in them; nil is silent.
	Logger *slog.Logger

	// OpenTimeout bounds opening the socket; 15 s by default.
	OpenTimeout time.Duration
	// WelcomeTimeout is the wait for an answer to each of three hellos; 5 s
	// by default.
	WelcomeTimeout time.Duration
	// AnswerTimeout bounds the wait for the answer to the join once the
	// server has said welcome; 30 s by default.
	AnswerTimeout time.Duration
	// WriteTimeout bounds the sending of one message; 5 s by default.
	WriteTimeout time.Duration
	// Heartbeat is the period to ask the server for; 5 s by default. The
	// server decides. A connection on which three periods pass in silence is
	// lost.
	Heartbeat time.Duration
}

// Transport joins rooms over a WebSocket. It is a [signaling.Transport], safe
// for concurrent use, and holds no resources of its own.
type Transport struct {
	opts Options
}

var _ signaling.Transport = (*Transport)(nil)

// NewTransport returns a transport to the server at opts.URL. The options are
// copied; a URL that cannot be used is reported by Prepare and Dial.
func NewTransport(opts Options) *Transport {
	opts.Header = opts.Header.Clone()
	if opts.TLSConfig != nil {
		opts.TLSConfig = opts.TLSConfig.Clone()
	}
	if opts.NetDialContext == nil {
		opts.NetDialContext = new(net.Dialer).DialContext
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	opts.OpenTimeout = orDefault(opts.OpenTimeout, 15*time.Second)
	opts.WelcomeTimeout = orDefault(opts.WelcomeTimeout, 5*time.Second)
	opts.AnswerTimeout = orDefault(opts.AnswerTimeout, 30*time.Second)
	opts.WriteTimeout = orDefault(opts.WriteTimeout, 5*time.Second)
	opts.Heartbeat = orDefault(opts.Heartbeat, 5*time.Second)
	opts.Agent = cmp.Or(opts.Agent, "parley")
	return &Transport{opts: opts}
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d <= 0 {
		return fallback
	}
	return d
}

// Prepare returns nil, nil: ICE servers come with the answer to the join. With
// [Options.AcquireICE] it asks the server for them, on a socket of its own.
func (t *Transport) Prepare(ctx context.Context, token string) ([]signaling.ICEServer, error) {
	if !t.opts.AcquireICE {
		return nil, nil
	}
	body, err := encode(struct {
		Type    string `json:"type"`
		Version int    `json:"version"`
		Edge    string `json:"edge"`
		Token   string `json:"token"`
	}{typeICE, iceVersion, "roaming", token})
	if err != nil {
		return nil, signaling.Errorf(signaling.CodeSignalingOutgoingInvalid, "rsp: ice: %w", err)
	}
	l, answer, err := t.handshake(ctx, body, typeICED)
	if err != nil {
		return nil, err
	}
	l.hangUp(ctx, nil)
	return serversFromWire(answer.ICEServers), nil
}

// Dial joins the room, or resumes the session, in one round trip after the
// socket is open: the join rides in the first frame. When the server is busy
// and says for how long, Dial waits and tries again; if the context's deadline
// comes before that it returns [signaling.CodeServerBusy] with RetryAfter at
// once. A server that cannot be reached gives
// [signaling.CodeSignalingConnection], a refusal the code that the server gave.
// When the context ends Dial returns its error within 100 ms and leaves nothing
// behind.
func (t *Transport) Dial(ctx context.Context, join signaling.Join) (signaling.Session, error) {
	body, err := t.encodeJoin(join)
	if err != nil {
		return nil, signaling.Errorf(signaling.CodeSignalingOutgoingInvalid, "rsp: join: %w", err)
	}
	answer := typeConnected
	if join.Resume != "" {
		answer = typeSynced
	}
	l, m, err := t.handshake(ctx, body, answer)
	if err != nil {
		return nil, err
	}
	return newSession(l, join, m), nil
}

func (t *Transport) encodeJoin(join signaling.Join) ([]byte, error) {
	m := &clientMessage{
		Type:           typeConnect,
		Version:        rspVersion,
		Token:          join.Token,
		Format:         "unified",
		ICEServers:     "acquire",
		Publisher:      publisherOf(cmp.Or(join.Agent, t.opts.Agent)),
		MediaSignaling: channelMap{},
		Parley:         &clientExtension{Version: parleyVersion, Slots: join.Slots},
		Participant:    localToWire(&join.Participant),
		Connections:    connectionsToWire(join.PeerConnections),
		Subscribe:      subscribeToWire(&join.Subscribe),
		Profile:        profileToWire(join.BandwidthProfile),
	}
	m.Participant.MediaWarnings = list[name]{"recordings"}
	if join.OwnICEServers {
		m.ICEServers = "overrode"
	}
	for _, c := range join.Channels {
		m.MediaSignaling[c] = mediaChannel{Transports: list[channelTransport]{{Type: transportDataChannel}}}
	}
	if m.Connections == nil {
		m.Connections = list[peerConnection]{}
	}
	w := joinMessage{clientMessage: m}
	if join.Room != "" {
		w.Name = &join.Room
	}
	if join.Resume != "" {
		m.Type, w.Session = typeSync, &join.Resume
	}
	return encode(w)
}

// checkURL explains what is wrong with the endpoint without repeating it: it
// may hold secrets.
func checkURL(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, errors.New("no URL given")
	}
	u, err := url.Parse(raw)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return nil, fmt.Errorf("malformed URL: %w", err)
	}
	switch {
	case u.Scheme != "ws" && u.Scheme != "wss":
		return nil, fmt.Errorf("URL scheme %q is neither ws nor wss", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("URL has no host")
	case u.User != nil:
		return nil, errors.New("URL must not hold a user name")
	}
	return u, nil
}
