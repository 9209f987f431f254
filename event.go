package parley

import "time"

// Event is one step in the life of a room. It is one of the types below; a type
// switch tells which. Events are facts: when one is read, the getters of the
// objects in it already tell the new state, or a later one.
type Event interface{ event() }

// ParticipantConnected: somebody is in the room.
type ParticipantConnected struct {
	Participant *RemoteParticipant
}

// ParticipantDisconnected: somebody left the room. It follows the
// TrackUnsubscribed of each of its tracks, and is its last event.
type ParticipantDisconnected struct {
	Participant *RemoteParticipant
	Reason      DisconnectReason
}

// ParticipantReconnecting: the server lost somebody and keeps the place.
type ParticipantReconnecting struct {
	Participant *RemoteParticipant
}

// ParticipantReconnected: somebody is back.
type ParticipantReconnected struct {
	Participant *RemoteParticipant
}

// TrackPublished: a participant publishes a track, or already did when it
// connected.
type TrackPublished struct {
	Publication *RemoteTrackPublication
	Participant *RemoteParticipant
}

// TrackUnpublished: a participant stopped publishing a track.
type TrackUnpublished struct {
	Publication *RemoteTrackPublication
	Participant *RemoteParticipant
}

// TrackSubscribed: the track of a publication is ours to read. It needs no
// packet; TrackStarted does.
type TrackSubscribed struct {
	Track       RemoteTrack
	Publication *RemoteTrackPublication
	Participant *RemoteParticipant
}

// TrackUnsubscribed: the track has ended for us. Its readers get io.EOF.
type TrackUnsubscribed struct {
	Track       RemoteTrack
	Publication *RemoteTrackPublication
	Participant *RemoteParticipant
}

// TrackAdded is the older name of TrackSubscribed: the same event, not a second.
type TrackAdded = TrackSubscribed

// TrackRemoved is the older name of TrackUnsubscribed: the same event, not a
// second.
type TrackRemoved = TrackUnsubscribed

// TrackSubscriptionFailed: the server cannot give us a track.
type TrackSubscriptionFailed struct {
	Err         error
	Publication *RemoteTrackPublication
	Participant *RemoteParticipant
}

// TrackEnabled: a publisher goes on sending. Track is nil while the
// publication is not subscribed.
type TrackEnabled struct {
	Track       RemoteTrack
	Publication *RemoteTrackPublication
	Participant *RemoteParticipant
}

// TrackDisabled: a publisher paused a track. Track is nil while the
// publication is not subscribed.
type TrackDisabled struct {
	Track       RemoteTrack
	Publication *RemoteTrackPublication
	Participant *RemoteParticipant
}

// TrackStarted: the first audio packet, or the first key frame, has arrived.
type TrackStarted struct {
	Track       RemoteTrack
	Participant *RemoteParticipant
}

// TrackDimensionsChanged: the size of the picture is known, or another.
type TrackDimensionsChanged struct {
	Track               *RemoteVideoTrack
	Width, Height       int // pixels
	OldWidth, OldHeight int // zero when it was not known before
	Participant         *RemoteParticipant
}

// TrackPublishPriorityChanged: a publisher gave a track another priority.
type TrackPublishPriorityChanged struct {
	Priority    Priority
	Publication *RemoteTrackPublication
	Participant *RemoteParticipant
}

// TrackSwitchedOff: the server stopped sending a subscribed track.
type TrackSwitchedOff struct {
	Track       RemoteTrack
	Publication *RemoteTrackPublication
	Participant *RemoteParticipant
}

// TrackSwitchedOn: the server sends a subscribed track again.
type TrackSwitchedOn struct {
	Track       RemoteTrack
	Publication *RemoteTrackPublication
	Participant *RemoteParticipant
}

// LocalTrackPublished: the server accepted a track of ours.
type LocalTrackPublished struct {
	Publication *LocalTrackPublication
}

// LocalTrackUnpublished: a track of ours is no longer published.
type LocalTrackUnpublished struct {
	Publication *LocalTrackPublication
}

// LocalTrackPublicationFailed: the server refused a track of ours. The call
// that published it returns the same error.
type LocalTrackPublicationFailed struct {
	Err   error
	Track LocalTrack
}

// LocalTrackEnabled: a published track of ours was enabled.
type LocalTrackEnabled struct {
	Publication *LocalTrackPublication
}

// LocalTrackDisabled: a published track of ours was disabled.
type LocalTrackDisabled struct {
	Publication *LocalTrackPublication
}

// LocalTrackStarted: the first sample of a published track of ours was sent.
type LocalTrackStarted struct {
	Publication *LocalTrackPublication
}

