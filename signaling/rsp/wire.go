package rsp

import (
	"encoding/json"
)

// The protocol versions that are spoken here.
const (
	tcmpVersion   = 2
	rspVersion    = 2
	iceVersion    = 1
	parleyVersion = 1
)

// Types of TCMP frames.
const (
	frameHello     = "hello"
	frameWelcome   = "welcome"
	frameBusy      = "busy"
	frameBad       = "bad"
	frameMsg       = "msg"
	frameHeartbeat = "heartbeat"
	frameBye       = "bye"
)

// Types of RSP messages.
const (
	typeICE          = "ice"
	typeICED         = "iced"
	typeConnect      = "connect"
	typeConnected    = "connected"
	typeUpdate       = "update"
	typeSync         = "sync"
	typeSynced       = "synced"
	typeDisconnect   = "disconnect"
	typeDisconnected = "disconnected"
	typeError        = "error"
	typeWarning      = "warning"
)

// frame is one WebSocket text message: a TCMP frame. Only the fields of its
// Type are used.
type frame struct {
	Type string          `json:"type"`
	Body json.RawMessage `json:"body,omitempty"`

	// hello
	ID      string  `json:"id,omitempty"`
	Version int     `json:"version,omitempty"`
	Timeout float64 `json:"timeout,omitempty"` // ms
	Cookie  string  `json:"cookie,omitempty"`  // busy too

	// welcome
	NegotiatedTimeout float64 `json:"negotiatedTimeout,omitempty"` // ms

	// busy
	RetryAfter *float64 `json:"retryAfter,omitempty"` // ms, negative: never
	KeepAlive  *bool    `json:"keepAlive,omitempty"`

	// bad
	Reason string `json:"reason,omitempty"`
}

// clientMessage is any RSP message from a client. A slice that is nil is not
// sent, an empty one is: absence and emptiness mean different things.
type clientMessage struct {
	Type    string `json:"type"`
	Version int    `json:"version,omitempty"`

	// connect and sync; ice carries the token too.
	Name           *string                `json:"name,omitempty"`
	Token          string                 `json:"token,omitempty"`
	Format         string                 `json:"format,omitempty"`
	ICEServers     string                 `json:"ice_servers,omitempty"`
	Publisher      *publisher             `json:"publisher,omitempty"`
	MediaSignaling channelMap             `json:"media_signaling,omitzero"`
	Edge           string                 `json:"edge,omitempty"`
	Parley         *clientExtension       `json:"parley,omitempty"`
	Participant    *localParticipant      `json:"participant,omitempty"`
	Connections    list[peerConnection]   `json:"peer_connections,omitzero"`
	Subscribe      *subscribe             `json:"subscribe,omitempty"`
	Session        *string                `json:"session,omitempty"`
	Channels       list[extensionChannel] `json:"channels,omitzero"`
	Profile        *bandwidthProfile      `json:"bandwidth_profile,omitempty"`
}

// serverMessage is any RSP message from a server.
type serverMessage struct {
	Type    string `json:"type"`
	Version int    `json:"version,omitempty"`

	// connected, synced and update
	SID            string                  `json:"sid,omitempty"`
	Name           string                  `json:"name,omitempty"`
	Session        string                  `json:"session,omitempty"`
	Participant    *identity               `json:"participant,omitempty"`
	Participants   list[remoteParticipant] `json:"participants,omitzero"`
	Connections    list[peerConnection]    `json:"peer_connections,omitzero"`
	Published      *published              `json:"published,omitempty"`
	Subscribed     *subscribed             `json:"subscribed,omitempty"`
	Recording      *recording              `json:"recording,omitempty"`
	MediaSignaling channelMap              `json:"media_signaling,omitzero"`
	Options        *roomOptions            `json:"options,omitempty"`
	Parley         *serverExtension        `json:"parley,omitempty"`
	Channels       list[extensionChannel]  `json:"channels,omitzero"`

	// iced
	ICEServers list[iceServer] `json:"ice_servers,omitzero"`

	// error and disconnected
	Code       int      `json:"code,omitempty"`
	Message    string   `json:"message,omitempty"`
	Status     string   `json:"status,omitempty"`
	Reason     string   `json:"reason,omitempty"`
	RetryAfter *float64 `json:"retry_after,omitempty"` // ms, negative: never

	// warning
	States *warningStates `json:"states,omitempty"`
}

type publisher struct {
	Name       string `json:"name"`
	SDKVersion string `json:"sdk_version"`
	UserAgent  string `json:"user_agent"`
}

// clientExtension announces, in connect and sync, that the client understands
// the extensions of PROTOCOL.md.
type clientExtension struct {
	Version int  `json:"version"`
	Slots   bool `json:"slots"`
}

