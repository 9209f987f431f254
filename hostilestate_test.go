package parley_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

var hostileSubscriptions = map[string]func(*testing.T, *siege){
	"subscribed to strangers": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		for range 10 {
			s.send(signaling.Update{Subscribed: s.subscribed("MTnobody", "", "MTannv", "PAann")})
			s.send(signaling.Update{Subscribed: s.subscribed()})
		}
		s.unimpressed()
		require.Equal(t, []int{10, 10}, []int{s.count("TrackSubscribed"), s.count("TrackUnsubscribed")})
	},
	"subscribed before anybody is there": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{Subscribed: s.subscribed("MTbobv")})
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone("bob")}})
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone("bob", "v")}})
		require.Equal(t, 1, s.count("TrackSubscribed bob/v"))
		s.unimpressed()
	},
	"subscribed through a section that there is not": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		for i := range 2000 {
			s.revision++
			s.send(signaling.Update{Subscribed: &signaling.Subscribed{Revision: s.revision, Tracks: []signaling.Subscription{
				{SID: "MTannv", ID: fmt.Sprintf("nowhere%d", i), From: uint16(i * 77)},
			}}})
		}
		s.unimpressed()
	},
	"one section for all tracks": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone("bob", "v", "w", "x")}})
		for i := range 100 {
			s.revision++
			sub := &signaling.Subscribed{Revision: s.revision}
			for _, sid := range []string{"MTannv", "MTbobv", "MTbobw", "MTbobx", "MTbobx"} {
				sub.Tracks = append(sub.Tracks, signaling.Subscription{SID: sid, ID: "c0", From: uint16(i * i)})
			}
			s.send(signaling.Update{Subscribed: sub})
		}
		require.Equal(t, 4, s.count("TrackSubscribed"))
		s.unimpressed()
	},
	"one section again and again, from elsewhere": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		for i := range 3000 {
			s.revision++
			s.send(signaling.Update{Subscribed: &signaling.Subscribed{Revision: s.revision, Tracks: []signaling.Subscription{
				{SID: "MTannv", ID: "c1", From: uint16(i * 30011)},
			}}})
		}
		require.Equal(t, 1, s.count("TrackSubscribed"))
		s.unimpressed()
	},
	"neither section nor error": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		s.revision++
		s.send(signaling.Update{Subscribed: &signaling.Subscribed{Revision: s.revision, Tracks: []signaling.Subscription{{SID: "MTannv"}}}})
		s.unimpressed()
		require.Zero(t, s.count("TrackSubscribed"), "it waits for a section")
	},
	"errors with codes that there are not": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		for i := range 100 {
			s.revision++
			s.send(signaling.Update{Subscribed: &signaling.Subscribed{Revision: s.revision, Tracks: []signaling.Subscription{
				{SID: "MTannv", ID: "c1", Err: &signaling.Error{Code: signaling.Code(-i), Message: strings.Repeat("x", 1000)}},
			}}})
		}
		s.unimpressed()
		require.Equal(t, 1, s.count("TrackSubscriptionFailed"), "told once")
	},
	"subscribed to 100 000 tracks": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		sub := &signaling.Subscribed{Revision: 1 << 20}
		for i := range 100000 {
			sub.Tracks = append(sub.Tracks, signaling.Subscription{SID: fmt.Sprint("MT", i), ID: "c1"})
		}
		s.send(signaling.Update{Subscribed: sub})
		s.unimpressed()
	},
	"a data channel that never opens": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		bob := s.someone("bob", "d")
		bob.Tracks[0].Kind = signaling.KindData
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{bob}, Subscribed: s.subscribed("MTbobd")})
		s.unimpressed()
		require.Zero(t, s.count("TrackSubscribed"))
	},
	"1 000 tracks at once": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		u := signaling.Update{Subscribed: &signaling.Subscribed{Revision: 1 << 20}}
		for i := range 10 {
			who := s.someone(fmt.Sprint("p", i))
			for j := range 100 {
				sid := fmt.Sprintf("MT%d/%d", i, j)
				who.Tracks = append(who.Tracks, signaling.RemoteTrack{SID: sid, Kind: signaling.KindVideo, Name: sid})
				u.Subscribed.Tracks = append(u.Subscribed.Tracks, signaling.Subscription{SID: sid, ID: fmt.Sprint("c", 100*i+j)})
			}
			u.Participants = append(u.Participants, who)
		}
		s.send(u)
		s.unimpressed()
		require.Equal(t, 1000, s.count("TrackSubscribed"))
		// The sections are offered as soon as the server has answered.
		s.answer(s.impostor(), nil)
		offer := s.nextOffer()
		require.LessOrEqual(t, strings.Count(offer.SDP, "\nm="), 256, "no server takes more")
		s.unimpressed()
	},
}

