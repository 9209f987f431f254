package parley_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// sixteen are as many tracks as a participant may have: ten pictures, three
// sounds and three data tracks, each with its name in all that it sends.
type sixteen struct {
	tracks []parley.LocalTrack
	send   []func()
}

func newSixteen(t *testing.T, st *studio, whose string) *sixteen {
	s := &sixteen{}
	for i := range 16 {
		name := fmt.Sprintf("%s's %d", whose, i)
		switch {
		case i%5 == 4:
			track, write := st.written(media.Opus, name)
			n := 0
			s.tracks = append(s.tracks, track)
			s.send = append(s.send, func() {
				n++
				write(media.Sample{Codec: media.Opus, Data: fmt.Appendf([]byte{0xfc}, "|%s|%d", name, n), Timestamp: time.Duration(n) * 20 * time.Millisecond})
			})
		case i%5 == 3:
			track, err := parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: name})
			require.NoError(t, err)
			t.Cleanup(track.Stop)
			s.tracks = append(s.tracks, track)
			s.send = append(s.send, func() { require.NoError(t, track.SendText(t.Context(), name)) })
		default:
			track, write := st.written(media.VP8, name)
			d := &drawing{label: name, width: 64, height: 48}
			s.tracks = append(s.tracks, track)
			s.send = append(s.send, func() { write(d.next(d.n == 0)) })
		}
	}
	return s
}

// Sixteen tracks at the same moment, of two participants at once: each arrives
// under its own name and SID, and no other's media in it.
func TestSixteenTracksAtOnceKeepTheirIDs(t *testing.T) {
	for how, publish := range map[string]func(t *testing.T, st *studio, who string, s *sixteen) *parley.Room{
		"with the join": func(_ *testing.T, st *studio, who string, s *sixteen) *parley.Room {
			return st.join(who, s.tracks...)
		},
		"in one call": func(t *testing.T, st *studio, who string, s *sixteen) *parley.Room {
			room := st.join(who)
			pubs, err := room.LocalParticipant().PublishTracks(t.Context(), s.tracks)
			require.NoError(t, err)
			for i, pub := range pubs {
				require.Same(t, s.tracks[i], pub.Track())
			}
			return room
		},
		"concurrently": func(t *testing.T, st *studio, who string, s *sixteen) *parley.Room {
			room := st.join(who)
			var all sync.WaitGroup
			for _, track := range s.tracks {
				all.Go(func() {
					pub, err := room.LocalParticipant().PublishTrack(t.Context(), track, nil)
					if err != nil || pub.Track() != track || pub.TrackName() != track.Name() {
						t.Errorf("publishing %s: %v, %v", track.Name(), pub, err)
					}
				})
			}
			all.Wait()
			return room
		},
	} {
		t.Run(how, func(t *testing.T) {
			inStudio(t, func(t *testing.T, st *studio) {
				bob := st.join("bob")
				heard := bob.Messages()
				theirs := map[string]*sixteen{"alice": newSixteen(t, st, "alice"), "carol": newSixteen(t, st, "carol")}
				rooms := map[string]*parley.Room{}
				for who, s := range theirs {
					rooms[who] = publish(t, st, who, s)
				}
				films := map[string]*reel{}
				for range 32 {
					e := roomtest.Next[parley.TrackSubscribed](t, bob.TrackSubscribed())
					if track, ok := e.Track.(mediaTrack); ok {
						films[e.Track.Name()] = &reel{}
						require.NoError(t, track.Attach(films[e.Track.Name()]))
					}
				}
				settle()
				sids := map[string]string{}
				for who, room := range rooms {
					require.Len(t, room.LocalParticipant().Tracks(), 16)
					for _, pub := range room.LocalParticipant().Tracks() {
						require.Equal(t, pub.Track().Name(), pub.TrackName())
						sids[pub.TrackSID()] = who + " " + string(pub.Kind()) + " " + pub.TrackName()
					}
				}
				require.Len(t, sids, 32, "each has its own")
				for who := range rooms {
					for _, pub := range bob.Participant(who).Tracks() {
						require.Equal(t, sids[pub.TrackSID()], who+" "+string(pub.Kind())+" "+pub.TrackName())
					}
				}

				const times = 10
				messages := map[string]int{}
				for range times {
					for _, s := range theirs {
						for _, send := range s.send {
							send()
						}
					}
					time.Sleep(40 * time.Millisecond)
				}
				settle()
				for range 6 * times {
					m := <-heard
					require.Equal(t, m.Track.Name(), string(m.Data))
					messages[m.Track.Name()]++
				}
				require.Len(t, films, 26)
				for name, film := range films {
					require.Len(t, film.all(), times, name)
					for _, s := range film.all() {
						require.Equal(t, name, label(s))
					}
				}
				require.Len(t, messages, 6)
				for name, n := range messages {
					require.Equal(t, times, n, name)
				}
			})
		})
	}
}
