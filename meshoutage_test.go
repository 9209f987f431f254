package parley_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/stretchr/testify/require"
)

// gathered is a lab with so many members of a peer-to-peer room who all see and
// hear each other.
func gathered(t *testing.T, n int, f func(l *lab, peers []*meshPeer)) {
	t.Helper()
	inLab(t, 1, func(l *lab) {
		var peers []*meshPeer
		for i := range n {
			peers = append(peers, l.meet(fmt.Sprintf("p%d", i)))
		}
		connected(l.t, peers...)
		time.Sleep(2 * time.Second)
		f(l, peers)
		l.noMedia()
	}, peerToPeer)
}

func marks(peers []*meshPeer) (list []int) {
	for _, p := range peers {
		list = append(list, p.log.mark())
	}
	return list
}

// TestMeshSignalingCut breaks the signaling of one of three, in every way. Media
// goes on, and nothing is published again.
func TestMeshSignalingCut(t *testing.T) {
	for what, cut := range map[string]func(*line){
		"reset":                  func(l *line) { l.Conn.(interface{ Reset() }).Reset() },
		"closed":                 func(l *line) { _ = l.Conn.Close() },
		"cut inside a frame out": func(l *line) { l.cutWrite.Store(true) },
		"cut inside a frame in":  func(l *line) { l.cutRead.Store(true) },
	} {
		t.Run(what, func(t *testing.T) {
			gathered(t, 3, func(l *lab, peers []*meshPeer) {
				before := marks(peers)
				lost := peers[0]
				for range 3 {
					mark := lost.log.mark()
					cut(lost.lines.now())
					await[parley.Reconnected](lost.member, mark)
					time.Sleep(2 * time.Second)
				}
				again := []string{"Reconnecting", "Reconnected"}
				require.Equal(l.t, append(append(again, again...), again...), lost.log.since(before[0]), lost.log)
				for i, p := range peers[1:] {
					require.Empty(l.t, p.log.since(before[i+1], "ParticipantReconnecting p0", "ParticipantReconnected p0"), p.log)
				}
				for _, p := range peers {
					for who, v := range p.views {
						require.Zero(l.t, v.missed(framePace), "%s sees %s", p.name, who)
						require.Zero(l.t, v.packetsLost())
					}
				}
				connected(l.t, peers...)
			})
		})
	}
}

// TestMeshSignalingFallsSilent leaves one of three with a signaling connection that
// says nothing any more: the server ends its connections with the others until it is back.
func TestMeshSignalingFallsSilent(t *testing.T) {
	gathered(t, 3, func(l *lab, peers []*meshPeer) {
		before := marks(peers)
		peers[0].lines.now().silent.Store(true)
		await[parley.Reconnected](peers[0].member, before[0])
		connected(l.t, peers...)
		require.Equal(l.t, []string{"Reconnecting", "Reconnected"}, peers[0].log.since(before[0]), peers[0].log)
		for i, p := range peers[1:] {
			require.Empty(l.t, p.log.since(before[i+1], "ParticipantReconnecting p0", "ParticipantReconnected p0"), p.log)
		}
	})
}

// TestMeshServerRestart kills the server of a peer-to-peer room. All come back,
// with what they published.
func TestMeshServerRestart(t *testing.T) {
	gathered(t, 3, func(l *lab, peers []*meshPeer) {
		before := marks(peers)
		l.kill()
		time.Sleep(2 * time.Second)
		l.start()
		up := time.Now()
		var members []*member
		for i, p := range peers {
			_, at := await[parley.Reconnected](p.member, before[i])
			require.Less(l.t, at.Sub(up), 10*time.Second)
			members = append(members, p.member)
		}
		time.Sleep(10 * time.Second)
		complete(l.t, members)
		flowing(l.t, members)
		for i, p := range peers {
			news := p.log.since(before[i])
			require.Equal(l.t, "Reconnecting", news[0])
			require.Equal(l.t, 1, count(news, "Reconnecting"), p.log)
			require.Equal(l.t, 1, count(news, "Reconnected"), p.log)
		}
	})
}

// TestMeshPairRestart breaks the way between two of three, for so long. They find
// each other again when it is there, and the third notices nothing of it.
func TestMeshPairRestart(t *testing.T) {
	for _, down := range []time.Duration{8 * time.Second, 25 * time.Second, 100 * time.Second} {
		t.Run(down.String(), func(t *testing.T) {
			gathered(t, 3, func(l *lab, peers []*meshPeer) {
				a, b, c := peers[0], peers[1], peers[2]
				numbers := dataTrack(l.t, "numbers")
				_, err := a.room.LocalParticipant().PublishTrack(l.t.Context(), numbers, nil)
				require.NoError(l.t, err)
				toThird := l.talk(numbers, c.member, 100*time.Millisecond)
				time.Sleep(time.Second)
				before := marks(peers)
				start := time.Now()
				a.host.Block(b.host, true)
				time.Sleep(down)
				a.host.Block(b.host, false)
				up := time.Now()
				require.Less(l.t, a.views["p1"].after(l.t, up).Sub(up), 20*time.Second)
				require.Less(l.t, b.views["p0"].after(l.t, up).Sub(up), 20*time.Second)
				l.t.Logf("down %v: pictures %v and %v after the way was there", down,
					a.views["p1"].after(l.t, up).Sub(up), b.views["p0"].after(l.t, up).Sub(up))
				time.Sleep(2 * time.Second)
				for i, p := range peers {
					require.Empty(l.t, p.log.since(before[i]), p.log)
				}
				for _, v := range []*viewer{c.views["p0"], c.views["p1"], a.views["p2"], b.views["p2"]} {
					require.Less(l.t, v.gap(start), 200*time.Millisecond)
				}
				_, lost := toThird.end()
				require.Zero(l.t, lost)
				connected(l.t, peers...)
			})
		})
	}
}

