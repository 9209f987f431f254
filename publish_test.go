package parley_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// marked is a track of any kind whose media carries its own name.
func marked(t *testing.T, i int) (parley.LocalTrack, func()) {
	t.Helper()
	name := fmt.Sprintf("track%d", i)
	switch i % 3 {
	case 0:
		track, err := parley.NewLocalVideoTrack(nil, &parley.TrackOptions{Name: name, Codec: media.VP8})
		require.NoError(t, err)
		n := 0
		return track, func() {
			s := keyFrame(time.Duration(n)*framePace, 16*(i+1), 16*(i+2))
			n++
			assert.NoError(t, track.WriteSample(s))
		}
	case 1:
		track, err := parley.NewLocalAudioTrack(nil, &parley.TrackOptions{Name: name, Codec: media.Opus})
		require.NoError(t, err)
		n := uint32(0)
		return track, func() {
			n += 960
			assert.NoError(t, track.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, Timestamp: n, Marker: true}, Payload: []byte(name)}))
		}
	}
	track := dataTrack(t, name)
	return track, func() { assert.NoError(t, track.SendText(context.Background(), name)) }
}

// requireMarked checks that what arrives on the track is its own.
func requireMarked(t *testing.T, i int, track parley.RemoteTrack) {
	t.Helper()
	switch track := track.(type) {
	case *parley.RemoteVideoTrack:
		for s, err := range track.Samples(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, []int{16 * (i + 1), 16 * (i + 2)}, []int{s.Width, s.Height}, track.Name())
			return
		}
	case *parley.RemoteAudioTrack:
		pkt, err := track.ReadRTP()
		require.NoError(t, err)
		require.Equal(t, track.Name(), string(pkt.Payload))
	case *parley.RemoteDataTrack:
		m, err := track.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, track.Name(), string(m.Data))
	}
}

func TestSixteenTracksAtOnceArriveUnderTheirNames(t *testing.T) {
	publish := map[string]func(t *testing.T, p *parley.LocalParticipant, tracks []parley.LocalTrack){
		"one call": func(t *testing.T, p *parley.LocalParticipant, tracks []parley.LocalTrack) {
			pubs, err := p.PublishTracks(t.Context(), tracks)
			require.NoError(t, err)
			require.Len(t, pubs, len(tracks))
			for i, pub := range pubs {
				require.Same(t, tracks[i], pub.Track())
			}
		},
		"sixteen calls": func(t *testing.T, p *parley.LocalParticipant, tracks []parley.LocalTrack) {
			var all sync.WaitGroup
			for _, track := range tracks {
				all.Go(func() {
					pub, err := p.PublishTrack(t.Context(), track, nil)
					if assert.NoError(t, err) {
						assert.Same(t, track, pub.Track())
						assert.Equal(t, track.Name(), pub.TrackName())
					}
				})
			}
			all.Wait()
		},
	}
	for how, publish := range publish {
		t.Run(how, func(t *testing.T) {
			inLab(t, 1, func(l *lab) {
				alice, bob := l.join("alice"), l.join("bob")
				time.Sleep(time.Second)
				var tracks []parley.LocalTrack
				var writes []func()
				for i := range 16 {
					track, write := marked(l.t, i)
					tracks, writes = append(tracks, track), append(writes, write)
				}
				start := time.Now()
				publish(l.t, alice.room.LocalParticipant(), tracks)
				l.t.Logf("16 tracks published in %v", time.Since(start))
				require.Less(l.t, time.Since(start), time.Second)
				sids := map[string]string{}
				for _, pub := range alice.room.LocalParticipant().Tracks() {
					sids[pub.TrackName()] = pub.TrackSID()
				}
				require.Len(l.t, sids, 16)
				stop := make(chan struct{})
				var writing sync.WaitGroup
				writing.Go(func() {
					for {
						for _, write := range writes {
							write()
						}
						select {
						case <-time.After(framePace):
						case <-stop:
							return
						}
					}
				})
				for i, track := range tracks {
					e, _ := await(bob, 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == track.Name() })
					require.Equal(l.t, sids[track.Name()], e.Track.SID())
					require.Equal(l.t, track.Kind(), e.Track.Kind())
					requireMarked(l.t, i, e.Track)
				}
				close(stop)
				writing.Wait()
			})
		})
	}
}

