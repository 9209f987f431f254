package admission

import (
	"github.com/parley-rtc/parley/internal/names"
	"github.com/parley-rtc/parley/signaling"
)

// CheckRoomName checks the name of a room. Its errors have the codes 53100 to
// 53102.
func CheckRoomName(name string) error { return names.Room(name) }

// CheckIdentity checks a participant's identity. Its errors have the codes
// 53200 to 53202.
func CheckIdentity(identity string) error { return names.Identity(identity) }

// CheckTrackName checks the name of a track. Its errors have the codes 53301 to
// 53303. Whether a name is taken (53304) is for the room to know.
func CheckTrackName(name string) error { return names.Track(name) }

// CheckParticipant judges what a client says it publishes, as a whole: the
// revision, how many tracks there are (53203 beyond maxTracks), and that each
// has an id of its own, a known kind and a known priority (53300). Names are
// judged track by track with [CheckTrackName], so that a bad one fails its
// publication only.
func CheckParticipant(p signaling.LocalParticipant, maxTracks int) error {
	if len(p.Tracks) > maxTracks {
		return signaling.Errorf(signaling.CodeMaxTracksExceeded, "%d tracks are published, at most %d are allowed", len(p.Tracks), maxTracks)
	}
	if p.Revision < 0 {
		return signaling.Errorf(signaling.CodeSignalingIncomingInvalid, "the participant's revision is negative")
	}
	ids := make(map[string]struct{}, len(p.Tracks))
	for _, t := range p.Tracks {
		if err := checkTrack(t); err != nil {
			return err
		}
		if _, taken := ids[t.ID]; taken {
			return signaling.Errorf(signaling.CodeTrackInvalid, "two tracks have one id")
		}
		ids[t.ID] = struct{}{}
	}
	return nil
}

func checkTrack(t signaling.LocalTrack) error {
	if !wireID(t.ID) {
		return signaling.Errorf(signaling.CodeTrackInvalid, "a track's id is not 1 to %d visible ASCII characters", maxID)
	}
	switch t.Kind {
	case signaling.KindAudio, signaling.KindVideo, signaling.KindData:
	default:
		return signaling.Errorf(signaling.CodeTrackInvalid, "a track is of an unknown kind")
	}
	switch t.Priority {
	case "", signaling.PriorityLow, signaling.PriorityStandard, signaling.PriorityHigh:
	default:
		return signaling.Errorf(signaling.CodeTrackInvalid, "a track has an unknown priority")
	}
	return nil
}