// TestMeshOfTwoReconnects breaks the only way that media has: the rooms of both
// say that they are reconnecting, and that they are back.
func TestMeshOfTwoReconnects(t *testing.T) {
	for _, down := range []time.Duration{8 * time.Second, 100 * time.Second} {
		t.Run(down.String(), func(t *testing.T) {
			gathered(t, 2, func(l *lab, peers []*meshPeer) {
				before := marks(peers)
				peers[0].host.Block(peers[1].host, true)
				time.Sleep(down)
				for _, p := range peers {
					require.Equal(l.t, parley.StateReconnecting, p.room.State(), p.log)
				}
				peers[0].host.Block(peers[1].host, false)
				up := time.Now()
				for i, p := range peers {
					e, _ := await[parley.Reconnecting](p.member, before[i])
					require.ErrorIs(l.t, e.Err, parley.ErrMediaConnection)
					_, at := await[parley.Reconnected](p.member, before[i])
					require.True(l.t, at.After(up), p.log)
				}
				connected(l.t, peers...)
				for i, p := range peers {
					require.Equal(l.t, []string{"Reconnecting", "Reconnected"}, p.log.since(before[i]), p.log)
				}
			})
		})
	}
}

// TestMeshPartnerLeavesWhileMediaIsDown leaves somebody alone, whose room has
// nothing to reconnect then.
func TestMeshPartnerLeavesWhileMediaIsDown(t *testing.T) {
	gathered(t, 2, func(l *lab, peers []*meshPeer) {
		mark := peers[0].log.mark()
		peers[0].host.Block(peers[1].host, true)
		await[parley.Reconnecting](peers[0].member, mark)
		time.Sleep(40 * time.Second) // the first connection is given up meanwhile
		require.Equal(l.t, parley.StateReconnecting, peers[0].room.State(), peers[0].log)
		left := time.Now()
		peers[1].leave()
		_, at := await[parley.Reconnected](peers[0].member, mark)
		require.Less(l.t, at.Sub(left), 2*time.Second, peers[0].log)
	})
}

// complete requires that everybody is subscribed to all that everybody else
// publishes, and to nothing more.
func complete(t *testing.T, members []*member) {
	t.Helper()
	for _, m := range members {
		require.Equal(t, parley.StateConnected, m.room.State(), "%s: %s", m.name, m.log)
		require.Len(t, m.room.Participants(), len(members)-1, "%s: %s", m.name, m.log)
		for _, o := range members {
			if m == o {
				continue
			}
			want, got := []string{}, []string{}
			for _, pub := range o.room.LocalParticipant().Tracks() {
				want = append(want, pub.TrackName())
			}
			for _, pub := range m.room.Participant(o.name).Tracks() {
				if pub.Track() != nil {
					got = append(got, pub.TrackName())
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			require.Equal(t, want, got, "%s of %s: %s", m.name, o.name, m.log)
		}
	}
}

// flowing requires that all tracks carry something.
func flowing(t *testing.T, members []*member) {
	t.Helper()
	for _, m := range members {
		for _, p := range m.room.Participants() {
			for _, pub := range p.Tracks() {
				if track, ok := pub.Track().(mediaTrack); ok {
					v := &viewer{}
					require.NoError(t, track.Attach(v))
					from := time.Now()
					require.Less(t, v.after(t, from).Sub(from), 5*time.Second, "%s gets %s", m.name, pub.TrackName())
					require.NoError(t, track.Detach(v))
				}
			}
		}
	}
	for _, o := range members {
		for _, pub := range o.room.LocalParticipant().DataTracks() {
			text := fmt.Sprintf("at %v", time.Now())
			require.NoError(t, pub.Track().(*parley.LocalDataTrack).SendText(t.Context(), text))
			for _, m := range members {
				if m != o {
					require.Equal(t, text, heard(t, m, o.name, pub.TrackName()), "%s hears %s", m.name, pub.TrackName())
				}
			}
		}
	}
}

// heard returns the next message of a data track.
func heard(t *testing.T, m *member, who, track string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, pub := range m.room.Participant(who).DataTracks() {
		if pub.TrackName() == track {
			msg, err := pub.Track().(*parley.RemoteDataTrack).Receive(ctx)
			require.NoError(t, err, "%s: %s of %s", m.name, track, who)
			return string(msg.Data)
		}
	}
	require.FailNow(t, "no such track", "%s: %s of %s", m.name, track, who)
	return ""
}
