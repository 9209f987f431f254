package parley

import (
	"reflect"

	"github.com/parley-rtc/parley/internal/timeline"
)

// Events returns the room's timeline: every event, in the one order. It begins
// with the present: what is already the case when it is called first comes as
// events, and then goes on live, without gap or repetition. The last event is
// Disconnected, then the channel is closed.
//
// Each call returns the same channel; two goroutines that read it share its
// events. Reading slowly delays nobody; 65 536 unread events end the room with
// ErrSlowConsumer. Every other channel of events is an ordered part of this
// one, and begins with its part of the present; two channels are not in step.
func (r *Room) Events() <-chan Event { return view[Event](r) }

// The channels below are those of one kind of event, each an ordered part of
// Events that begins with its part of the present.

// ParticipantConnected tells who is in the room, and who comes.
func (r *Room) ParticipantConnected() <-chan ParticipantConnected {
	return view[ParticipantConnected](r)
}

// ParticipantDisconnected tells who leaves while the program is in the room.
func (r *Room) ParticipantDisconnected() <-chan ParticipantDisconnected {
	return view[ParticipantDisconnected](r)
}

// ParticipantReconnecting tells whom the server has lost and waits for.
func (r *Room) ParticipantReconnecting() <-chan ParticipantReconnecting {
	return view[ParticipantReconnecting](r)
}

// ParticipantReconnected tells who is back in time.
func (r *Room) ParticipantReconnected() <-chan ParticipantReconnected {
	return view[ParticipantReconnected](r)
}

// TrackPublished tells what others publish, whether or not it is subscribed.
func (r *Room) TrackPublished() <-chan TrackPublished { return view[TrackPublished](r) }

// TrackUnpublished tells what others no longer publish. A participant that
// leaves unpublishes nothing.
func (r *Room) TrackUnpublished() <-chan TrackUnpublished { return view[TrackUnpublished](r) }

// TrackSubscribed gives the remote tracks, those that are there already first.
func (r *Room) TrackSubscribed() <-chan TrackSubscribed { return view[TrackSubscribed](r) }

// TrackUnsubscribed tells which remote tracks have ended, whatever the reason.
func (r *Room) TrackUnsubscribed() <-chan TrackUnsubscribed { return view[TrackUnsubscribed](r) }

// TrackSubscriptionFailed tells which tracks the server cannot give us.
func (r *Room) TrackSubscriptionFailed() <-chan TrackSubscriptionFailed {
	return view[TrackSubscriptionFailed](r)
}

// TrackEnabled tells which remote tracks go on after having been disabled.
func (r *Room) TrackEnabled() <-chan TrackEnabled { return view[TrackEnabled](r) }

// TrackDisabled tells which remote tracks their publishers have paused.
func (r *Room) TrackDisabled() <-chan TrackDisabled { return view[TrackDisabled](r) }

// TrackStarted tells which remote tracks can be heard or decoded from now on.
func (r *Room) TrackStarted() <-chan TrackStarted { return view[TrackStarted](r) }

// TrackDimensionsChanged tells the sizes of remote pictures.
func (r *Room) TrackDimensionsChanged() <-chan TrackDimensionsChanged {
	return view[TrackDimensionsChanged](r)
}

// TrackPublishPriorityChanged tells which publishers care more or less for a
// track than before.
func (r *Room) TrackPublishPriorityChanged() <-chan TrackPublishPriorityChanged {
	return view[TrackPublishPriorityChanged](r)
}

// TrackSwitchedOff tells which subscribed tracks the server holds back.
func (r *Room) TrackSwitchedOff() <-chan TrackSwitchedOff { return view[TrackSwitchedOff](r) }

// TrackSwitchedOn tells which subscribed tracks the server sends again.
func (r *Room) TrackSwitchedOn() <-chan TrackSwitchedOn { return view[TrackSwitchedOn](r) }

// TrackWarning tells which of the program's own tracks are in trouble on the
// server.
func (r *Room) TrackWarning() <-chan TrackWarning { return view[TrackWarning](r) }

// TrackWarningsCleared tells which of the program's own tracks are out of
// trouble.
func (r *Room) TrackWarningsCleared() <-chan TrackWarningsCleared {
	return view[TrackWarningsCleared](r)
}

// RecordingStarted tells that the server records the room, also when it did
// already.
func (r *Room) RecordingStarted() <-chan RecordingStarted { return view[RecordingStarted](r) }

// RecordingStopped tells that the server no longer records the room.
func (r *Room) RecordingStopped() <-chan RecordingStopped { return view[RecordingStopped](r) }

