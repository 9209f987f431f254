package parley_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

// patienceWithHostility is how much real time a script may take. What it takes
// is milliseconds, or seconds with the race detector; loops without an end take
// all there is.
const patienceWithHostility = time.Minute

// siege is a room whose server is hostile. All its events are judged by the
// order checker.
type siege struct {
	*script
	ann  *parley.RemoteParticipant // somebody honest, with the track v
	wire *wire                     // nil: the server speaks in sections, not in bytes

	mu    sync.Mutex
	order faultnet.OrderChecker
	log   []string
	last  parley.Event
	read  sync.WaitGroup
}

// besieged runs a script in virtual time. The room must be released at its end,
// whatever has become of it.
func besieged(t *testing.T, attack func(t *testing.T, s *siege)) {
	t.Helper()
	began := time.Now()
	scripted(t, func(t *testing.T, s *script) {
		g := &siege{script: s}
		defer func() { // also when the script fails
			if g.room != nil {
				_ = g.room.Disconnect()
				g.read.Wait()
				synctest.Wait()
			}
		}()
		attack(t, g)
		if g.room == nil {
			return
		}
		require.NoError(t, g.room.Disconnect())
		<-g.room.Done()
		g.read.Wait()
		require.NoError(t, g.order.Err(), "%q", g.events())
		require.True(t, g.order.Ended())
	})
	require.Less(t, time.Since(began), patienceWithHostility, "busy for so long")
}

// enter joins the room, whose first state is u, and begins to watch.
func (g *siege) enter(u signaling.Update, change ...func(*parley.ConnectOptions)) *parley.Room {
	g.t.Helper()
	u.Participants = append(u.Participants, g.someone("ann", "v"))
	room := g.join(u, change...)
	g.watch(room)
	g.ann = room.Participant("ann")
	return room
}

func (g *siege) watch(room *parley.Room) {
	events := room.Events()
	g.read.Go(func() {
		for e := range events {
			g.mu.Lock()
			g.order.Observe(handle(e))
			g.log = append(g.log, name(e))
			g.last = e
			g.mu.Unlock()
		}
	})
}

// handle is the fact of an event with handles that a server cannot make equal.
func handle(e parley.Event) faultnet.Fact {
	f := fact(e)
	of := func(p *parley.RemoteParticipant, pub *parley.RemoteTrackPublication) faultnet.Fact {
		f.Participant = fmt.Sprintf("%p", p)
		if pub != nil {
			f.Publication = fmt.Sprintf("%p", pub)
		}
		return f
	}
	switch e := e.(type) {
	case parley.ParticipantConnected:
		return of(e.Participant, nil)
	case parley.ParticipantDisconnected:
		return of(e.Participant, nil)
	case parley.ParticipantReconnecting:
		return of(e.Participant, nil)
	case parley.ParticipantReconnected:
		return of(e.Participant, nil)
	case parley.TrackPublished:
		return of(e.Participant, e.Publication)
	case parley.TrackUnpublished:
		return of(e.Participant, e.Publication)
	case parley.TrackSubscribed:
		return of(e.Participant, e.Publication)
	case parley.TrackUnsubscribed:
		return of(e.Participant, e.Publication)
	case parley.TrackEnabled:
		return of(e.Participant, e.Publication)
	case parley.TrackDisabled:
		return of(e.Participant, e.Publication)
	case parley.TrackStarted:
		return of(e.Participant, e.Track.Publication())
	case parley.TrackDimensionsChanged:
		return of(e.Participant, e.Track.Publication())
	}
	return f
}

// events returns what was told so far.
func (g *siege) events() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.log) > 200 {
		return append(append([]string(nil), g.log[:100]...), g.log[len(g.log)-100:]...)
	}
	return append([]string(nil), g.log...)
}

// count returns how many events of the name were told so far.
func (g *siege) count(what string) int {
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, line := range g.log {
		if line == what || strings.HasPrefix(line, what+" ") {
			n++
		}
	}
	return n
}