// LocalTrackMuted: the source of a published track of ours gives nothing. See
// TrackOptions.MutedAfter.
type LocalTrackMuted struct {
	Publication *LocalTrackPublication
}

// LocalTrackUnmuted: the source gives something again.
type LocalTrackUnmuted struct {
	Publication *LocalTrackPublication
}

// LocalTrackStopped: a track of ours has ended: its source did, or Stop was
// called. Err is nil for an end in good order. Publication is nil only in the
// track's own Events, when it was published nowhere.
type LocalTrackStopped struct {
	Publication *LocalTrackPublication
	Err         error
}

// LocalTrackDimensionsChanged: the picture of a published track of ours has a
// size now, or another.
type LocalTrackDimensionsChanged struct {
	Publication         *LocalTrackPublication
	Width, Height       int // pixels
	OldWidth, OldHeight int // zero when it had none before
}

// TrackWarning: a published track of ours is in trouble on the server; Name is
// "recording-media-lost".
type TrackWarning struct {
	Name        string
	Publication *LocalTrackPublication
}

// TrackWarningsCleared: the trouble is over.
type TrackWarningsCleared struct {
	Publication *LocalTrackPublication
}

// MessagesUnconfirmed: a data track had to be opened anew after a full
// reconnect, and this many messages sent before were not acknowledged. They
// may have arrived or not.
type MessagesUnconfirmed struct {
	Publication *LocalTrackPublication
	Messages    int
}

// RecordingStarted: the server records the room.
type RecordingStarted struct{}

// RecordingStopped: the server no longer records the room.
type RecordingStopped struct{}

// DominantSpeakerChanged: somebody else speaks loudest, or nobody (nil). Of
// several that wait to be read, only the newest is kept.
type DominantSpeakerChanged struct {
	Participant *RemoteParticipant
}

// NetworkQualityLevelChanged: a participant's connection became better or
// worse. SID is the participant's; our own counts too. Of several that wait to be
// read, only the newest of each participant is kept.
type NetworkQualityLevelChanged struct {
	SID   string
	Level int // 0 to 5, 5 is best; 0 is without any connection, and only our own
	// Stats are the figures behind the level, nil unless they were asked for.
	Stats *NetworkQualityStats
}

// Transcription: a piece of text for what somebody said.
type Transcription struct {
	Participant string // SID
	Track       string // SID
	Text        string
	Language    string
	Partial     bool
	Sequence    int
	Timestamp   time.Time
}

// Reconnecting: the connection is lost and being restored. Err says which:
// ErrSignalingDisconnected or ErrMediaConnection. When the server goes down and
// said so, it is an *Error with ReasonShutdown and RetryAfter. Reconnected or
// Disconnected follows.
type Reconnecting struct{ Err error }

// Reconnected: the connection is restored.
type Reconnected struct{}

// Disconnected is the last event of a room. Err is nil when the program left
// by itself.
type Disconnected struct {
	Err    error
	Reason DisconnectReason
}

func (ParticipantConnected) event()        {}
func (ParticipantDisconnected) event()     {}
func (ParticipantReconnecting) event()     {}
func (ParticipantReconnected) event()      {}
func (TrackPublished) event()              {}
func (TrackUnpublished) event()            {}
func (TrackSubscribed) event()             {}
func (TrackUnsubscribed) event()           {}
func (TrackSubscriptionFailed) event()     {}
func (TrackEnabled) event()                {}
func (TrackDisabled) event()               {}
func (TrackStarted) event()                {}
func (TrackDimensionsChanged) event()      {}
func (TrackPublishPriorityChanged) event() {}
func (TrackSwitchedOff) event()            {}
func (TrackSwitchedOn) event()             {}
func (LocalTrackPublished) event()         {}
func (LocalTrackUnpublished) event()       {}
func (LocalTrackPublicationFailed) event() {}
func (LocalTrackEnabled) event()           {}
func (LocalTrackDisabled) event()          {}
func (LocalTrackStarted) event()           {}
func (LocalTrackMuted) event()             {}
func (LocalTrackUnmuted) event()           {}
func (LocalTrackStopped) event()           {}
func (LocalTrackDimensionsChanged) event() {}
func (TrackWarning) event()                {}
func (TrackWarningsCleared) event()        {}
func (MessagesUnconfirmed) event()         {}
func (RecordingStarted) event()            {}
func (RecordingStopped) event()            {}
func (DominantSpeakerChanged) event()      {}
func (NetworkQualityLevelChanged) event()  {}
func (Transcription) event()               {}
func (Reconnecting) event()                {}
func (Reconnected) event()                 {}
func (Disconnected) event()                {}
