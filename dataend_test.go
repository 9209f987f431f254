package parley_test

import (
	"context"
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/stretchr/testify/require"
)

// What was sent before the end of a data track arrives, and then Receive says
// that it has ended, at once: whoever ended it.
func TestDataTracksEndBehindTheirLastMessage(t *testing.T) {
	for name, end := range map[string]func(l *lab, alice, bob *member, data *parley.LocalDataTrack){
		"unpublished": func(l *lab, alice, _ *member, data *parley.LocalDataTrack) {
			time.Sleep(time.Second) // its messages have arrived then
			require.NoError(l.t, alice.room.LocalParticipant().UnpublishTrack(l.t.Context(), data))
		},
		"publisher left": func(_ *lab, alice, _ *member, _ *parley.LocalDataTrack) { alice.leave() },
		"publisher left, and then the subscriber": func(_ *lab, alice, bob *member, _ *parley.LocalDataTrack) {
			alice.leave()
			bob.leave()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, 41, func(l *lab) {
				data := dataTrack(l.t, "data")
				alice, bob := l.join("alice", data), l.join("bob")
				sub, _ := await(bob, 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == "data" })
				const sent = 200
				for i := range sent {
					require.NoError(l.t, data.Send(l.t.Context(), binary.BigEndian.AppendUint32(nil, uint32(i))))
				}
				end(l, alice, bob, data)
				ended := time.Now()
				got := 0
				for {
					m, err := sub.Track.(*parley.RemoteDataTrack).Receive(context.Background())
					if err != nil {
						require.ErrorIs(l.t, err, io.EOF)
						break
					}
					require.Equal(l.t, got, int(binary.BigEndian.Uint32(m.Data)))
					got++
				}
				require.Equal(l.t, sent, got)
				require.Less(l.t, time.Since(ended), time.Second)
			})
		})
	}
}