// unimpressed requires that the room is as it was: somebody who comes and goes
// is told within a second.
func (g *siege) unimpressed() {
	g.t.Helper()
	synctest.Wait()
	require.Equal(g.t, parley.StateConnected, g.room.State(), "%q", g.events())
	require.NoError(g.t, g.room.Err())
	before := g.count("ParticipantConnected witness")
	for _, p := range []signaling.RemoteParticipant{g.someone("witness", "w"), g.gone("witness", "w")} {
		if g.wire != nil {
			g.wire.participant(p)
		} else {
			g.send(signaling.Update{Participants: []signaling.RemoteParticipant{p}})
		}
	}
	require.Equal(g.t, before+1, g.count("ParticipantConnected witness"), "%q", g.events())
	require.Equal(g.t, parley.StateConnected, g.room.State())
}

// fallen requires that the room has ended within a second with the code.
func (g *siege) fallen(want error) {
	g.t.Helper()
	select {
	case <-g.room.Done():
	case <-time.After(time.Second):
		g.t.Fatalf("the room goes on: %v, %q", g.room.State(), g.events())
	}
	require.ErrorIs(g.t, g.room.Err(), want)
	g.read.Wait()
	require.IsType(g.t, parley.Disconnected{}, g.last)
	require.ErrorIs(g.t, g.last.(parley.Disconnected).Err, want)
}

// outbreak counts the goroutines that an attack leaves behind.
func outbreak(attack func()) int {
	synctest.Wait()
	before := runtime.NumGoroutine()
	attack()
	synctest.Wait()
	return runtime.NumGoroutine() - before
}

// heap returns the live bytes.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC() // what pools keep goes with
	runtime.GC() // the second
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestR24HostileServer proves that no server hurts the program: whatever it
// says, nothing panics or hangs, the room goes on or ends with the right code,
// events keep their order, and everything is released.
func TestR24HostileServer(t *testing.T) {
	for _, group := range []map[string]func(*testing.T, *siege){hostileSections, hostileSubscriptions, hostileConnections, hostileSessions} {
		for what, attack := range group {
			t.Run(what, func(t *testing.T) { besieged(t, attack) })
		}
	}
}

const huge = 1<<63 - 1