func TestPublishWhileReconnecting(t *testing.T) {
	for _, what := range []string{"signaling cut", "link down", "server restarted"} {
		t.Run(what, func(t *testing.T) {
			inCall(t, 1, func(c *call) {
				mark := c.alice.log.mark()
				switch what {
				case "signaling cut":
					c.alice.lines.reset()
				case "link down":
					c.alice.host.SetBlackhole(true)
				case "server restarted":
					c.kill()
				}
				await[parley.Reconnecting](c.alice, mark)
				// Complaint 6: a track without media yet is visible too.
				published := make(chan error, 2)
				for _, track := range []parley.LocalTrack{muteTrack(c.t, "silent"), dataTrack(c.t, "more")} {
					go func() {
						_, err := c.alice.room.LocalParticipant().PublishTrack(c.t.Context(), track, nil)
						published <- err
					}()
				}
				time.Sleep(2 * time.Second)
				switch what {
				case "link down":
					c.alice.host.SetBlackhole(false)
				case "server restarted":
					c.start()
				}
				require.NoError(c.t, <-published)
				require.NoError(c.t, <-published)
				for _, name := range []string{"silent", "more"} {
					await(c.bob, 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == name })
				}
				require.Len(c.t, c.alice.room.LocalParticipant().Tracks(), 4)
			})
		})
	}
}

func TestUnpublishWhilePublishing(t *testing.T) {
	inCall(t, 1, func(c *call) {
		mark := c.bob.log.mark()
		track := muteTrack(c.t, "brief")
		failed := make(chan error, 1)
		go func() {
			_, err := c.alice.room.LocalParticipant().PublishTrack(c.t.Context(), track, nil)
			failed <- err
		}()
		time.Sleep(10 * time.Millisecond) // the server has not heard of it
		require.NoError(c.t, c.alice.room.LocalParticipant().UnpublishTrack(c.t.Context(), track))
		require.ErrorIs(c.t, <-failed, parley.ErrUnpublished)
		time.Sleep(2 * time.Second)
		require.Len(c.t, c.alice.room.LocalParticipant().Tracks(), 2)
		require.Len(c.t, c.bob.room.Participant("alice").Tracks(), 2)
		// It can be published again, and is another publication.
		_, err := c.alice.room.LocalParticipant().PublishTrack(c.t.Context(), track, nil)
		require.NoError(c.t, err)
		await(c.bob, mark, func(e parley.TrackSubscribed) bool { return e.Track.Name() == "brief" })
	})
}

func TestEnablingNegotiatesNothing(t *testing.T) {
	inCall(t, 1, func(c *call) {
		track := c.alice.room.LocalParticipant().VideoTracks()[0].Track().(*parley.LocalVideoTrack)
		for range 3 {
			mark := c.bob.log.mark()
			track.Disable()
			await[parley.TrackDisabled](c.bob, mark)
			time.Sleep(time.Second)
			quiet := c.view.count()
			time.Sleep(time.Second)
			require.Equal(c.t, quiet, c.view.count(), "a disabled track sends nothing")
			start := time.Now()
			track.Enable()
			_, told := await[parley.TrackEnabled](c.bob, mark)
			at := c.view.after(c.t, start)
			c.t.Logf("enabled: told after %v, picture after %v", told.Sub(start), at.Sub(start))
			require.LessOrEqual(c.t, at.Sub(start), 200*time.Millisecond, "no round trip is needed")
			require.Equal(c.t, []string{"TrackDisabled", "TrackEnabled"}, c.bob.log.since(mark))
			time.Sleep(time.Second)
		}
		require.Zero(c.t, c.view.packetsLost())
	})
}
