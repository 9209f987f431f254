//go:build e2e

package e2e_test

import (
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/record"
	"github.com/parley-rtc/parley/roomtest"
)

// TestWhatArrivesDecodesWithoutErrors sends all clips at once through the
// server and decodes what the subscriber records: every frame of every codec.
func TestWhatArrivesDecodesWithoutErrors(t *testing.T) {
	for what, permille := range map[string]int{"clean": 0, "2 % loss both ways": 20} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			var path string
			synctest.Test(t, func(t *testing.T) { path = throughTheServer(t, dir, permille) })
			p := probe(t, path)
			require.Len(t, p.Streams, len(testclips.Codecs()))
			for _, codec := range testclips.Codecs() {
				i := 0 // they stand in the order of their first samples
				for i < len(p.Streams)-1 && p.Streams[i].Codec != ffprobeNames[codec] {
					i++
				}
				requireStream(t, p, i, codec)
			}
		})
	}
}

// throughTheServer records what arrives of all clips.
func throughTheServer(t *testing.T, dir string, permille int) (path string) {
	srv := roomtest.NewVirtual(t, func(o *roomtest.Options) { o.Latency, o.Seed = 10*time.Millisecond, 1 })
	join := func(who string, tracks ...parley.LocalTrack) *parley.Room {
		room, err := parley.Connect(srv.Token(who, "lab"), &parley.ConnectOptions{
			Transport: srv.Transport(who), ConfigureWebRTC: srv.WebRTC(who), Tracks: tracks,
		})
		require.NoError(t, err)
		t.Cleanup(func() {
			require.NoError(t, room.Disconnect())
			roomtest.Rest(t, room.Events())
		})
		return room
	}
	var tracks []parley.LocalTrack
	write := map[media.Codec]func(media.Sample) error{}
	for _, codec := range testclips.Codecs() {
		opts := &parley.TrackOptions{Codec: codec, Name: string(codec)}
		if codec.Kind() == media.Audio {
			track, err := parley.NewLocalAudioTrack(nil, opts)
			require.NoError(t, err)
			tracks, write[codec] = append(tracks, track), track.WriteSample
		} else {
			track, err := parley.NewLocalVideoTrack(nil, opts)
			require.NoError(t, err)
			tracks, write[codec] = append(tracks, track), track.WriteSample
		}
	}
	bob := join("bob")
	join("alice", tracks...)

	rec, err := record.New(dir, "PA0", nil)
	require.NoError(t, err)
	sinks := map[string]*record.Track{}
	for _, codec := range testclips.Codecs() {
		sinks[string(codec)], err = rec.AddTrack(codec, string(codec))
		require.NoError(t, err)
	}
	var remotes []interface {
		Detach(media.Sink) error
		Name() string
	}
	for range testclips.Codecs() {
		switch track := roomtest.Next[parley.TrackSubscribed](t, bob.TrackSubscribed()).Track.(type) {
		case *parley.RemoteAudioTrack:
			require.NoError(t, track.Attach(sinks[track.Name()]))
			remotes = append(remotes, track)
		case *parley.RemoteVideoTrack:
			require.NoError(t, track.Attach(sinks[track.Name()]))
			remotes = append(remotes, track)
		}
	}
	time.Sleep(3 * time.Second) // until all of it is connected
	var players sync.WaitGroup
	for codec, write := range write {
		players.Go(func() {
			began := time.Now()
			for _, s := range testclips.Samples(codec) {
				time.Sleep(time.Until(began.Add(s.Timestamp)))
				if err := write(s); err != nil {
					t.Error(err)
				}
			}
		})
	}
	// Before the first packets and behind the last ones there is nothing that
	// tells of them.
	time.Sleep(100 * time.Millisecond)
	srv.Loss("alice", permille)
	srv.Loss("bob", permille)
	time.Sleep(1400 * time.Millisecond)
	srv.Loss("alice", 0)
	srv.Loss("bob", 0)
	players.Wait()
	time.Sleep(3 * time.Second)
	for _, track := range remotes {
		require.NoError(t, track.Detach(sinks[track.Name()]))
	}
	require.NoError(t, rec.Close())
	return filepath.Join(dir, rec.File())
}
