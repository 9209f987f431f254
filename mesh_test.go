package parley_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/stretchr/testify/require"
)

func peerToPeer(c *sfu.Config) { c.DefaultRoomType = sfu.PeerToPeer }

// noMedia requires that the server made no peer connection.
func (l *lab) noMedia() {
	l.t.Helper()
	rec := httptest.NewRecorder()
	l.srv.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Contains(l.t, rec.Body.String(), "\nparley_peer_connections_total 0\n")
	require.Contains(l.t, rec.Body.String(), `parley_rtp_packets_total{direction="in"} 0`)
}

// peer is a member that publishes a picture and messages.
type meshPeer struct {
	*member
	words *parley.LocalDataTrack
	views map[string]*viewer
}

func (l *lab) meet(name string) *meshPeer {
	l.t.Helper()
	p := &meshPeer{words: dataTrack(l.t, "words of "+name), views: map[string]*viewer{}}
	p.member = l.join(name, picture(l.t), p.words)
	return p
}

// connected requires pictures and messages from each to each.
func connected(t *testing.T, peers ...*meshPeer) {
	t.Helper()
	from := time.Now()
	for _, p := range peers {
		for _, o := range peers {
			if p != o && p.views[o.name] == nil {
				p.views[o.name] = p.watch(o.name, "picture")
			}
		}
	}
	for _, p := range peers {
		for who, v := range p.views {
			at := v.after(t, from)
			require.Less(t, at.Sub(from), 5*time.Second, "%s sees %s", p.name, who)
		}
	}
	for _, p := range peers {
		text := fmt.Sprintf("%s at %v", p.name, time.Now())
		require.NoError(t, p.words.SendText(t.Context(), text))
		for _, o := range peers {
			if p == o {
				continue
			}
			sub, _ := await(o.member, 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == p.words.Name() })
			for {
				m, err := sub.Track.(*parley.RemoteDataTrack).Receive(t.Context())
				require.NoError(t, err)
				require.True(t, m.Text)
				if string(m.Data) == text {
					break
				}
			}
		}
	}
}

// TestMeshReachesEverybody proves C-22: what each publishes reaches each, and
// the server sees nothing of it.
func TestMeshReachesEverybody(t *testing.T) {
	for _, n := range []int{2, 3, 10} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			inLab(t, 1, func(l *lab) {
				var peers []*meshPeer
				for i := range n {
					peers = append(peers, l.meet(fmt.Sprintf("p%d", i)))
				}
				connected(l.t, peers...)
				l.noMedia()
				require.Empty(l.t, peers[0].room.MediaRegion())
				if n == 10 {
					_, err := l.dial(l.t.Context(), "eleventh")
					require.ErrorIs(l.t, err, parley.ErrRoomFull)
				}
			}, peerToPeer)
		})
	}
}
