package parley_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

// TestMeshCarriesEachCodecWhole plays the clip of each codec to two others of a
// peer-to-peer room, one of whom was there before, and compares what arrives.
func TestMeshCarriesEachCodecWhole(t *testing.T) {
	for _, codec := range testclips.Codecs() {
		t.Run(string(codec), func(t *testing.T) {
			inLab(t, 1, func(l *lab) {
				clip := testclips.Samples(codec)
				before := l.join("before")
				track, write := l.written(codec, "clip")
				l.join("alice", track)
				after := l.join("after")
				films := map[string]*reel{}
				for _, m := range []*member{before, after} {
					e, _ := await(m, 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == "clip" })
					films[m.name] = &reel{}
					require.NoError(l.t, e.Track.(mediaTrack).Attach(films[m.name]))
				}
				settle()
				play(write, clip)
				settle()
				for who, film := range films {
					got := film.all()
					require.Len(l.t, got, len(clip), who)
					for i, s := range got {
						requireSame(l.t, clip[i], s, fmt.Sprintf("sample %d of %s", i, who))
						require.Zero(l.t, s.Lost)
					}
				}
				l.noMedia()
			}, peerToPeer)
		})
	}
}

// written returns a track that the test writes.
func (l *lab) written(codec media.Codec, name string) (parley.LocalTrack, func(media.Sample)) {
	l.t.Helper()
	st := &studio{t: l.t}
	return st.written(codec, name)
}

// TestMeshDataTracksKeepTheirReliability publishes a data track of every sort, and
// loses packets on the way.
func TestMeshDataTracksKeepTheirReliability(t *testing.T) {
	lifetime, tries, none := 200*time.Millisecond, uint16(2), uint16(0)
	cases := []parley.DataTrackOptions{
		{Name: "default"},
		{Name: "unordered", Unordered: true},
		{Name: "lifetime", MaxPacketLifeTime: &lifetime},
		{Name: "lifetime unordered", MaxPacketLifeTime: &lifetime, Unordered: true},
		{Name: "tries", MaxRetransmits: &tries},
		{Name: "tries unordered", MaxRetransmits: &tries, Unordered: true},
		{Name: "once", MaxRetransmits: &none, Unordered: true},
	}
	inLab(t, 1, func(l *lab) {
		t := l.t
		before := l.join("before")
		var tracks []parley.LocalTrack
		for _, c := range cases {
			tracks = append(tracks, messages(t, &c))
		}
		alice := l.join("alice", tracks...)
		after := l.join("after")
		others := []*member{before, after}
		received := map[string]*parley.RemoteDataTrack{}
		for _, m := range others {
			for _, c := range cases {
				e, _ := await(m, 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == c.Name })
				got := e.Track.(*parley.RemoteDataTrack)
				received[m.name+c.Name] = got
				require.Equal(t, !c.Unordered, got.Ordered(), c.Name)
				require.Equal(t, c.MaxPacketLifeTime, got.MaxPacketLifeTime(), c.Name)
				require.Equal(t, c.MaxRetransmits, got.MaxRetransmits(), c.Name)
			}
		}
		settle()
		alice.host.SetLoss(100)
		const n = 200
		for i := range n {
			for _, track := range tracks {
				require.NoError(t, track.(*parley.LocalDataTrack).SendText(t.Context(), fmt.Sprint(i)))
			}
			time.Sleep(20 * time.Millisecond)
		}
		alice.host.SetLoss(0)
		time.Sleep(10 * time.Second)
		for _, m := range others {
			for _, c := range cases {
				got := texts(t, received[m.name+c.Name])
				t.Logf("%s: %s got %d of %d", c.Name, m.name, len(got), n)
				seen := map[string]bool{}
				last := -1
				for _, text := range got {
					require.False(t, seen[text], "%s came twice", text)
					seen[text] = true
					var i int
					_, err := fmt.Sscan(text, &i)
					require.NoError(t, err)
					if !c.Unordered {
						require.Greater(t, i, last, "%s is out of order", c.Name)
					}
					last = i
				}
				switch {
				case c.MaxRetransmits == nil && c.MaxPacketLifeTime == nil:
					require.Len(t, got, n, "%s of %s", c.Name, m.name)
				case c.Name == "once":
					require.Less(t, len(got), n, "%s of %s", c.Name, m.name)
					fallthrough
				default:
					require.Greater(t, len(got), n/2, "%s of %s", c.Name, m.name)
				}
			}
		}
	}, peerToPeer)
}

// texts returns all messages that have come.
func texts(t *testing.T, track *parley.RemoteDataTrack) (list []string) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		m, err := track.Receive(ctx)
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			return list
		}
		list = append(list, string(m.Data))
	}
}