// serverExtension is the answer to it, in connected and synced.
type serverExtension struct {
	Version         int             `json:"version"`
	Slots           bool            `json:"slots"`
	Subscribe       bool            `json:"subscribe"`
	ICEServers      list[iceServer] `json:"ice_servers,omitzero"`
	PeerToPeer      bool            `json:"peer_to_peer,omitempty"`
	MaxParticipants int             `json:"max_participants,omitempty"`
	Channels        list[name]      `json:"channels,omitzero"`
	Permissions     *permissions    `json:"permissions,omitempty"`
}

// permissions has the fields of signaling.Permissions.
type permissions struct {
	Publish     bool `json:"publish"`
	PublishData bool `json:"publish_data"`
	Subscribe   bool `json:"subscribe"`
	Moderate    bool `json:"moderate"`
}

type extensionChannel struct {
	Name    string          `json:"name"`
	Payload json.RawMessage `json:"payload"`
}

type localParticipant struct {
	Revision      int              `json:"revision"`
	Tracks        list[localTrack] `json:"tracks"`
	MediaWarnings list[name]       `json:"media_warnings,omitzero"`
}

type localTrack struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Enabled  bool   `json:"enabled"`
	Priority string `json:"priority"`
	Stream   string `json:"stream,omitempty"`
}

type identity struct {
	SID      string `json:"sid"`
	Identity string `json:"identity"`
}

type remoteParticipant struct {
	SID      string            `json:"sid"`
	Identity string            `json:"identity"`
	Revision int               `json:"revision"`
	State    string            `json:"state"`
	Tracks   list[remoteTrack] `json:"tracks"`
	Reason   string            `json:"reason,omitempty"`
}

type remoteTrack struct {
	SID      string `json:"sid"`
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Enabled  bool   `json:"enabled"`
	Priority string `json:"priority"`
	Stream   string `json:"stream,omitempty"`
}

type published struct {
	Revision int                  `json:"revision"`
	Tracks   list[publishedTrack] `json:"tracks"`
}

type publishedTrack struct {
	ID    string      `json:"id"`
	State string      `json:"state"`
	SID   string      `json:"sid,omitempty"`
	Error *trackError `json:"error,omitempty"`
}

type trackError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type subscribed struct {
	Revision int                   `json:"revision"`
	Tracks   list[subscribedTrack] `json:"tracks"`
}

type subscribedTrack struct {
	SID   string      `json:"sid"`
	ID    string      `json:"id,omitempty"`
	From  uint16      `json:"from,omitempty"`
	Error *trackError `json:"error,omitempty"`
}

type recording struct {
	Revision int  `json:"revision"`
	Active   bool `json:"is_recording"`
}

type warningStates struct {
	Revision int        `json:"revision"`
	Tracks   warningMap `json:"tracks"`
}

type trackWarning struct {
	Recordings string `json:"recordings"`
}

type subscribe struct {
	Revision int        `json:"revision"`
	Rules    list[rule] `json:"rules"`
}

type rule struct {
	Type      string `json:"type"`
	All       bool   `json:"all,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Publisher string `json:"publisher,omitempty"`
	Track     string `json:"track,omitempty"`
}

type peerConnection struct {
	ID          string       `json:"id"`
	Description *description `json:"description,omitempty"`
	ICE         *iceState    `json:"ice,omitempty"`
	Participant string       `json:"participant,omitempty"`
	AskOffer    bool         `json:"ask_offer,omitempty"`
}

type description struct {
	Type     string `json:"type"`
	Revision int    `json:"revision"`
	SDP      string `json:"sdp,omitempty"`
}

type iceState struct {
	Ufrag      string          `json:"ufrag"`
	Revision   int             `json:"revision"`
	Candidates list[candidate] `json:"candidates"`
	Complete   bool            `json:"complete,omitempty"`
}

type candidate struct {
	Candidate        string  `json:"candidate"`
	SDPMid           *string `json:"sdpMid,omitempty"`
	SDPMLineIndex    *uint16 `json:"sdpMLineIndex,omitempty"`
	UsernameFragment *string `json:"usernameFragment,omitempty"`
}

type roomOptions struct {
	SessionTimeout  float64 `json:"session_timeout"` // seconds
	SignalingRegion string  `json:"signaling_region,omitempty"`
	MediaRegion     string  `json:"media_region,omitempty"`
	// AudioProcessors are the vendors of noise cancellation that a browser may
	// use. It works in the browser alone.
	AudioProcessors []string `json:"audio_processors,omitempty"`
}

// audioProcessors are all that browsers' clients know: a server of this module
// forbids none.
var audioProcessors = []string{"krisp", "rnnoise"}

type iceServer struct {
	URLs       urls   `json:"urls"`
	Username   string `json:"username,omitempty"`
	Credential string `json:"credential,omitempty"`
}

// mediaChannel is an entry of media_signaling: a client lists the transports it
// can take, a server names the one it serves.
type mediaChannel struct {
	Transports list[channelTransport] `json:"transports,omitzero"`
	Transport  *channelTransport      `json:"transport,omitempty"`
}

type channelTransport struct {
	Type  string `json:"type"`
	Label string `json:"label,omitempty"`
}

const transportDataChannel = "data-channel"