// impostor is a real peer connection of the server, for hostility that begins
// with something honest.
func (g *siege) impostor() *rtc.Peer {
	g.t.Helper()
	g.hosts++
	host := g.world.Host(fmt.Sprintf("server%d", g.hosts), fmt.Sprintf("1.2.4.%d", g.hosts))
	api, err := rtc.New(rtc.Config{Net: host, Configure: func(se *webrtc.SettingEngine) {
		se.DisableCloseByDTLS(true) // who stays does not close in the moment in which the other does
	}})
	require.NoError(g.t, err)
	peer, err := api.NewPeer(rtc.PeerConfig{MidPrefix: "s"})
	require.NoError(g.t, err)
	g.t.Cleanup(func() { _ = peer.Close() })
	return peer
}

// offer is what the client sent with its join.
func (g *siege) offer() signaling.PeerConnection { return g.conn.Join().PeerConnections[0] }

// nextOffer waits for an offer of the client.
func (g *siege) nextOffer() *signaling.Description {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 10*time.Second)
	defer cancel()
	for {
		u, err := g.conn.Receive(ctx)
		require.NoError(g.t, err)
		for _, pc := range u.PeerConnections {
			if pc.Description != nil && pc.Description.Type == signaling.DescriptionOffer {
				return pc.Description
			}
		}
	}
}

// answer answers the client's first offer with what change makes of an honest
// answer.
func (g *siege) answer(peer *rtc.Peer, change func(sdp string) string) {
	g.t.Helper()
	offer := g.offer()
	require.NoError(g.t, peer.SetRemoteOffer(offer.Description.SDP))
	sdp, err := peer.Answer(true)
	require.NoError(g.t, err)
	if change != nil {
		sdp = change(sdp)
	}
	g.describe(offer.ID, signaling.DescriptionAnswer, offer.Description.Revision, sdp)
}

func (g *siege) describe(id string, kind signaling.DescriptionType, revision int, sdp string) {
	g.t.Helper()
	g.send(signaling.Update{PeerConnections: []signaling.PeerConnection{{
		ID: id, Description: &signaling.Description{Type: kind, Revision: revision, SDP: sdp},
	}}})
	synctest.Wait()
}

// without drops the lines that begin with the prefix.
func without(sdp, prefix string) string {
	lines := strings.SplitAfter(sdp, "\r\n")
	kept := lines[:0:0]
	for _, l := range lines {
		if !strings.HasPrefix(l, prefix) {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, "")
}

// sections cuts a description into what comes before the first media section,
// and those.
func sections(sdp string) []string {
	parts := strings.Split(sdp, "\r\nm=")
	for i := range parts[1:] {
		parts[i] += "\r\n"
		parts[i+1] = "m=" + parts[i+1]
	}
	return parts
}

// badAnswer is a script whose answer cannot be used: the room ends and says so.
func badAnswer(change func(sdp string) string) func(*testing.T, *siege) {
	return func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		s.answer(s.impostor(), change)
		s.fallen(parley.ErrServerDescription)
		require.Equal(t, parley.ReasonProtocol, s.last.(parley.Disconnected).Reason)
	}
}

