package webhook_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/parley-rtc/parley/service/webhook"
	"github.com/stretchr/testify/require"
)

// story is what happens in rooms, in order, with who is where in the end.
func story(rnd *rand.Rand) []webhook.Event {
	var all []webhook.Event
	at := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	numbers := map[string]int{}
	info := func(name, room string) webhook.Info {
		at = at.Add(time.Duration(rnd.IntN(2)) * time.Millisecond) // often at the same time
		i := webhook.Info{Name: name, RoomSID: room, RoomName: "name of " + room, RoomType: "group", At: at, Number: numbers[room]}
		numbers[room]++
		return i
	}
	type stay struct {
		webhook.Participant
		tracks []webhook.Track
	}
	here := map[string][]*stay{"RM1": nil, "RM2": nil}
	for room := range here {
		all = append(all, webhook.RoomCreated{Info: info("room-created", room)})
	}
	for n := range 60 {
		room := []string{"RM1", "RM2"}[rnd.IntN(2)]
		people := here[room]
		if len(people) < 2 || rnd.IntN(6) == 0 {
			s := &stay{Participant: webhook.Participant{SID: fmt.Sprint("PA", n), Identity: fmt.Sprint("who", rnd.IntN(5))}}
			here[room] = append(people, s)
			all = append(all, webhook.ParticipantConnected{Info: info("participant-connected", room), Participant: s.Participant})
			continue
		}
		i := rnd.IntN(len(people))
		s := people[i]
		switch k := rnd.IntN(8); {
		case k == 0:
			for _, t := range s.tracks {
				all = append(all, webhook.TrackRemoved{Info: info("track-removed", room), Participant: s.Participant, Track: t})
			}
			all = append(all, webhook.ParticipantDisconnected{Info: info("participant-disconnected", room), Participant: s.Participant})
			here[room] = append(people[:i:i], people[i+1:]...)
		case k < 3 || len(s.tracks) == 0:
			t := webhook.Track{SID: fmt.Sprint("MT", n), Kind: "audio"}
			s.tracks = append(s.tracks, t)
			all = append(all, webhook.TrackAdded{Info: info("track-added", room), Participant: s.Participant, Track: t})
		case k == 3:
			all = append(all, webhook.TrackRemoved{Info: info("track-removed", room), Participant: s.Participant, Track: s.tracks[0]})
			s.tracks = s.tracks[1:]
		case k < 6:
			all = append(all, webhook.TrackDisabled{Info: info("track-disabled", room), Participant: s.Participant, Track: s.tracks[0]})
		default:
			all = append(all, webhook.TrackEnabled{Info: info("track-enabled", room), Participant: s.Participant, Track: s.tracks[0]})
		}
	}
	if rnd.IntN(2) == 0 {
		all = append(all, webhook.RoomEnded{Info: info("room-ended", "RM2")})
	}
	return all
}

// Presence comes to the same end whatever the order, and however often.
func TestX12PresenceDoesNotNeedTheOrder(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 12))
		all := story(rnd)
		var want webhook.Presence
		for _, e := range all {
			require.NoError(t, want.Apply(e))
		}
		require.NotEmpty(t, want.Rooms())
		for range 5 {
			mixed := append(append([]webhook.Event(nil), all...), all[:len(all)/2]...)
			rnd.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			var got webhook.Presence
			for _, e := range mixed {
				require.NoError(t, got.Apply(e))
			}
			require.Equal(t, want.Rooms(), got.Rooms(), "seed %d", seed)
		}
	}
}

func TestPresenceIsBounded(t *testing.T) {
	var p webhook.Presence
	for i := range 12_000 {
		require.NoError(t, p.Apply(webhook.RoomCreated{Info: webhook.Info{RoomSID: fmt.Sprint("RM", i), RoomName: "lab"}}))
	}
	require.Len(t, p.Rooms(), 10_000)
	_, ok := p.Room("RM1999")
	require.False(t, ok, "the oldest are forgotten")
	newest, ok := p.Room("lab")
	require.True(t, ok)
	require.Equal(t, "RM11999", newest.SID)
	for i := range 12_000 {
		who := webhook.Participant{SID: fmt.Sprint("PA", i)}
		require.NoError(t, p.Apply(webhook.ParticipantConnected{Info: webhook.Info{RoomSID: "RM11999"}, Participant: who}))
	}
	newest, _ = p.Room("RM11999")
	require.Len(t, newest.Participants, 10_000)
	for i := range 12_000 {
		require.NoError(t, p.Apply(webhook.RoomEnded{Info: webhook.Info{RoomSID: fmt.Sprint("RM", i)}}))
	}
	require.Empty(t, p.Rooms())
}
