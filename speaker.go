package parley

import (
	"encoding/json"
	"slices"

	"github.com/parley-rtc/parley/signaling"
)

// The media-signaling channels that a room may ask for.
const (
	channelSpeaker = "active_speaker"
	channelQuality = "network_quality"
)

// applySpeaker takes what an update says of who speaks, after who is there:
// that the speaker has left is told before that somebody else speaks. mu is
// held since the participants were applied.
func (r *Room) applySpeaker(channels []signaling.Channel) {
	speaker := r.speaker
	if !slices.Contains(r.remotes, speaker) {
		speaker = nil
	}
	for _, c := range channels {
		var m struct {
			Participant string `json:"participant"` // null is nobody
		}
		if c.Name == channelSpeaker && len(c.Payload) > 0 && json.Unmarshal(c.Payload, &m) == nil {
			speaker = r.bySID(m.Participant)
		}
	}
	if speaker != r.speaker {
		r.speaker = speaker
		r.timeline.Append(DominantSpeakerChanged{speaker})
	}
}
