// Package signaling is the seam between a room and the wire.
//
// A room is replicated state: the client owns what it publishes, the server
// owns everything else, and both own the peer connections. Each side sends
// whole sections with a revision, and a section that is not newer than the one
// already known is ignored. A [Transport] carries those sections; what bytes it
// uses, and whose protocol they belong to, is its own business.
//
// The default is package signaling/rsp. A third party implements [Transport]
// and [Session] (six methods in all) and proves it with package
// signaling/signalingtest. This package imports the standard library only.
package signaling

import (
	"context"
	"time"
)

// Transport opens sessions with one server. It must be safe for concurrent use.
type Transport interface {
	// Prepare asks for the ICE servers to use before an offer is made.
	// A transport whose servers arrive with Dial returns nil, nil.
	Prepare(ctx context.Context, token string) ([]ICEServer, error)

	// Dial joins a room, or resumes a session when join.Resume is set, and
	// returns once the server has accepted or refused. A refusal is an
	// [*Error]. The context bounds the dialing only.
	Dial(ctx context.Context, join Join) (Session, error)
}

// Session is one accepted connection to a room. Its transport keeps it alive
// with heartbeats of its own. Send and Close may be called from any goroutine,
// Receive from one at a time.
type Session interface {
	// Initial is the full state the server answered with.
	Initial() State

	// Send queues whole sections. It never blocks on the network: sections
	// that wait are replaced by newer ones of the same kind. It fails only
	// when the session has ended.
	Send(update Update) error

	// Receive returns the next update in the server's order. Its error is
	// final, except the context's own: an [*Error] that the server sent
	// carries the code and may carry RetryAfter; a lost connection is an
	// [*Error] with [CodeSignalingDisconnected].
	Receive(ctx context.Context) (Update, error)

	// Close ends the session. With [ReasonLeave] it first tells the server,
	// within the context's time, that the participant leaves; with
	// [ReasonReplaced] it only drops the connection, so that the session can
	// be resumed by another Dial. Close is idempotent and unblocks Receive.
	Close(ctx context.Context, reason Reason) error
}

// Reason says why a client closes its session.
type Reason int

const (
	// ReasonLeave: the participant leaves the room for good.
	ReasonLeave Reason = iota
	// ReasonReplaced: the connection is given up, the participant stays.
	ReasonReplaced
)

// Join is what a client sends to enter a room, or to resume its session.
type Join struct {
	Token string // the access token, as minted
	Room  string // room name or SID; empty: the room that the token grants

	// Resume is the session to take up again (State.Session), or empty.
	Resume string

	Participant     LocalParticipant
	PeerConnections []PeerConnection // the client's offer rides in the join
	Subscribe       Subscribe

	// BandwidthProfile is how the client wants its downlink shared; nil: it
	// takes everything, or, when it resumes, what it said before.
	BandwidthProfile *BandwidthProfile

	// Channels are the media-signaling channels the client would like.
	Channels []string

	// ChannelMessages says that the client takes and gives the messages of
	// those channels in Update.Channels; otherwise they go over data channels
	// that the server opens.
	ChannelMessages bool

	// OwnICEServers says that the application supplied ICE servers itself.
	OwnICEServers bool

	// Slots says that the client receives media in slots: see Subscription.
	Slots bool

	// Agent names the client software, as "name/version (platform)".
	Agent string
}

// State is everything a server says when it accepts a client or resumes it.
type State struct {
	Session string // opaque; empty where sessions cannot be resumed
	Room    Room
	// Participant is the client itself.
	Participant  Identity
	Capabilities Capabilities
	// Permissions is what the client may do; nil: the server did not say.
	Permissions *Permissions
	ICEServers  []ICEServer
	// Update holds the sections; Update.Full is true.
	Update Update
}

// Room names the room that was joined.
type Room struct {
	SID  string
	Name string
	// SessionTimeout is how long the server keeps a vanished client's place.
	SessionTimeout  time.Duration
	SignalingRegion string
	MediaRegion     string
	MaxParticipants int // 0: not told
}

