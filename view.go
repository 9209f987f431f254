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

// The events of one kind, each an ordered part of Events.

func (r *Room) ParticipantConnected() <-chan ParticipantConnected {
	return view[ParticipantConnected](r)
}
func (r *Room) ParticipantDisconnected() <-chan ParticipantDisconnected {
	return view[ParticipantDisconnected](r)
}
func (r *Room) ParticipantReconnecting() <-chan ParticipantReconnecting {
	return view[ParticipantReconnecting](r)
}
func (r *Room) ParticipantReconnected() <-chan ParticipantReconnected {
	return view[ParticipantReconnected](r)
}
func (r *Room) TrackPublished() <-chan TrackPublished       { return view[TrackPublished](r) }
func (r *Room) TrackUnpublished() <-chan TrackUnpublished   { return view[TrackUnpublished](r) }
func (r *Room) TrackSubscribed() <-chan TrackSubscribed     { return view[TrackSubscribed](r) }
func (r *Room) TrackUnsubscribed() <-chan TrackUnsubscribed { return view[TrackUnsubscribed](r) }
func (r *Room) TrackSubscriptionFailed() <-chan TrackSubscriptionFailed {
	return view[TrackSubscriptionFailed](r)
}
func (r *Room) TrackEnabled() <-chan TrackEnabled   { return view[TrackEnabled](r) }
func (r *Room) TrackDisabled() <-chan TrackDisabled { return view[TrackDisabled](r) }
func (r *Room) TrackStarted() <-chan TrackStarted   { return view[TrackStarted](r) }
func (r *Room) TrackDimensionsChanged() <-chan TrackDimensionsChanged {
	return view[TrackDimensionsChanged](r)
}
func (r *Room) TrackPublishPriorityChanged() <-chan TrackPublishPriorityChanged {
	return view[TrackPublishPriorityChanged](r)
}
func (r *Room) TrackSwitchedOff() <-chan TrackSwitchedOff { return view[TrackSwitchedOff](r) }
func (r *Room) TrackSwitchedOn() <-chan TrackSwitchedOn   { return view[TrackSwitchedOn](r) }
func (r *Room) TrackWarning() <-chan TrackWarning         { return view[TrackWarning](r) }
func (r *Room) TrackWarningsCleared() <-chan TrackWarningsCleared {
	return view[TrackWarningsCleared](r)
}
func (r *Room) RecordingStarted() <-chan RecordingStarted { return view[RecordingStarted](r) }
func (r *Room) RecordingStopped() <-chan RecordingStopped { return view[RecordingStopped](r) }
func (r *Room) DominantSpeakerChanged() <-chan DominantSpeakerChanged {
	return view[DominantSpeakerChanged](r)
}
func (r *Room) Transcription() <-chan Transcription { return view[Transcription](r) }
func (r *Room) Reconnecting() <-chan Reconnecting   { return view[Reconnecting](r) }
func (r *Room) Reconnected() <-chan Reconnected     { return view[Reconnected](r) }
func (r *Room) Disconnected() <-chan Disconnected   { return view[Disconnected](r) }

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
	}
	if r.recording {
		events = append(events, RecordingStarted{})
	}
	if r.speaker != nil {
		events = append(events, DominantSpeakerChanged{r.speaker})
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
			events = append(events, TrackDimensionsChanged{v, v.width, v.height, p})
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
