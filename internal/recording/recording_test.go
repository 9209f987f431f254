package recording_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/front"
	"github.com/parley-rtc/parley/internal/recording"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// studio is a server and what was recorded by somebody in its room.
type studio struct {
	t    *testing.T
	srv  *front.Server
	key  accesstoken.Key
	room *parley.Room
	rec  *recording.Room

	events chan parley.Event // those that rec has handled

	mu      sync.Mutex
	changed *sync.Cond
	frames  map[string]int // by identity and kind
	failed  []error
}

func newStudio(t *testing.T, dir string) *studio {
	t.Helper()
	s := &studio{t: t, key: accesstoken.NewKey(), frames: map[string]int{}, events: make(chan parley.Event, 1000)}
	s.changed = sync.NewCond(&s.mu)
	var err error
	s.srv, err = front.Start(front.Config{Listen: "127.0.0.1:0", SFU: sfu.Config{
		AccountSID: s.key.AccountSID, Keys: map[string]accesstoken.Secret{s.key.SID: s.key.Secret},
		Media:  sfu.Media{Loopback: true},
		Limits: sfu.Limits{HelloTimeout: 20 * time.Second, WriteTimeout: 20 * time.Second}, // machines may be slow
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.srv.Shutdown(context.Background(), 0)) })
	s.room = s.join("recorder")
	s.rec = recording.New(dir, recording.Options{
		Failed: func(err error) { s.failed = append(s.failed, err) }, // one at a time
		Sample: func(track parley.RemoteTrack, _ media.Sample) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.frames[track.Publication().Participant().Identity()+" "+string(track.Kind())]++
			s.changed.Broadcast()
		},
	})
	events := s.room.Events()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ev := range events {
			s.rec.Handle(ev)
			s.events <- ev
		}
		close(s.events)
	}()
	t.Cleanup(func() {
		require.NoError(t, s.room.Disconnect())
		<-done
	})
	return s
}

// join is somebody who publishes clips of the codecs.
func (s *studio) join(identity string, codecs ...media.Codec) *parley.Room {
	s.t.Helper()
	token, err := accesstoken.Token{Identity: identity, Room: "studio"}.Sign(s.key)
	require.NoError(s.t, err)
	var tracks []parley.LocalTrack
	for _, c := range codecs {
		tracks = append(tracks, s.clip(c))
	}
	room, err := parley.Connect(token, &parley.ConnectOptions{URL: s.srv.SignalingURL(), Tracks: tracks})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, room.Disconnect()) })
	return room
}

func (s *studio) clip(c media.Codec) parley.LocalTrack {
	s.t.Helper()
	src := testclips.Open(c)
	if c.Kind() == media.Audio {
		t, err := parley.NewLocalAudioTrack(src, nil)
		require.NoError(s.t, err)
		s.t.Cleanup(t.Stop)
		return t
	}
	t, err := parley.NewLocalVideoTrack(src, nil)
	require.NoError(s.t, err)
	s.t.Cleanup(t.Stop)
	return t
}

// until waits for frames of a participant's track.
func (s *studio) until(track string, frames int) {
	s.t.Helper()
	stop := context.AfterFunc(s.t.Context(), s.changed.Broadcast)
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.frames[track] < frames {
		s.changed.Wait()
	}
}

func await[T parley.Event](s *studio) T {
	s.t.Helper()
	for ev := range s.events {
		if v, ok := ev.(T); ok {
			return v
		}
	}
	require.Fail(s.t, "the room has ended")
	panic("not reached")
}

func TestEachParticipantHasAFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	s := newStudio(t, dir)
	alice := s.join("alice", media.VP8, media.Opus)
	s.join("bob", media.H264, media.PCMU)
	s.until("alice video", 10)
	s.until("alice audio", 10)
	s.until("bob video", 10)
	s.until("bob audio", 10)

	sid := alice.LocalParticipant().SID()
	require.NoError(t, alice.Disconnect())
	await[parley.ParticipantDisconnected](s)
	whole, err := os.ReadFile(filepath.Join(dir, sid+".webm"))
	require.NoError(t, err)

	s.until("bob video", 30)
	require.NoError(t, s.room.Disconnect())
	require.NoError(t, s.rec.Close())
	require.NoError(t, s.rec.Close(), "again")
	require.Len(t, s.rec.Files(), 2)
	same, err := os.ReadFile(filepath.Join(dir, sid+".webm"))
	require.NoError(t, err)
	require.Equal(t, whole, same, "it was complete when she had left")
	for _, path := range s.rec.Files() {
		require.FileExists(t, path)
		require.Contains(t, []string{sid + ".webm", s.room.Participant("bob").SID() + ".mkv"}, filepath.Base(path))
	}
}

// A track whose codec the file cannot hold gets one more.
func TestLateTrackThatDoesNotFit(t *testing.T) {
	dir := t.TempDir()
	s := newStudio(t, dir)
	alice := s.join("alice", media.VP8)
	s.until("alice video", 5)
	_, err := alice.LocalParticipant().PublishTrack(t.Context(), s.clip(media.PCMU), nil)
	require.NoError(t, err)
	s.until("alice audio", 10)
	require.NoError(t, s.room.Disconnect())
	require.NoError(t, s.rec.Close())
	sid := alice.LocalParticipant().SID()
	require.Equal(t, []string{filepath.Join(dir, sid+".webm"), filepath.Join(dir, sid+"-2.mkv")}, s.rec.Files())
}

func TestUnusableDirectoryIsReportedOnceAndTheCallGoesOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	s := newStudio(t, filepath.Join(file, "below"))
	s.join("alice", media.VP8, media.Opus)
	s.until("alice video", 20)
	s.until("alice audio", 20)
	require.NoError(t, s.room.Disconnect())
	require.ErrorContains(t, s.rec.Close(), file)
	require.Empty(t, s.rec.Files())
	require.Len(t, s.failed, 1)
	require.ErrorIs(t, s.failed[0], s.rec.Err())
}

// The directory goes away while the call is on: files that are open stay, new
// ones cannot be made.
func TestDirectoryThatVanishes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	s := newStudio(t, dir)
	require.NoError(t, os.RemoveAll(dir))
	s.join("alice", media.VP8)
	s.until("alice video", 20)
	require.NoError(t, s.room.Disconnect())
	require.ErrorIs(t, s.rec.Close(), os.ErrNotExist)
}