// Identity is who a participant is.
type Identity struct {
	SID      string
	Identity string
}

// Capabilities says what the other side does.
type Capabilities struct {
	// Resume: Join.Resume is understood.
	Resume bool
	// Slots: media arrives in slots, and the server makes no offers.
	Slots bool
	// Subscribe: Update.Subscribe is understood after joining.
	Subscribe bool
	// PeerToPeer: the room is one of peer connections between its
	// participants, one for each pair. See PeerConnection.
	PeerToPeer bool
	// Channels lists the media-signaling channels that are served.
	Channels []string
}

// Permissions say what a client may do in the room. The server refuses the
// rest, whatever the client believes.
type Permissions struct {
	Publish     bool // audio and video
	PublishData bool // data tracks and signals
	Subscribe   bool // receive the tracks of others
	Moderate    bool // remove and mute others
}

// Update is a set of sections; a nil section is not part of the update.
// Sections travel whole, so the newest of a kind is enough.
type Update struct {
	// Full marks a complete server state (after a join or a resume):
	// participants that it does not list are gone.
	Full bool

	// Client to server.
	Participant      *LocalParticipant
	Subscribe        *Subscribe
	BandwidthProfile *BandwidthProfile

	// Server to client.
	Participants []RemoteParticipant
	Published    *Published
	Subscribed   *Subscribed
	Recording    *Recording
	Warnings     *Warnings

	// Both ways.
	PeerConnections []PeerConnection
	Channels        []Channel
}

// LocalParticipant is what a client publishes.
type LocalParticipant struct {
	Revision int
	Tracks   []LocalTrack
}

// LocalTrack is one publication in the words of its publisher. ID is chosen by
// the client, fresh for each publication, and joins it to its media: it is the
// track part of a=msid, or the label of the data channel.
type LocalTrack struct {
	ID       string
	Kind     Kind
	Name     string
	Enabled  bool
	Priority Priority
	// Stream groups tracks that belong together, such as a camera and its
	// microphone; tracks with the same label are one unit. Optional.
	Stream string
}

// RemoteParticipant is somebody else in the room. Tracks are the published
// ones; one that a newer revision does not list was unpublished.
type RemoteParticipant struct {
	SID      string
	Identity string
	Revision int
	State    ParticipantState
	Tracks   []RemoteTrack
	// Reason says why a participant with StateDisconnected left.
	Reason DisconnectReason
}

// RemoteTrack is a publication in the words of the server.
type RemoteTrack struct {
	SID      string
	Kind     Kind
	Name     string
	Enabled  bool
	Priority Priority
	Stream   string // as the publisher gave it, see LocalTrack
}

// Kind of a track.
type Kind string

// The kinds of tracks.
const (
	KindAudio Kind = "audio"
	KindVideo Kind = "video"
	KindData  Kind = "data"
)

// Priority of a track.
type Priority string

// The priorities; an empty one means standard.
const (
	PriorityLow      Priority = "low"
	PriorityStandard Priority = "standard"
	PriorityHigh     Priority = "high"
)

// ParticipantState is the connection state of a participant.
type ParticipantState string

// The states of a participant. Any other value is no transition.
const (
	StateConnected    ParticipantState = "connected"
	StateReconnecting ParticipantState = "reconnecting"
	StateDisconnected ParticipantState = "disconnected"
)

// DisconnectReason says why a participant, or the client itself, is out.
type DisconnectReason string

// The reasons; an empty one is unknown.
const (
	DisconnectLeft      DisconnectReason = "left"      // it left by itself
	DisconnectRemoved   DisconnectReason = "removed"   // an administrator removed it
	DisconnectDuplicate DisconnectReason = "duplicate" // its identity joined again
	DisconnectTimeout   DisconnectReason = "timeout"   // it vanished and did not come back
	DisconnectCompleted DisconnectReason = "completed" // the room was ended
	DisconnectDuration  DisconnectReason = "duration"  // its time was up
	DisconnectShutdown  DisconnectReason = "shutdown"  // the server goes down
	DisconnectProtocol  DisconnectReason = "protocol"  // it broke the protocol
	DisconnectSlow      DisconnectReason = "slow"      // it did not read what was sent to it
)

