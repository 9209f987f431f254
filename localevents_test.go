package parley_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

func pushed(t *testing.T, opts *parley.TrackOptions) (*parley.LocalVideoTrack, *media.PushSource) {
	t.Helper()
	src := media.NewPushSource(media.VP8, nil)
	track, err := parley.NewLocalVideoTrack(src, opts)
	require.NoError(t, err)
	t.Cleanup(track.Stop)
	return track, src
}

// nothing asserts that no event waits.
func nothing(t *testing.T, events <-chan parley.Event) {
	t.Helper()
	synctest.Wait()
	select {
	case e, ok := <-events:
		require.Fail(t, "an event", "%T %v", e, ok)
	default:
	}
}

func TestSourceThatGivesNothingMutesItsTrack(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		track, src := pushed(t, &parley.TrackOptions{Name: "camera", MutedAfter: time.Second})
		d := &drawing{label: "p", width: 64, height: 64}
		write := func() { require.NoError(t, src.Write(t.Context(), d.next(true))) }
		require.False(t, track.IsMuted(), "it is published nowhere")
		room := st.join("alice", track)
		events := track.Events()
		roomtest.Next[parley.LocalTrackPublished](t, events)
		begun := time.Now()
		muted := roomtest.Next[parley.LocalTrackMuted](t, events)
		require.Equal(t, track, muted.Publication.Track())
		require.InDelta(t, time.Second, time.Since(begun), float64(100*time.Millisecond), "it never gave anything")
		require.True(t, track.IsMuted())
		write()
		roomtest.Next[parley.LocalTrackUnmuted](t, events)
		roomtest.Next[parley.LocalTrackStarted](t, events)
		require.False(t, track.IsMuted())
		for range 50 {
			time.Sleep(999 * time.Millisecond)
			write()
		}
		roomtest.Next[parley.LocalTrackDimensionsChanged](t, events)
		nothing(t, events)
		time.Sleep(10 * time.Second)
		roomtest.Next[parley.LocalTrackMuted](t, events)
		nothing(t, events)

		// Who looks later, and other rooms, are told as well.
		late := muted.Publication.Events()
		roomtest.Next[parley.LocalTrackPublished](t, late)
		roomtest.Next[parley.LocalTrackStarted](t, late)
		roomtest.Next[parley.LocalTrackMuted](t, late)
		require.NoError(t, room.LocalParticipant().UnpublishTrack(t.Context(), track))
		roomtest.Next[parley.LocalTrackUnpublished](t, events)
		synctest.Wait()
		require.False(t, track.IsMuted(), "nobody waits for its source")
		time.Sleep(time.Minute)
		nothing(t, events)
		track.Stop()
		require.Equal(t, parley.LocalTrackStopped{}, <-events)
		_, open := <-events
		require.False(t, open)
	})
}

func TestEventsOfALocalTrack(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		video, err := parley.NewLocalVideoTrack(synth.Video(), &parley.TrackOptions{Name: "v"})
		require.NoError(t, err)
		t.Cleanup(video.Stop)
		data, err := parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: "d"})
		require.NoError(t, err)
		t.Cleanup(data.Stop)
		early := data.Events()
		nothing(t, early)
		first := st.join("alice", video, data)
		second := st.join("bob", video)
		synctest.Wait()
		settle()

		// It begins with the present, of both rooms.
		events := video.Events()
		require.Equal(t, events, video.Events())
		rooms := map[*parley.LocalTrackPublication]int{}
		for range 2 {
			rooms[roomtest.Next[parley.LocalTrackPublished](t, events).Publication]++
			rooms[roomtest.Next[parley.LocalTrackStarted](t, events).Publication]++
		}
		require.Equal(t, map[*parley.LocalTrackPublication]int{
			first.LocalParticipant().VideoTracks()[0]: 2, second.LocalParticipant().VideoTracks()[0]: 2,
		}, rooms)
		nothing(t, events)

		video.Disable()
		video.Enable()
		told := map[string]int{}
		for range 4 {
			told[name(<-events)]++ // those of two rooms, in no order between them
		}
		require.Equal(t, map[string]int{"LocalTrackDisabled": 2, "LocalTrackEnabled": 2}, told)
		// The end of a room is no end for the track.
		require.NoError(t, second.Disconnect())
		nothing(t, events)
		require.NoError(t, first.LocalParticipant().UnpublishTrack(t.Context(), video))
		roomtest.Next[parley.LocalTrackUnpublished](t, events)
		again, err := first.LocalParticipant().PublishTrack(t.Context(), video, nil)
		require.NoError(t, err)
		require.Equal(t, again, roomtest.Next[parley.LocalTrackPublished](t, events).Publication)
		roomtest.Next[parley.LocalTrackStarted](t, events)
		video.Stop()
		require.Equal(t, again, roomtest.Next[parley.LocalTrackStopped](t, events).Publication)
		_, open := <-events
		require.False(t, open, "that was the last")
		<-video.Done()

		require.Equal(t, "d", roomtest.Next[parley.LocalTrackPublished](t, early).Publication.TrackName())
		ofData := first.LocalParticipant().DataTracks()[0].Events()
		roomtest.Next[parley.LocalTrackPublished](t, ofData)
		data.Stop()
		data.Stop()
		<-data.Done()
		require.Equal(t, "d", roomtest.Next[parley.LocalTrackStopped](t, early).Publication.TrackName())
		_, open = <-early
		require.False(t, open)
		require.ErrorIs(t, data.Send(t.Context(), nil), parley.ErrTrackStopped)
		roomtest.Next[parley.LocalTrackStopped](t, ofData)
	})
}

