//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"log/slog"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/record"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/parley-rtc/parley/signaling/accesstoken"
)

const partyRoom = "My Cool Room"

// TestJourneyD1 is the way of somebody who writes a desktop program for a chat
// of several, from the token to the last event. The steps build on each other.
// Cameras are not part of it: they are tested in internal/e2e/devices.
func TestJourneyD1(t *testing.T) {
	t.Run("01 the documentation shows how", documentationShowsConnect)
	t.Run("02 the command makes a token", commandMakesAToken)
	var files []string
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := &party{T: t, srv: roomtest.NewVirtual(t), dir: dir}
		p.aliceJoins()
		p.bobJoins()
		files = p.bothRecord()
		p.aliceHidesHerself()
		p.bobWrites()
		p.bobClosesTheLid()
		p.anotherAliceComes()
		p.bobLeaves()
	}) // 12: no goroutine is left in the bubble
	for _, path := range files {
		p := probe(t, path)
		require.Len(t, p.Streams, 2)
		for _, s := range p.Streams {
			if s.Codec == "vp8" {
				require.Equal(t, []int{320, 240}, []int{s.Width, s.Height})
			} else {
				require.Equal(t, "opus", s.Codec)
			}
		}
	}
}

func documentationShowsConnect(t *testing.T) {
	out := run(t, "go", "doc", "github.com/parley-rtc/parley", "Connect")
	require.Contains(t, string(out), "func Connect(token string, opts *ConnectOptions) (*Room, error)")
	run(t, "go", "vet", "github.com/parley-rtc/parley/examples/quickstart", "github.com/parley-rtc/parley/examples/headless")
}

func commandMakesAToken(t *testing.T) {
	key := accesstoken.NewKey()
	cmd := exec.CommandContext(t.Context(), "go", "run", "../../cmd/parley", "token", "--identity", "alice", "--room", partyRoom)
	cmd.Env = append(cmd.Environ(), "PARLEY_CONFIG=", "PARLEY_API_KEYS=", "PARLEY_ACCOUNT_SID="+key.AccountSID, "PARLEY_API_KEY="+key.SID, "PARLEY_API_SECRET="+string(key.Secret))
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, &complaints)
	verifier, err := accesstoken.NewVerifier(key.AccountSID, map[string]accesstoken.Secret{key.SID: key.Secret}, nil)
	require.NoError(t, err)
	token, err := verifier.Verify(strings.TrimSpace(string(out)))
	require.NoError(t, err)
	require.Equal(t, "alice", token.Identity)
	require.Equal(t, partyRoom, token.Room)
}

// party is a room with alice and bob.
type party struct {
	*testing.T
	srv        *roomtest.Server
	dir        string
	log        strings.Builder // of alice's
	alice, bob *parley.Room
	hers, his  <-chan parley.Event
	devices    []parley.LocalTrack // alice's
	data       *parley.LocalDataTrack
	seen       *parley.RemoteVideoTrack // by bob
}

// tracks are what devices would give.
func (p *party) tracks() []parley.LocalTrack {
	video, err := parley.NewLocalVideoTrack(synth.Video(), &parley.TrackOptions{Name: "camera"})
	require.NoError(p, err)
	audio, err := parley.NewLocalAudioTrack(synth.Tone(), &parley.TrackOptions{Name: "microphone"})
	require.NoError(p, err)
	p.Cleanup(video.Stop)
	p.Cleanup(audio.Stop)
	return []parley.LocalTrack{video, audio}
}

func (p *party) join(who string, opts parley.ConnectOptions) *parley.Room {
	opts.Name = partyRoom
	opts.Transport, opts.ConfigureWebRTC = p.srv.Transport(who), p.srv.WebRTC(who)
	room, err := parley.Connect(p.srv.Token(who, partyRoom), &opts)
	require.NoError(p, err)
	p.Cleanup(func() { require.NoError(p, room.Disconnect()) })
	return room
}