// Published tells a client what became of the tracks it publishes.
type Published struct {
	Revision int
	Tracks   []PublishedTrack
}

// PublishedTrack is the server's word on one LocalTrack.
type PublishedTrack struct {
	ID    string // LocalTrack.ID
	State PublishState
	SID   string // with PublishReady
	Err   *Error // with PublishFailed
}

// PublishState is how far a publication has come.
type PublishState string

// The states of a publication.
const (
	PublishCreated PublishState = "created"
	PublishReady   PublishState = "ready"
	PublishFailed  PublishState = "failed"
)

// Subscribe is what a client wants to receive: rules evaluated in order from
// the empty set, include adding and exclude taking away.
type Subscribe struct {
	Revision int
	Rules    []Rule
}

// Rule is one step of Subscribe. Filters that are set must all match; All
// stands alone.
type Rule struct {
	Exclude   bool // false: include
	All       bool
	Kind      Kind
	Publisher string // participant SID or identity
	Track     string // track SID or name
}

// Subscribed tells a client what it receives, completely: a track that a newer
// revision does not list was unsubscribed.
type Subscribed struct {
	Revision int
	Tracks   []Subscription
}

// Subscription joins a track to the media that carries it.
//
// Without slots, ID is the track part of a=msid in the server's description.
// With slots, it is the mid of a receive section that the client offered ahead
// of time, and From is the RTP sequence number with which this subscription
// begins in that section: earlier packets belong to its former user. An empty
// ID without an error waits for a section: the client should offer more. For
// data tracks ID is the label of the data channel, always.
type Subscription struct {
	SID  string
	ID   string
	From uint16
	Err  *Error // the subscription failed; ID is empty
}

// Recording says whether the room is being recorded.
type Recording struct {
	Revision int
	Active   bool
}

// Warnings holds the recording health of published tracks by SID.
type Warnings struct {
	Revision int
	NoMedia  map[string]bool // track SID: recorded, and no media arrives
}

// PeerConnection is the state of one peer connection, addressed by an id that
// its creator chose.
type PeerConnection struct {
	ID          string
	Description *Description
	ICE         *ICE

	// Participant is the SID of who is at the other end, where that is not
	// the server. Only servers tell it.
	Participant string
	// AskOffer is the client's wish to make an offer. In peer-to-peer rooms
	// the server answers it with DescriptionCreateOffer when the other end
	// makes none, so that offers never cross.
	AskOffer bool
}

// Description is a session description under the revision rule of
// PROTOCOL.md: one counter per peer connection, shared by both sides.
type Description struct {
	Type     DescriptionType
	Revision int
	SDP      string
}

// DescriptionType is the kind of a description.
type DescriptionType string

// The types of descriptions. CreateOffer asks the client to make the next
// offer; Close ends the peer connection.
const (
	DescriptionOffer       DescriptionType = "offer"
	DescriptionAnswer      DescriptionType = "answer"
	DescriptionPranswer    DescriptionType = "pranswer"
	DescriptionCreateOffer DescriptionType = "create-offer"
	DescriptionClose       DescriptionType = "close"
)

// ICE is the cumulative list of candidates gathered for one ufrag.
type ICE struct {
	Ufrag      string
	Revision   int
	Candidates []Candidate
	Complete   bool
}

// Candidate is an ICE candidate in the browser's form.
type Candidate struct {
	Candidate        string
	SDPMid           *string
	SDPMLineIndex    *uint16
	UsernameFragment *string
}

// ICEServer is a STUN or TURN server.
type ICEServer struct {
	URLs       []string
	Username   string
	Credential string
}

// Channel is one message of a media-signaling channel, whichever way the
// protocol carries it.
type Channel struct {
	Name    string
	Payload []byte // JSON
	// Label is set instead of Payload when the channel is a data channel
	// of the media connection that the server opens under this label.
	Label string
}