var hostileConnections = map[string]func(*testing.T, *siege){
	"answers that are none of ours": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		offer := s.offer()
		for _, revision := range []int{-1, 0, offer.Description.Revision + 1, huge} {
			s.describe(offer.ID, signaling.DescriptionAnswer, revision, "garbage")
		}
		goroutines := outbreak(func() {
			for i := range 100 {
				s.describe(fmt.Sprint("foreign", i), signaling.DescriptionAnswer, 1, offer.Description.SDP)
				s.describe(fmt.Sprint("foreign", i), "levitate", 1, offer.Description.SDP)
			}
		})
		require.Less(t, goroutines, 10, "no connection is made for an answer")
		s.unimpressed()
		s.answer(s.impostor(), nil) // the honest one still counts
		time.Sleep(time.Second)
		s.unimpressed()
		stats, err := s.room.Stats(t.Context())
		require.NoError(t, err)
		require.NotEmpty(t, stats.CandidatePair)
	},
	"answer of garbage":       badAnswer(func(string) string { return "\x00\xffgarbage" }),
	"answer of nothing":       badAnswer(func(string) string { return "" }),
	"answer without media":    badAnswer(func(sdp string) string { return sections(sdp)[0] }),
	"answer lacks sections":   badAnswer(func(sdp string) string { p := sections(sdp); return strings.Join(p[:len(p)-1], "") }),
	"answer without ufrag":    badAnswer(func(sdp string) string { return without(sdp, "a=ice-ufrag") }),
	"answer without password": badAnswer(func(sdp string) string { return without(sdp, "a=ice-pwd") }),
	"answer without mids":     badAnswer(func(sdp string) string { return without(sdp, "a=mid") }),
	"answer of foreign mids":  badAnswer(func(sdp string) string { return strings.ReplaceAll(sdp, "a=mid:c", "a=mid:x") }),
	"answer with sections twice": badAnswer(func(sdp string) string {
		p := sections(sdp)
		return strings.Join(append(p, p[1:]...), "")
	}),
	"answer of 1 000 sections": badAnswer(func(sdp string) string {
		p := sections(sdp)
		return p[0] + strings.Repeat(p[1], 1000)
	}),
	"answer of 1 MB": badAnswer(func(sdp string) string { return sdp + strings.Repeat("a=x-padding:0123456789abcdef\r\n", 35000) }),
	"answer in disorder": badAnswer(func(sdp string) string {
		p := sections(sdp)
		p[1], p[2] = p[2], p[1]
		return strings.Join(p, "")
	}),
	"offer of garbage": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		s.answer(s.impostor(), nil)
		s.describe(s.offer().ID, signaling.DescriptionOffer, 50, "v=0\r\ngarbage")
		s.fallen(parley.ErrServerDescription)
	},
	"offers from a server that makes none": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		peer := s.impostor()
		s.answer(peer, nil)
		_, err := peer.AddInlet(media.Video)
		require.NoError(t, err)
		sdp, err := peer.Offer(false)
		require.NoError(t, err)
		for i := range 50 {
			s.describe(s.offer().ID, signaling.DescriptionOffer, 10+i, sdp)
		}
		s.unimpressed()
	},
	"offers of 500 connections": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		peer := s.impostor()
		_, err := peer.AddInlet(media.Video)
		require.NoError(t, err)
		sdp, err := peer.Offer(false)
		require.NoError(t, err)
		goroutines := outbreak(func() {
			for i := range 500 {
				s.describe(fmt.Sprint("more", i), signaling.DescriptionOffer, 1, sdp)
			}
		})
		require.Less(t, goroutines, 200)
		s.unimpressed()
	},
	"connections closed": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		s.describe("foreign", signaling.DescriptionClose, 1, "")
		s.unimpressed()
		s.describe(s.offer().ID, signaling.DescriptionClose, 1, "")
		require.Equal(t, parley.StateReconnecting, s.room.State())
		require.Empty(t, s.accept(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone("ann", "v")}}).Resume, "with media anew")
		s.unimpressed()
		require.Equal(t, []int{1, 1}, []int{s.count("Reconnecting"), s.count("Reconnected")})
	},
	"connections closed each time": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		s.describe(s.offer().ID, signaling.DescriptionClose, 1, "")
		joins := s.joinsUntilTheEnd(func(id string) signaling.Update {
			return signaling.Update{PeerConnections: []signaling.PeerConnection{{ID: id, Description: &signaling.Description{Type: signaling.DescriptionClose}}}}
		})
		require.Less(t, joins, 40, "in 30 seconds")
	},
	"state of another's connections": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		s.conn.Drop()
		joins := s.joinsUntilTheEnd(func(string) signaling.Update {
			return signaling.Update{PeerConnections: []signaling.PeerConnection{{ID: "foreign", ICE: &signaling.ICE{Ufrag: "abcd"}}}}
		})
		require.Less(t, joins, 40, "in 30 seconds")
	},
	"a storm of create-offer": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		peer := s.impostor()
		s.answer(peer, nil)
		for i := range 3000 {
			s.describe(s.offer().ID, signaling.DescriptionCreateOffer, 10+i, "")
		}
		s.describe(s.offer().ID, signaling.DescriptionCreateOffer, huge, "")
		s.unimpressed()
		s.nextOffer()
	},
	"pranswers and rollbacks": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		for _, kind := range []signaling.DescriptionType{signaling.DescriptionPranswer, "rollback", "", "OFFER"} {
			s.describe(s.offer().ID, kind, 1, "garbage")
		}
		s.unimpressed()
	},
	"T13 20 000 candidates": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		peer := s.impostor()
		s.answer(peer, nil)
		time.Sleep(5 * time.Second) // whatever that brings is there now
		_, ufrag, _ := peer.Candidates()
		var list []signaling.Candidate
		goroutines := outbreak(func() {
			for i := range 20000 {
				list = append(list, signaling.Candidate{
					Candidate: fmt.Sprintf("candidate:%d 1 udp %d 9.%d.%d.9 %d typ host", i, 1<<20+i, i%250, i/250, 1024+i),
				})
				if len(list)%100 == 0 {
					s.send(signaling.Update{PeerConnections: []signaling.PeerConnection{{
						ID: s.offer().ID, ICE: &signaling.ICE{Ufrag: ufrag, Revision: i, Candidates: list},
					}}})
					synctest.Wait()
				}
			}
		})
		require.LessOrEqual(t, goroutines, 200)
		s.unimpressed()
	},
	"candidates that are none": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		peer := s.impostor()
		s.answer(peer, nil)
		_, ufrag, _ := peer.Candidates()
		index, mid := uint16(65535), "nowhere"
		var list []signaling.Candidate
		for _, c := range []string{
			"", "candidate:", "\x00", "candidate:1 1 udp 1 not-an-ip 1 typ host", "candidate:1 1 udp 99999999999999 1.2.3.4 99999 typ host",
			"candidate:1 1 udp 1 1.2.3.4 1 typ levitating", strings.Repeat("candidate:1 ", 10000), "candidate:1 1 tcp 1 1.2.3.4 9 typ host tcptype active",
			"candidate:1 1 udp 1 abcdef.local 1 typ host", "candidate:1 -1 udp -1 1.2.3.4 -1 typ host", "candidate:1 1 udp 1 ::1%eth0 1 typ host",
		} {
			list = append(list, signaling.Candidate{Candidate: c}, signaling.Candidate{Candidate: c, SDPMLineIndex: &index, SDPMid: &mid, UsernameFragment: &mid})
		}
		for revision := range 3 {
			s.send(signaling.Update{PeerConnections: []signaling.PeerConnection{{ID: s.offer().ID, ICE: &signaling.ICE{Ufrag: ufrag, Revision: revision, Candidates: list}}}})
		}
		s.unimpressed()
	},
	"candidates of 5 000 generations": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		synctest.Wait()
		before := heap()
		for i := range 5000 {
			ice := &signaling.ICE{Ufrag: fmt.Sprint("stale", i), Revision: i}
			for range 100 {
				ice.Candidates = append(ice.Candidates, signaling.Candidate{Candidate: fmt.Sprintf("candidate:1 1 udp 1 1.2.3.4 1 typ host ufrag stale%d", i)})
			}
			s.send(signaling.Update{PeerConnections: []signaling.PeerConnection{{ID: s.offer().ID, ICE: ice}, {ID: fmt.Sprint("foreign", i), ICE: ice}}})
			if i%500 == 0 {
				synctest.Wait()
			}
		}
		s.unimpressed()
		require.Less(t, heap()-before, int64(16<<20), "of 70 MB and more")
	},
	"offers never answered": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		time.Sleep(time.Hour)
		s.unimpressed()
	},
}

// joinsUntilTheEnd lets the client in again and again, with what it cannot use,
// and counts how often it comes, for as long as it is patient.
func (g *siege) joinsUntilTheEnd(update func(id string) signaling.Update) int {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 30*time.Second)
	defer cancel()
	for n := 0; ; n++ {
		conn, err := g.transport.Next(ctx)
		if err != nil {
			return n
		}
		g.conn = conn
		require.NoError(g.t, conn.Accept(g.state(update(conn.Join().PeerConnections[0].ID))))
		synctest.Wait()
	}
}
