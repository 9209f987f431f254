package parley_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
)

// Everything that alice sends arrives twice at the server, and everything that
// the server sends twice at bob, as from somebody on the path who repeats it:
// each packet counts once, and each message is heard once.
func TestT21RepeatedPacketsAreDropped(t *testing.T) {
	inLab(t, 21, func(l *lab) {
		data := dataTrack(l.t, "data")
		alice, bob := l.join("alice", picture(l.t), data), l.join("bob")
		view, talk := bob.watch("alice", "picture"), l.talk(data, bob, 20*time.Millisecond)
		view.after(l.t, time.Now())
		begun := l.packets("in")
		time.Sleep(10 * time.Second)
		once := l.packets("in") - begun
		twice := func(send, _ *faultnet.Faults) { send.Duplicate = 1000 }
		alice.host.Impair(twice)
		l.host.Impair(twice)
		begun = l.packets("in")
		time.Sleep(10 * time.Second)
		require.InDelta(l.t, once, l.packets("in")-begun, 20, "what was repeated counts once")
		require.Greater(l.t, alice.host.Sent().Duplicated, 500)
		require.Greater(l.t, l.host.Sent().Duplicated, 500)
		sent, lost := talk.end()
		require.Greater(l.t, sent, 950)
		require.Zero(l.t, lost)
		require.NoError(l.t, alice.room.LocalParticipant().UnpublishTrack(l.t.Context(), alice.room.LocalParticipant().VideoTracks()[0].Track()))
		time.Sleep(time.Second)
		view.mu.Lock()
		for i, f := range view.frames[1:] {
			require.Greater(l.t, f.time, view.frames[i].time, "a frame came twice")
		}
		view.mu.Unlock()
		require.Zero(l.t, view.missed(framePace))
		in, out := l.packets("in"), l.packets("out")
		l.t.Logf("T21: %d packets from alice at the server, %d to bob, %d and %d repeated", in, out, alice.host.Sent().Duplicated, l.host.Sent().Duplicated)
		require.InDelta(l.t, in, out, 20, "what was repeated is not forwarded")
	})
}

var packetsTotal = regexp.MustCompile(`(?m)^parley_rtp_packets_total\{direction="(in|out)"\} (\S+)$`)

// packets is how many packets of media the server counted.
func (l *lab) packets(direction string) int {
	l.t.Helper()
	rec := httptest.NewRecorder()
	l.srv.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, m := range packetsTotal.FindAllStringSubmatch(rec.Body.String(), -1) {
		if m[1] == direction {
			n, err := strconv.ParseFloat(m[2], 64)
			require.NoError(l.t, err)
			return int(n)
		}
	}
	require.Fail(l.t, "there is no such figure")
	return 0
}

// Who is taken out of a room is heard no more within a second, also while it
// sends because it has not been told, and gets nothing that others send.
func TestT29RemovedIsHeardNoMore(t *testing.T) {
	inLab(t, 29, func(l *lab) {
		l.mint = func(identity string) string { // nobody comes again with it
			return l.token(identity, func(t *accesstoken.Token) { t.TTL = time.Minute })
		}
		alice, bob, eve := l.join("alice", picture(l.t)), l.join("bob"), l.join("eve")
		view, seen := bob.watch("alice", "picture"), eve.watch("alice", "picture")
		seen.after(l.t, view.after(l.t, time.Now()))
		time.Sleep(3 * time.Minute)
		remove := func(m *member) {
			m.lines.now().silent.Store(true)
			m.host.Impair(func(_, receive *faultnet.Faults) { receive.Blackhole = true })
			require.True(l.t, l.srv.Remove("lab", m.name))
			time.Sleep(200 * time.Millisecond)
		}

		removed := time.Now()
		remove(eve)
		n := eve.host.Received().Offered
		time.Sleep(4 * time.Second)
		require.Less(l.t, eve.host.Received().Offered, n+20, "eve still gets more than answers to its checks")
		<-eve.room.Done()
		require.Less(l.t, view.gap(removed), 200*time.Millisecond, "the others notice nothing")

		removed = time.Now()
		remove(alice)
		n, sent := view.count(), alice.host.Sent().Offered
		time.Sleep(500 * time.Millisecond)
		require.Greater(l.t, alice.host.Sent().Offered, sent+10, "alice goes on")
		time.Sleep(4 * time.Second)
		require.Equal(l.t, n, view.count(), "bob still sees alice")
		<-alice.room.Done()
		gone, at := await[parley.ParticipantDisconnected](bob, 0, func(e parley.ParticipantDisconnected) bool { return e.Participant.Identity() == "alice" })
		l.t.Logf("T29: bob heard of it after %v: %q", at.Sub(removed), gone.Reason)
		require.Equal(l.t, parley.ReasonRemoved, gone.Reason)
		require.Less(l.t, at.Sub(removed), time.Second)
	})
}

// eavesdropper is a transport that keeps all that a client says.
type eavesdropper struct {
	signaling.Transport

	mu   sync.Mutex
	said string
}

func (e *eavesdropper) note(v any) {
	text, _ := json.Marshal(v) // sections always can be
	e.mu.Lock()
	defer e.mu.Unlock()
	e.said += string(text) + "\n"
}

func (e *eavesdropper) Dial(ctx context.Context, join signaling.Join) (signaling.Session, error) {
	e.note(join)
	session, err := e.Transport.Dial(ctx, join)
	if err != nil {
		return nil, err
	}
	return overheard{session, e}, nil
}

type overheard struct {
	signaling.Session
	by *eavesdropper
}

func (o overheard) Send(u signaling.Update) error {
	o.by.note(u)
	return o.Session.Send(u)
}

// In a peer-to-peer room, who asks for relays alone tells the others no address
// of its own, on any way to a TURN server; who does not, does: that is what such
// rooms are for.
func TestT30RelayOnlyHidesAddresses(t *testing.T) {
	for _, c := range []struct {
		name            string
		hidden, blocked bool
	}{{"relays alone", true, false}, {"relays alone, over TCP", true, true}, {"any way", false, false}} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, 30, func(l *lab) {
				l.startRelay()
				meet := func(name string) (*meshPeer, *eavesdropper) {
					ear, host := &eavesdropper{}, l.world.Host(name)
					host.BlockUDP(c.blocked)
					p := &meshPeer{words: dataTrack(l.t, "words of "+name), views: map[string]*viewer{}}
					p.member = l.joinFrom(host, name, publishing(picture(l.t), p.words), func(o *parley.ConnectOptions) {
						ear.Transport, o.RelayOnly = o.Transport, c.hidden
						o.Transport = ear
					})
					return p, ear
				}
				alice, hears := meet("alice")
				bob, listens := meet("bob")
				connected(l.t, alice, bob)
				for p, ear := range map[*meshPeer]*eavesdropper{alice: hears, bob: listens} {
					ear.mu.Lock()
					said := ear.said
					ear.mu.Unlock()
					require.Contains(l.t, said, "typ relay")
					own := regexp.MustCompile(regexp.QuoteMeta(p.host.Addresses()[0].String()) + `\b`)
					require.Equal(l.t, !c.hidden, own.MatchString(said), "%s says %q", p.name, own.FindString(said))
				}
			}, peerToPeer)
		})
	}
}
