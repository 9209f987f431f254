package parley_test

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// keyFrame is the beginning of a VP8 key frame, which is all that tells a size.
func keyFrame(at time.Duration, width, height int) media.Sample {
	data := make([]byte, 40)
	copy(data, []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, byte(width), byte(width >> 8), byte(height), byte(height >> 8)})
	return media.Sample{Data: data, Timestamp: at, Keyframe: true, Width: width, Height: height}
}

// Programs that come from elsewhere are used to getting the former size too.
func TestDimensionsChangedTellsBothSizes(t *testing.T) {
	srv := roomtest.NewServer(t)
	video, err := parley.NewLocalVideoTrack(nil, &parley.TrackOptions{Codec: media.VP8})
	require.NoError(t, err)
	alice, err := parley.Connect(srv.Token("alice", "lab"), &parley.ConnectOptions{
		URL: srv.URL(), Tracks: []parley.LocalTrack{video},
	})
	require.NoError(t, err)
	defer alice.Disconnect()
	bob, err := parley.Connect(srv.Token("bob", "lab"), &parley.ConnectOptions{URL: srv.URL()})
	require.NoError(t, err)
	defer bob.Disconnect()

	remote, local := bob.TrackDimensionsChanged(), alice.LocalParticipant().Events()
	subscribed := roomtest.Next[parley.TrackSubscribed](t, bob.TrackSubscribed())
	at := time.Duration(0)
	send := func(width, height int, until func() bool) {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(10 * time.Second); !until(); {
			require.True(t, time.Now().Before(deadline), "%d × %d never arrived", width, height)
			at += 20 * time.Millisecond
			require.NoError(t, video.WriteSample(keyFrame(at, width, height)))
			<-tick.C
		}
	}
	seen := func(width, height int) func() bool {
		return func() bool {
			w, h := subscribed.Track.(*parley.RemoteVideoTrack).Dimensions()
			return w == width && h == height
		}
	}
	send(64, 48, seen(64, 48))
	e := roomtest.Next[parley.TrackDimensionsChanged](t, remote)
	require.Equal(t, [4]int{64, 48, 0, 0}, [4]int{e.Width, e.Height, e.OldWidth, e.OldHeight})
	require.Equal(t, subscribed.Track, e.Track)
	require.Equal(t, "alice", e.Participant.Identity())

	send(320, 240, seen(320, 240))
	e = roomtest.Next[parley.TrackDimensionsChanged](t, remote)
	require.Equal(t, [4]int{320, 240, 64, 48}, [4]int{e.Width, e.Height, e.OldWidth, e.OldHeight})

	l := roomtest.Next[parley.LocalTrackDimensionsChanged](t, local)
	require.Equal(t, [4]int{64, 48, 0, 0}, [4]int{l.Width, l.Height, l.OldWidth, l.OldHeight})
	l = roomtest.Next[parley.LocalTrackDimensionsChanged](t, local)
	require.Equal(t, [4]int{320, 240, 64, 48}, [4]int{l.Width, l.Height, l.OldWidth, l.OldHeight})
}
