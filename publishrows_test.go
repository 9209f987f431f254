package parley_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

// written returns a video track without a source.
func written(t *testing.T, name string) *parley.LocalVideoTrack {
	t.Helper()
	track, err := parley.NewLocalVideoTrack(nil, &parley.TrackOptions{Name: name, Codec: media.VP8})
	require.NoError(t, err)
	t.Cleanup(track.Stop)
	return track
}

// TestRefusalsAreReturnedAndTold proves TC-11 and TC-13: who publishes learns it
// from the call and from the event, others not at all.
func TestRefusalsAreReturnedAndTold(t *testing.T) {
	inLab(t, 11, func(l *lab) {
		_, err := l.srv.OpenRoom(sfu.RoomOptions{Name: "lab", AudioOnly: true})
		require.NoError(l.t, err)
		alice, bob := l.join("alice"), l.join("bob")
		refused := func(track parley.LocalTrack, want error) {
			l.t.Helper()
			mark := alice.log.mark()
			_, err := alice.room.LocalParticipant().PublishTrack(l.t.Context(), track, nil)
			require.ErrorIs(l.t, err, want)
			e, _ := await[parley.LocalTrackPublicationFailed](alice, mark)
			require.ErrorIs(l.t, e.Err, want)
			require.Equal(l.t, track, e.Track)
		}
		refused(written(l.t, "picture"), parley.ErrTrackKindNotSupported)
		refused(dataTrack(l.t, strings.Repeat("n", 129)), parley.ErrTrackNameTooLong)
		_, err = alice.room.LocalParticipant().PublishTrack(l.t.Context(), dataTrack(l.t, strings.Repeat("n", 128)), nil)
		require.NoError(l.t, err)
		refused(dataTrack(l.t, strings.Repeat("n", 128)), parley.ErrTrackNameDuplicated)
		for i := range 15 {
			_, err = alice.room.LocalParticipant().PublishTrack(l.t.Context(), dataTrack(l.t, fmt.Sprint(i)), nil)
			require.NoError(l.t, err)
		}
		refused(dataTrack(l.t, "seventeenth"), parley.ErrTooManyTracks)
		time.Sleep(time.Second)
		require.Len(l.t, alice.room.LocalParticipant().Tracks(), 16)
		require.Len(l.t, bob.room.Participants()[0].Tracks(), 16)
		for _, line := range bob.log.since(0) {
			require.NotContains(l.t, line, "seventeenth")
		}
	})
}

// TestUnpublishWhilePending proves TC-12: who waits is told, and the track can
// be published again.
func TestUnpublishWhilePending(t *testing.T) {
	inLab(t, 12, func(l *lab) {
		alice, bob := l.join("alice"), l.join("bob")
		track, me := picture(l.t), alice.room.LocalParticipant()
		for range 5 {
			done := make(chan error, 1)
			go func() {
				_, err := me.PublishTrack(l.t.Context(), track, nil)
				done <- err
			}()
			time.Sleep(oneWay / 2)
			require.Len(l.t, me.Tracks(), 0)
			require.NoError(l.t, me.UnpublishTrack(l.t.Context(), track))
			require.ErrorIs(l.t, <-done, parley.ErrUnpublished)
			require.NoError(l.t, me.UnpublishTrack(l.t.Context(), track), "once more is no error")
		}
		require.False(l.t, track.IsStopped())
		pub, err := me.PublishTrack(l.t.Context(), track, nil)
		require.NoError(l.t, err)
		again, err := me.AddTrack(l.t.Context(), track)
		require.NoError(l.t, err)
		require.Same(l.t, pub, again)
		bob.watch("alice", "picture").after(l.t, time.Now())

		// A call that is given up withdraws the track.
		other := written(l.t, "other")
		ctx, cancel := context.WithTimeout(l.t.Context(), oneWay/2)
		defer cancel()
		_, err = me.PublishTrack(ctx, other, nil)
		require.ErrorIs(l.t, err, context.DeadlineExceeded)
		time.Sleep(time.Second)
		require.Len(l.t, me.Tracks(), 1)
		require.Len(l.t, bob.room.Participants()[0].Tracks(), 1)
	})
}