// DominantSpeakerChanged tells who speaks loudest. What waits to be read is at
// most one event, the newest.
func (r *Room) DominantSpeakerChanged() <-chan DominantSpeakerChanged {
	return view[DominantSpeakerChanged](r)
}

// NetworkQualityLevelChanged tells how good connections are. What waits to be
// read is at most one event for each participant, the newest.
func (r *Room) NetworkQualityLevelChanged() <-chan NetworkQualityLevelChanged {
	return view[NetworkQualityLevelChanged](r)
}

// Transcription gives the text of what is said.
func (r *Room) Transcription() <-chan Transcription { return view[Transcription](r) }

// MessagesUnconfirmed tells how many data messages may have been lost by a full
// reconnect.
func (r *Room) MessagesUnconfirmed() <-chan MessagesUnconfirmed {
	return view[MessagesUnconfirmed](r)
}

// Reconnecting tells that the connection is lost and being restored.
func (r *Room) Reconnecting() <-chan Reconnecting { return view[Reconnecting](r) }

// Reconnected tells that the connection is restored.
func (r *Room) Reconnected() <-chan Reconnected { return view[Reconnected](r) }

// Disconnected gives one event, the room's last, and is closed then; also when
// it is called after the end. Done and Err tell the same without reading.
func (r *Room) Disconnected() <-chan Disconnected { return view[Disconnected](r) }

// view returns the channel of the room's events that are a T.
func view[T any](r *Room) <-chan T {
	return memo(r, reflect.TypeFor[T](), func() <-chan T {
		return timeline.View(r.timeline, r.present, timeline.As[Event, T])
	})
}

// part returns the channel of the events about one object, its key. last tells
// the event after which there are none.
func part(r *Room, key any, about func(Event) bool, last func(Event) bool) <-chan Event {
	return memo(r, key, func() <-chan Event {
		return timeline.ViewUntil(r.timeline, r.present, func(e Event) (Event, bool) { return e, about(e) }, last)
	})
}

func memo[T any](r *Room, key any, open func() <-chan T) <-chan T {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ch, ok := r.memos[key]; ok {
		return ch.(<-chan T)
	}
	ch := open()
	r.memos[key] = ch
	return ch
}

// present tells the present state as events. mu is held.
func (r *Room) present() []Event {
	var events []Event
	for _, p := range r.remotes {
		events = append(events, p.present(r.final != nil)...)
	}
	for _, pub := range r.local.tracks {
		events = append(events, LocalTrackPublished{pub})
		if pub.started {
			events = append(events, LocalTrackStarted{pub})
		}
		if pub.muted {
			events = append(events, LocalTrackMuted{pub})
		}
		if pub.forced {
			events = append(events, LocalTrackForceMuted{pub})
		}
	}
	if r.muteForced {
		events = append(events, MuteForced{true})
	}
	if r.recording {
		events = append(events, RecordingStarted{})
	}
	if r.speaker != nil {
		events = append(events, DominantSpeakerChanged{r.speaker})
	}
	if q := r.local.quality; q.known {
		events = append(events, NetworkQualityLevelChanged{SID: r.local.sid, Level: q.level})
	}
	for _, p := range r.remotes {
		if q := p.quality; q.known {
			events = append(events, NetworkQualityLevelChanged{SID: p.sid, Level: q.level})
		}
	}
	if r.state == StateReconnecting {
		events = append(events, Reconnecting{r.reconnecting})
	}
	return events
}

// present tells the participant's present state as events. The room's mu is held.
func (p *RemoteParticipant) present(over bool) []Event {
	events := []Event{ParticipantConnected{p}}
	for _, pub := range p.tracks {
		events = append(events, TrackPublished{pub, p})
		if pub.track == nil || over {
			continue
		}
		events = append(events, TrackSubscribed{pub.track, pub, p})
		if pub.track.media() != nil && pub.track.media().started {
			events = append(events, TrackStarted{pub.track, p})
		}
		if v, ok := pub.track.(*RemoteVideoTrack); ok && v.width != 0 {
			events = append(events, TrackDimensionsChanged{
				Track: v, Width: v.width, Height: v.height, Participant: p,
			})
		}
	}
	if p.state == StateReconnecting {
		events = append(events, ParticipantReconnecting{p})
	}
	return events
}

// coalesce names the gauges among the events: only the newest counts.
func coalesce(e Event) (key any, ok bool) {
	switch e := e.(type) {
	case DominantSpeakerChanged:
		return "speaker", true
	case NetworkQualityLevelChanged:
		return "quality " + e.SID, true
	}
	return nil, false
}