func TestEventsOfALocalTrackThatNobodyReadsAreBounded(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		track, _ := pushed(t, nil)
		events := track.Events()
		room := st.join("alice", track)
		go func() {
			for range room.Events() {
			}
		}()
		for range 40000 {
			track.Disable()
			track.Enable()
		}
		synctest.Wait()
		n := 0
		for range events {
			n++
		}
		require.InDelta(t, 65536, n, 2)
		select {
		case <-track.Done():
			require.Fail(t, "the track goes on")
		default:
		}
	})
}

var errOfSource = errors.New("the lens fell off")

type brokenSource struct{ media.Source }

func (brokenSource) Next(context.Context) (media.Sample, error) { return media.Sample{}, errOfSource }

func TestSourceThatFailsTellsTheTrack(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		track, err := parley.NewLocalVideoTrack(brokenSource{synth.Video()}, nil)
		require.NoError(t, err)
		events := track.Events()
		room := st.join("alice", track)
		roomtest.Next[parley.LocalTrackPublished](t, events)
		require.ErrorIs(t, roomtest.Next[parley.LocalTrackStopped](t, events).Err, errOfSource)
		require.ErrorIs(t, track.Err(), errOfSource)
		require.Equal(t, parley.StateConnected, room.State(), "the room goes on")
	})
}

func TestBitrateBoundsReachTheSource(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		track, src := pushed(t, nil)
		silent, err := parley.NewLocalAudioTrack(synth.Tone(), nil)
		require.NoError(t, err)
		t.Cleanup(silent.Stop)
		aim := func() int {
			select {
			case bps := <-src.Bitrates():
				return bps
			case <-time.After(time.Second):
				return -1
			}
		}
		first := st.join("alice", track, silent)
		require.Equal(t, -1, aim(), "nothing is bounded yet")
		set := func(room *parley.Room, bps int) {
			require.NoError(t, room.LocalParticipant().SetParameters(parley.EncodingParameters{MaxVideoBitrate: bps, MaxAudioBitrate: 1}))
		}
		set(first, 500_000)
		require.Equal(t, 500_000, aim())
		second := st.join("bob", track)
		require.Equal(t, -1, aim())
		set(second, 200_000)
		require.Equal(t, 200_000, aim(), "the lowest of two rooms")
		set(first, 100_000)
		require.Equal(t, 100_000, aim())
		require.NoError(t, first.LocalParticipant().UnpublishTrack(t.Context(), track))
		require.Equal(t, 200_000, aim())
		set(second, 0)
		require.Equal(t, 0, aim(), "no bound any more")
		require.ErrorIs(t, first.LocalParticipant().SetParameters(parley.EncodingParameters{MaxAudioBitrate: -1}), parley.ErrOption)
		_, err = parley.Connect("token", &parley.ConnectOptions{MaxVideoBitrate: -1})
		require.ErrorIs(t, err, parley.ErrOption)
	})
}