// TestStartedMeansDecodable proves TC-16 and TC-17.
func TestStartedMeansDecodable(t *testing.T) {
	inLab(t, 16, func(l *lab) {
		track := written(l.t, "v")
		alice, bob := l.join("alice", track), l.join("bob")
		sub, _ := await[parley.TrackSubscribed](bob, 0)
		video := sub.Track.(*parley.RemoteVideoTrack)
		time.Sleep(2 * time.Second)
		require.False(l.t, video.IsStarted(), "nothing was sent")
		at := time.Duration(0)
		send := func(s media.Sample) {
			s.Timestamp, at = at, at+40*time.Millisecond
			require.NoError(l.t, track.WriteSample(s))
			time.Sleep(40 * time.Millisecond)
		}
		for range 20 { // nothing that a publication begins with
			send(media.Sample{Data: []byte{0x11, 0, 0, 1, 2, 3}})
		}
		require.False(l.t, video.IsStarted())
		width, height := video.Dimensions()
		require.Zero(l.t, width+height)
		mark := bob.log.mark()
		send(keyFrame(0, 320, 180))
		await[parley.TrackStarted](bob, mark)
		e, _ := await[parley.TrackDimensionsChanged](bob, mark)
		require.Equal(l.t, []int{320, 180}, []int{e.Width, e.Height})
		_ = alice
	})
}

// TestLayersTellTheirSize proves TC-17 for a change of layers.
func TestLayersTellTheirSize(t *testing.T) {
	inLab(t, 17, func(l *lab) {
		track, _ := threeLayers(l.t)
		l.join("alice", track)
		bob := l.joinWith("bob", profiled(parley.BandwidthProfile{}))
		sub, _ := await[parley.TrackSubscribed](bob, 0)
		video := sub.Track.(*parley.RemoteVideoTrack)
		for _, width := range []int{1280, 320, 640} {
			mark := bob.log.mark()
			require.NoError(l.t, video.SetContentPreferences(width, width*9/16))
			e, _ := await(bob, mark, func(e parley.TrackDimensionsChanged) bool { return e.Width == width })
			require.Equal(l.t, width*9/16, e.Height)
			w, h := video.Dimensions()
			require.Equal(l.t, []int{width, width * 9 / 16}, []int{w, h})
		}
	})
}

// TestNarrowLinkFollowsPriorities proves TC-26: of three videos of 400 kbit/s a
// link of 600 kbit/s takes one.
func TestNarrowLinkFollowsPriorities(t *testing.T) {
	inLab(t, 26, func(l *lab) {
		alice := l.join("alice")
		order := []parley.Priority{parley.PriorityLow, parley.PriorityHigh, parley.PriorityStandard}
		for _, p := range order {
			_, err := alice.room.LocalParticipant().PublishTrack(l.t.Context(), sending(l.t, string(p), fixed{newEncoder(400_000)}),
				&parley.PublishOptions{Priority: p})
			require.NoError(l.t, err)
		}
		bob := l.joinWith("bob", profiled(parley.BandwidthProfile{}))
		screens := map[parley.Priority]*screen{}
		for _, p := range order {
			screens[p] = bob.screen(string(p))
		}
		time.Sleep(3 * time.Second)
		for _, s := range screens {
			require.False(l.t, s.IsSwitchedOff())
		}
		bob.host.Impair(func(_, receive *faultnet.Faults) { narrow(600_000)(receive) })
		only := func(want parley.Priority) {
			l.t.Helper()
			time.Sleep(30 * time.Second)
			for p, s := range screens {
				require.Equal(l.t, p != want, s.IsSwitchedOff(), "%s, while %s is wanted", p, want)
			}
		}
		only(parley.PriorityHigh)
		require.NoError(l.t, screens[parley.PriorityHigh].SetPriority(parley.PriorityLow))
		require.NoError(l.t, screens[parley.PriorityLow].SetPriority(parley.PriorityHigh))
		only(parley.PriorityLow)
	})
}

// TestBitrateBoundIsMet proves TC-33: what arrives is what was allowed.
func TestBitrateBoundIsMet(t *testing.T) {
	inLab(t, 33, func(l *lab) {
		alice := l.join("alice", sending(l.t, "v", newEncoder(1_000_000)))
		arriving := l.join("bob").hears("v")
		time.Sleep(time.Second)
		require.InEpsilon(l.t, 1_000_000, arriving.rate(4*time.Second), .05)
		for _, bound := range []int{300_000, 100_000, 600_000} {
			require.NoError(l.t, alice.room.LocalParticipant().SetParameters(parley.EncodingParameters{MaxVideoBitrate: bound}))
			time.Sleep(time.Second)
			require.InEpsilon(l.t, bound, arriving.rate(4*time.Second), .05)
		}
		require.NoError(l.t, alice.room.LocalParticipant().SetParameters(parley.EncodingParameters{}))
		time.Sleep(time.Second)
		require.InEpsilon(l.t, 1_000_000, arriving.rate(4*time.Second), .05)
	})
}