// aliceJoins is step 4.
func (p *party) aliceJoins() {
	p.devices = p.tracks()
	p.alice = p.join("alice", parley.ConnectOptions{
		Tracks: p.devices, Logger: slog.New(slog.NewTextHandler(&p.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	require.Equal(p, partyRoom, p.alice.Name())
	require.Regexp(p, regexp.MustCompile(`^RM[0-9a-f]{32}$`), p.alice.SID())
	p.hers = p.alice.Events()
}

// bobJoins is step 5.
func (p *party) bobJoins() {
	var err error
	p.data, err = parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: "chat"})
	require.NoError(p, err)
	p.bob = p.join("bob", parley.ConnectOptions{Tracks: append(p.tracks(), p.data)})
	p.his = p.bob.Events()
	joined := roomtest.Next[parley.ParticipantConnected](p, p.hers).Participant
	require.Equal(p, "bob", joined.Identity())
	require.Regexp(p, regexp.MustCompile(`^PA[0-9a-f]{32}$`), joined.SID())
	require.Same(p, joined, p.alice.Participant("bob"))
	isAlice := func(r *parley.RemoteParticipant) bool { return r.Identity() == "alice" }
	first := (<-p.his).(parley.ParticipantConnected)
	require.True(p, isAlice(first.Participant), "the stream begins with who is there")
	roomtest.Expect(p, p.his,
		roomtest.Is(func(e parley.TrackPublished) bool { return isAlice(e.Participant) }),
		roomtest.Is(func(e parley.TrackSubscribed) bool { return isAlice(e.Participant) }),
	)
}

// bothRecord is step 6.
func (p *party) bothRecord() (files []string) {
	for who, room := range map[string]*parley.Room{"alice": p.alice, "bob": p.bob} {
		rec, err := record.New(p.dir, who, nil)
		require.NoError(p, err)
		sinks := map[parley.Kind]*record.Track{}
		sinks[parley.KindVideo], err = rec.AddTrack(media.VP8, "camera")
		require.NoError(p, err)
		sinks[parley.KindAudio], err = rec.AddTrack(media.Opus, "microphone")
		require.NoError(p, err)
		var detach []func()
		for len(detach) < 2 {
			switch track := roomtest.Next[parley.TrackStarted](p, room.TrackStarted()).Track.(type) {
			case *parley.RemoteVideoTrack:
				require.NoError(p, track.Attach(sinks[parley.KindVideo]))
				detach = append(detach, func() { track.DetachAll() })
				if who == "bob" {
					p.seen = track
				}
			case *parley.RemoteAudioTrack:
				require.NoError(p, track.Attach(sinks[parley.KindAudio]))
				detach = append(detach, func() { track.DetachAll() })
			}
		}
		size := roomtest.Next[parley.TrackDimensionsChanged](p, room.TrackDimensionsChanged())
		require.Equal(p, []int{320, 240}, []int{size.Width, size.Height})
		time.Sleep(5 * time.Second)
		for _, d := range detach {
			d()
		}
		require.NoError(p, rec.Close())
		files = append(files, filepath.Join(p.dir, rec.File()))
	}
	return files
}

// aliceHidesHerself is step 7.
func (p *party) aliceHidesHerself() {
	camera := p.devices[0].(*parley.LocalVideoTrack)
	events, asked := p.seen.Events(), time.Now()
	camera.Disable()
	roomtest.Next[parley.TrackDisabled](p, events)
	require.Less(p, time.Since(asked), time.Second)
	time.Sleep(time.Second)
	packets := p.seen.Stats().Packets
	time.Sleep(3 * time.Second)
	require.Equal(p, packets, p.seen.Stats().Packets, "nothing is sent")
	camera.Enable()
	roomtest.Next[parley.TrackEnabled](p, events)
	for s, err := range p.seen.Samples(p.Context()) {
		require.NoError(p, err)
		require.True(p, s.Keyframe, "it goes on with a key frame")
		break
	}
}

// bobWrites is step 8.
func (p *party) bobWrites() {
	require.NoError(p, p.data.SendText(p.Context(), "hello"))
	require.NoError(p, p.data.Send(p.Context(), []byte{0, 1, 2}))
	for _, want := range []parley.Message{{Data: []byte("hello"), Text: true}, {Data: []byte{0, 1, 2}}} {
		got := <-p.alice.Messages()
		require.Equal(p, want, got.Message)
		require.Equal(p, "chat", got.Track.Name())
		require.Same(p, p.alice.Participant("bob"), got.Participant)
	}
}

// bobClosesTheLid is step 10.
func (p *party) bobClosesTheLid() {
	bob, ended := p.alice.Participant("bob"), p.bob.TrackUnsubscribed()
	p.srv.Cut("bob")
	begun := time.Now()
	lost := roomtest.Next[parley.Reconnecting](p, p.his)
	var why *parley.Error
	require.ErrorAs(p, lost.Err, &why)
	require.Contains(p, []int{53001, 53405}, int(why.Code))
	away := roomtest.Next[parley.ParticipantReconnecting](p, p.hers)
	require.Same(p, bob, away.Participant)
	time.Sleep(time.Until(begun.Add(10 * time.Second)))
	p.srv.Restore("bob")
	roomtest.Next[parley.Reconnected](p, p.his)
	back := roomtest.Next[parley.ParticipantReconnected](p, p.hers)
	require.Same(p, bob, back.Participant)
	ctx, cancel := context.WithTimeout(p.Context(), 5*time.Second)
	defer cancel()
	for _, err := range p.seen.Samples(ctx) {
		require.NoError(p, err, "the picture is back")
		break
	}
	select {
	case e := <-ended:
		require.Fail(p, "a track was unsubscribed", "%v", e)
	default:
	}
}

// anotherAliceComes is step 9.
func (p *party) anotherAliceComes() {
	p.join("alice", parley.ConnectOptions{})
	end := roomtest.Next[parley.Disconnected](p, p.hers)
	require.Equal(p, parley.ReasonDuplicate, end.Reason)
	require.ErrorIs(p, p.alice.Err(), parley.ErrDuplicateIdentity)
	var why *parley.Error
	require.ErrorAs(p, p.alice.Err(), &why)
	require.Equal(p, 53205, int(why.Code))
	for _, d := range p.devices {
		select {
		case <-d.Done():
			require.Fail(p, "a device was closed")
		default:
		}
		d.Stop()
		<-d.Done()
	}
	require.NotEmpty(p, p.log.String(), "the log has told of it")
}

// bobLeaves is step 11. The room that he looks at has the other alice in it.
func (p *party) bobLeaves() {
	video, err := parley.NewLocalVideoTrack(synth.Video(), &parley.TrackOptions{Name: "other"})
	require.NoError(p, err)
	defer video.Stop()
	p.join("carol", parley.ConnectOptions{Tracks: []parley.LocalTrack{video}})
	roomtest.Expect(p, p.his, roomtest.Is(func(e parley.TrackSubscribed) bool { return e.Participant.Identity() == "carol" }))
	require.NoError(p, p.bob.Disconnect())
	rest := roomtest.Rest(p, p.his)
	require.IsType(p, parley.Disconnected{}, rest[len(rest)-1], "the last event")
	unsubscribed := 0
	for _, e := range rest[:len(rest)-1] {
		if e, ok := e.(parley.TrackUnsubscribed); ok && e.Participant.Identity() == "carol" {
			unsubscribed++
		}
	}
	require.Equal(p, 1, unsubscribed)
	require.NoError(p, p.bob.Err())
	require.NotNil(p, p.bob.Participant("carol"), "they are still listed")
	require.Len(p, p.bob.Participants(), 2)
}