var hostileSections = map[string]func(*testing.T, *siege){
	"revisions backwards and equal": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		s.revision = 100
		now := s.someone("bob", "v")
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{now}})
		equal, older := now, now
		equal.Tracks = nil
		older.Revision, older.State = 50, signaling.StateDisconnected
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{equal, older}})
		s.unimpressed()
		require.Len(t, s.room.Participant("bob").Tracks(), 1)
		s.send(signaling.Update{Recording: &signaling.Recording{Revision: 9, Active: true}})
		s.send(signaling.Update{Recording: &signaling.Recording{Revision: 9}})
		s.send(signaling.Update{Recording: &signaling.Recording{Revision: 8}})
		synctest.Wait()
		require.True(t, s.room.IsRecording())
	},
	"revisions huge and negative": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		for _, r := range []int{-huge - 1, -1, 0, huge} {
			p := s.someone("bob", "v")
			p.Revision = r
			s.send(signaling.Update{
				Participants: []signaling.RemoteParticipant{p},
				Published:    &signaling.Published{Revision: r}, Subscribed: &signaling.Subscribed{Revision: r},
				Recording: &signaling.Recording{Revision: r, Active: true}, Warnings: &signaling.Warnings{Revision: r},
				PeerConnections: []signaling.PeerConnection{{ID: s.conn.Join().PeerConnections[0].ID, Description: &signaling.Description{
					Type: signaling.DescriptionAnswer, Revision: r - 7, SDP: "v=0",
				}}},
			})
		}
		s.unimpressed()
		require.Equal(t, 1, s.count("RecordingStarted"))
	},
	"10 000 participants": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		var list []signaling.RemoteParticipant
		for i := range 10000 {
			list = append(list, s.someone(fmt.Sprintf("p%d", i), "v"))
		}
		s.send(signaling.Update{Participants: list})
		synctest.Wait()
		require.Len(t, s.room.Participants(), 1000, "the hard limit")
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.gone("p7")}})
		s.unimpressed()
	},
	"200 000 participants that nobody ever met": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		synctest.Wait()
		before := heap()
		for i := range 200 {
			var list []signaling.RemoteParticipant
			for j := range 1000 {
				p := s.someone("ghost")
				p.SID, p.State = fmt.Sprintf("PA%0200d", i*1000+j), signaling.StateDisconnected
				list = append(list, p)
			}
			s.send(signaling.Update{Participants: list})
			synctest.Wait()
		}
		require.Less(t, heap()-before, int64(8<<20))
		s.unimpressed()
		require.Equal(t, 1+1, s.count("ParticipantConnected"))
	},
	"participants flapping": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		for range 1000 {
			s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone("bob", "v"), s.gone("bob", "v")}})
			s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone("bob"), s.someone("bob", "v"), s.gone("bob")}})
			synctest.Wait()
		}
		require.Equal(t, 2000, s.count("ParticipantDisconnected bob"))
		s.unimpressed()
	},
	"states that there are not": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		for _, state := range []signaling.ParticipantState{"", "exploded", "CONNECTED", signaling.StateReconnecting, "exploded"} {
			p := s.someone("bob")
			p.State = state
			s.send(signaling.Update{Participants: []signaling.RemoteParticipant{p}})
		}
		require.Equal(t, 1, s.count("ParticipantConnected bob"))
		require.Equal(t, parley.StateReconnecting, s.room.Participant("bob").State())
		s.unimpressed()
	},
	"one SID for many tracks": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		for range 3 {
			bob, eve := s.someone("bob", "v", "w", "x"), s.someone("eve", "y")
			for i := range bob.Tracks {
				bob.Tracks[i].SID = "MTannv"
				bob.Tracks[i].Kind = []signaling.Kind{signaling.KindVideo, signaling.KindAudio, signaling.KindData}[i]
			}
			eve.Tracks[0].SID = "MTannv"
			s.send(signaling.Update{Participants: []signaling.RemoteParticipant{bob, eve}, Subscribed: s.subscribed("MTannv", "MTannv")})
		}
		s.unimpressed()
		require.Len(t, s.room.Participant("bob").Tracks(), 1)
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone("bob")}, Subscribed: s.subscribed()})
		s.unimpressed()
		require.Empty(t, s.room.Participant("bob").Tracks())
	},
	"one identity for many participants": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		for i := range 3 {
			p := s.someone("bob", "v")
			p.SID = fmt.Sprintf("PA%d", i)
			s.send(signaling.Update{Participants: []signaling.RemoteParticipant{p}})
		}
		require.Equal(t, 3, s.count("ParticipantConnected bob"))
		s.unimpressed()
	},
	"no SIDs": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		p := s.someone("", "", "")
		p.SID, p.Tracks[0].SID, p.Tracks[1].SID = "", "", ""
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{p}, Subscribed: s.subscribed("")})
		s.unimpressed()
		require.Nil(t, s.room.Participant(""), "what has no handle does not exist")
		bob := s.someone("bob", "v")
		bob.Tracks[0].SID = ""
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{bob}, Subscribed: s.subscribed("")})
		s.unimpressed()
		require.Empty(t, s.room.Participant("bob").Tracks())
	},
	"kinds that there are not": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		bob := s.someone("bob", "hologram", "nothing", "v")
		bob.Tracks[0].Kind, bob.Tracks[1].Kind = "hologram", ""
		s.send(signaling.Update{
			Participants: []signaling.RemoteParticipant{bob}, Subscribed: s.subscribed("MTbobhologram", "MTbobnothing", "MTbobv"),
		})
		s.unimpressed()
		require.Equal(t, 1, s.count("TrackPublished bob/v"))
		require.Equal(t, 1, s.count("TrackSubscribed bob/v"))
		require.Len(t, s.room.Participant("bob").Tracks(), 1, "a kind of the future is nothing that we could give")
	},
	"ourselves among the others": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		me := s.someone("me", "v")
		me.SID = s.room.LocalParticipant().SID()
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{me}})
		me.Revision, me.State = me.Revision+1, signaling.StateDisconnected
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{me}})
		s.unimpressed()
		require.Zero(t, s.count("ParticipantConnected me"))
		require.Zero(t, s.count("ParticipantDisconnected me"))
	},
	"100 000 tracks of one participant": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		synctest.Wait()
		before := heap()
		for i := range 100 {
			bob := s.someone("bob")
			for j := range 1000 {
				bob.Tracks = append(bob.Tracks, signaling.RemoteTrack{SID: fmt.Sprintf("MT%d/%d", i, j), Kind: signaling.KindAudio, Name: "t"})
			}
			s.send(signaling.Update{Participants: []signaling.RemoteParticipant{bob}})
			synctest.Wait()
			require.LessOrEqual(t, len(s.room.Participant("bob").Tracks()), 256)
		}
		s.log = nil
		require.Less(t, heap()-before, int64(16<<20))
		s.unimpressed()
	},
	"tracks that change under their SID": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{Subscribed: s.subscribed("MTannv")})
		for i := range 50 {
			ann := s.someone("ann", "v")
			ann.Tracks[0].Kind = []signaling.Kind{signaling.KindAudio, signaling.KindData, "hologram", signaling.KindVideo}[i%4]
			ann.Tracks[0].Name = fmt.Sprint(i)
			ann.Tracks[0].Priority = signaling.Priority([]string{"", "urgent", "low"}[i%3])
			s.send(signaling.Update{Participants: []signaling.RemoteParticipant{ann}, Subscribed: s.subscribed("MTannv")})
		}
		s.unimpressed()
		require.Equal(t, parley.KindVideo, s.ann.Tracks()[0].Kind())
	},
	"recording on and off 5 000 times": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		for range 5000 {
			s.revision++
			s.send(signaling.Update{Recording: &signaling.Recording{Revision: s.revision, Active: s.revision%2 == 0}})
			if s.revision%1000 == 0 {
				synctest.Wait()
			}
		}
		s.unimpressed()
		require.InDelta(t, s.count("RecordingStarted"), s.count("RecordingStopped"), 1)
	},
	"warnings about strangers": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		for range 100 {
			s.revision++
			s.send(signaling.Update{Warnings: &signaling.Warnings{Revision: s.revision, NoMedia: map[string]bool{"MTannv": true, "": true, "MTnobody": false}}})
		}
		s.unimpressed()
		require.Zero(t, s.count("TrackWarning"))
	},
	"malformed messages of every channel": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		payloads := []string{
			``, `null`, `0`, `"text"`, `[]`, `{}`, `{`, "\x00\xff", `{"type":5}`, `{"type":null,"participant":null}`, `{"participant":7}`,
			`{"participant":"PAnobody"}`, `{"participant":{"sid":"PAann"}}`, `{"local":null,"remotes":null}`, `{"local":"5"}`,
			`{"local":-1e300,"remotes":[{"sid":"PAann","level":-9}]}`, `{"local":1e300}`, `{"remotes":[null,{},{"sid":5}]}`,
			`{"remotes":[{"sid":"PAnobody","level":3}]}`, `{"on":null,"off":[null]}`, `{"on":["MTannv"],"off":["MTannv"]}`, `{"off":"MTannv"}`,
			`{"off":["MTnobody",""]}`, `{"transcription":5}`, `{"sequence_number":1e300}`, `{"timestamp":"yesterday"}`,
			`{"participant":"` + strings.Repeat("x", 500000) + `"}`, strings.Repeat("[", 500000), strings.Repeat(`{"local":`, 100000) + "1" + strings.Repeat("}", 100000),
		}
		for _, channel := range []string{
			"active_speaker", "network_quality", "track_switch_off", "extension_transcriptions", "render_hints", "track_priority",
			"dominant_speaker", "", "../../etc/passwd",
		} {
			for _, p := range payloads {
				s.send(signaling.Update{Channels: []signaling.Channel{{Name: channel, Payload: []byte(p)}, {Name: channel, Label: "no-such-channel"}}})
			}
		}
		s.unimpressed()
		require.Nil(t, s.room.DominantSpeaker())
		require.Zero(t, s.count("TrackSwitchedOff"))
	},
	"published without our asking": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		for i := range 100 {
			s.revision++
			pub := &signaling.Published{Revision: s.revision}
			for _, state := range []signaling.PublishState{signaling.PublishReady, signaling.PublishFailed, signaling.PublishCreated, "levitating", ""} {
				pub.Tracks = append(pub.Tracks, signaling.PublishedTrack{ID: fmt.Sprint(i), SID: "MT" + fmt.Sprint(i), State: state}, signaling.PublishedTrack{State: state})
			}
			s.send(signaling.Update{Published: pub})
		}
		s.unimpressed()
		require.Empty(t, s.room.LocalParticipant().Tracks())
		require.Zero(t, s.count("LocalTrackPublished"))
	},
	"ready, failed, ready": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		id, result := s.publishing(t)
		s.published(signaling.PublishedTrack{ID: id, State: signaling.PublishReady, SID: "MT1"})
		require.NoError(t, <-result)
		s.published(signaling.PublishedTrack{ID: id, State: signaling.PublishFailed, Err: signaling.NewError(signaling.CodeTrackNameDuplicated)})
		s.published(signaling.PublishedTrack{ID: id, State: signaling.PublishReady, SID: "MT2"})
		s.unimpressed()
		require.Empty(t, s.room.LocalParticipant().Tracks())
		require.Equal(t, []int{1, 1, 1}, []int{s.count("LocalTrackPublished"), s.count("LocalTrackPublicationFailed"), s.count("LocalTrackUnpublished")})
	},
	"failed without an error": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		id, result := s.publishing(t)
		s.published(signaling.PublishedTrack{ID: id, State: signaling.PublishFailed})
		s.published(signaling.PublishedTrack{ID: id, State: signaling.PublishFailed})
		var refusal *parley.Error
		require.ErrorAs(t, <-result, &refusal)
		require.Equal(t, signaling.CodeTrackInvalid, refusal.Code)
		s.unimpressed()
		require.Equal(t, 1, s.count("LocalTrackPublicationFailed"))
	},
	"ready under other SIDs, again and again": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		id, result := s.publishing(t)
		for i := range 100 {
			s.published(signaling.PublishedTrack{ID: id, State: signaling.PublishReady, SID: fmt.Sprintf("MT%d", i)})
		}
		require.NoError(t, <-result)
		s.unimpressed()
		require.Equal(t, 1, s.count("LocalTrackPublished"))
		require.Equal(t, "MT99", s.room.LocalParticipant().Tracks()[0].TrackSID())
	},
	"never a word about what we publish": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		_, result := s.publishing(t)
		s.unimpressed()
		time.Sleep(time.Hour)
		s.unimpressed()
		require.NoError(t, s.room.Disconnect())
		require.ErrorIs(t, <-result, parley.ErrRoomClosed)
	},
}

// publishing begins to publish a data track and returns its id on the wire.
func (g *siege) publishing(t *testing.T) (id string, result chan error) {
	track, err := parley.NewLocalDataTrack(nil)
	require.NoError(t, err)
	result = make(chan error, 1)
	go func() {
		_, err := g.room.LocalParticipant().PublishTrack(t.Context(), track, nil)
		result <- err
	}()
	for {
		u, err := g.conn.Receive(t.Context())
		require.NoError(t, err)
		if u.Participant != nil && len(u.Participant.Tracks) > 0 {
			return u.Participant.Tracks[0].ID, result
		}
	}
}

func (g *siege) published(tracks ...signaling.PublishedTrack) {
	g.t.Helper()
	g.revision++
	g.send(signaling.Update{Published: &signaling.Published{Revision: g.revision, Tracks: tracks}})
	synctest.Wait()
}
