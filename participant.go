package parley

import (
	"slices"

	"github.com/parley-rtc/parley/signaling"
)

// Participant is somebody in a room: *LocalParticipant or *RemoteParticipant.
type Participant interface {
	SID() string
	Identity() string
	State() State
	Done() <-chan struct{}
	participant()
}

// RemoteParticipant is somebody else in the room. The object stays the same
// through every kind of reconnecting, and readable after the end.
type RemoteParticipant struct {
	room *Room
	done chan struct{}
	gone bool // done is closed

	// Written by the room's loop, under its mu.
	sid, identity string
	state         State
	tracks        []*RemoteTrackPublication
	quality       gauged
}

func (p *RemoteParticipant) participant() {}

// SID returns the server's handle of the participant. It differs after a full
// reconnect.
func (p *RemoteParticipant) SID() string {
	p.room.mu.RLock()
	defer p.room.mu.RUnlock()
	return p.sid
}

// Identity returns who the participant is, as its token says.
func (p *RemoteParticipant) Identity() string { return p.identity }

// State returns the state of the participant's connection.
func (p *RemoteParticipant) State() State {
	p.room.mu.RLock()
	defer p.room.mu.RUnlock()
	return p.state
}

// Tracks returns what the participant publishes, in the order in which it was
// told.
func (p *RemoteParticipant) Tracks() []*RemoteTrackPublication {
	p.room.mu.RLock()
	defer p.room.mu.RUnlock()
	return slices.Clone(p.tracks)
}

// AudioTracks returns the audio part of Tracks.
func (p *RemoteParticipant) AudioTracks() []*RemoteTrackPublication {
	return ofKind(p.Tracks(), KindAudio)
}

// VideoTracks returns the video part of Tracks.
func (p *RemoteParticipant) VideoTracks() []*RemoteTrackPublication {
	return ofKind(p.Tracks(), KindVideo)
}

// DataTracks returns the data part of Tracks.
func (p *RemoteParticipant) DataTracks() []*RemoteTrackPublication {
	return ofKind(p.Tracks(), KindData)
}

// Done is closed when the participant has left, or the room has ended.
func (p *RemoteParticipant) Done() <-chan struct{} { return p.done }

// Events returns the participant's part of the room's timeline. It ends with
// ParticipantDisconnected, or with the room.
func (p *RemoteParticipant) Events() <-chan Event {
	return part(p.room, p, func(e Event) bool { return participantOf(e) == p }, func(e Event) bool {
		d, ok := e.(ParticipantDisconnected)
		return ok && d.Participant == p
	})
}

// Messages returns the data messages of all the participant's tracks; see
// Room.Messages.
func (p *RemoteParticipant) Messages() <-chan TrackMessage {
	return p.room.messages.view(p)
}

// finish closes Done. The room's mu is held.
func (p *RemoteParticipant) finish() {
	if !p.gone {
		p.gone = true
		close(p.done)
	}
}

func (p *RemoteParticipant) publication(sid string) *RemoteTrackPublication {
	for _, pub := range p.tracks {
		if pub.sid == sid {
			return pub
		}
	}
	return nil
}

type kinded interface{ Kind() Kind }

func ofKind[P kinded](all []P, kind Kind) []P {
	return slices.DeleteFunc(all, func(p P) bool { return p.Kind() != kind })
}

// participantOf returns whom the event is about, or nil.
func participantOf(e Event) *RemoteParticipant {
	switch e := e.(type) {
	case ParticipantConnected:
		return e.Participant
	case ParticipantDisconnected:
		return e.Participant
	case ParticipantReconnecting:
		return e.Participant
	case ParticipantReconnected:
		return e.Participant
	case TrackStarted:
		return e.Participant
	case TrackDimensionsChanged:
		return e.Participant
	case SignalReceived:
		p, _ := e.Participant.(*RemoteParticipant)
		return p
	}
	if pub := publicationOf(e); pub != nil {
		return pub.participant
	}
	return nil
}

// publicationOf returns the remote publication that the event is about, or nil.
func publicationOf(e Event) *RemoteTrackPublication {
	switch e := e.(type) {
	case TrackPublished:
		return e.Publication
	case TrackUnpublished:
		return e.Publication
	case TrackSubscribed:
		return e.Publication
	case TrackUnsubscribed:
		return e.Publication
	case TrackSubscriptionFailed:
		return e.Publication
	case TrackEnabled:
		return e.Publication
	case TrackDisabled:
		return e.Publication
	case TrackPublishPriorityChanged:
		return e.Publication
	case TrackSwitchedOff:
		return e.Publication
	case TrackSwitchedOn:
		return e.Publication
	case TrackStarted:
		return e.Track.publication()
	case TrackDimensionsChanged:
		return e.Track.publication()
	}
	return nil
}

// Kind of a track.
type Kind = signaling.Kind

// The kinds of tracks.
const (
	KindAudio = signaling.KindAudio
	KindVideo = signaling.KindVideo
	KindData  = signaling.KindData
)

// Priority of a track.
type Priority = signaling.Priority

// The priorities.
const (
	PriorityLow      = signaling.PriorityLow
	PriorityStandard = signaling.PriorityStandard
	PriorityHigh     = signaling.PriorityHigh
)
