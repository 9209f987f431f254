package play_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/play"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// A room with a bad network, from one program's tracks to the other's ears and
// eyes: 30 ms of latency, 30 ms of jitter, 2 % loss.
func TestRoomIsHeardAndSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewVirtual(t, func(o *roomtest.Options) {
			o.Latency, o.Jitter, o.Seed, o.NoCapture = 30*time.Millisecond, 30*time.Millisecond, 7, true
		})
		audio, err := parley.NewLocalAudioTrack(synth.Tone(), nil)
		require.NoError(t, err)
		video, err := parley.NewLocalVideoTrack(nil, &parley.TrackOptions{Codec: media.VP8})
		require.NoError(t, err)
		join := func(who string, tracks ...parley.LocalTrack) *parley.Room {
			room, err := parley.Connect(srv.Token(who, "lab"), &parley.ConnectOptions{
				URL: srv.URL(), Transport: srv.Transport(who), ConfigureWebRTC: srv.WebRTC(who), Tracks: tracks,
			})
			require.NoError(t, err)
			return room
		}
		ann := join("ann", audio, video)
		bob := join("bob")
		srv.Loss("bob", 20)

		screen := &easel{}
		player := newPlayer(t, func(o *play.Options) { o.Screen, o.VideoDecoder = screen, vp8Sizes })
		go func() {
			for e := range bob.TrackSubscribed() {
				if t, ok := e.Track.(play.Track); ok {
					_ = player.Add(e.Participant.Identity(), t) // it fails only at the end
				}
			}
		}()
		stop := make(chan struct{})
		go func() {
			for n := 0; ; n++ {
				data := []byte{0x11, 0, 0, byte(n)}
				key := n%100 == 0
				if key {
					data = []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0, byte(n)}
				}
				_ = video.WriteSample(media.Sample{Codec: media.VP8, Data: data, Timestamp: time.Duration(n) * 40 * time.Millisecond, Keyframe: key, Captured: time.Now()})
				select {
				case <-stop:
					return
				case <-time.After(40 * time.Millisecond):
				}
			}
		}()
		var heard []float64
		n := 0
		listen(player, 60*time.Second, func(pcm []int16) {
			if n++; n > 500 {
				heard = append(heard, left(pcm)...)
			}
		})
		stats := player.Stats()
		require.Len(t, stats, 2)
		for _, s := range stats {
			t.Logf("%+v", s)
			require.Equal(t, "ann", s.Participant)
			switch s.Kind {
			case media.Audio:
				db, loud := purity(heard, 440, 960)
				concealed := s.Concealed.Seconds() / s.Played.Seconds()
				t.Logf("concealed %.4f; of 20 ms pieces are %.4f under 20 dB, %.4f silent", concealed, below(db, 20), below(loud, 0.01))
				require.Less(t, concealed, 0.02)
				require.Less(t, below(db, 20), 0.05)
				require.Less(t, below(loud, 0.01), 0.005)
				require.Less(t, s.Target, 250*time.Millisecond)
			case media.Video:
				require.Greater(t, s.Shown, int64(1200))
				require.Less(t, s.Skew.Abs(), 40*time.Millisecond)
			}
		}
		close(stop)
		require.NoError(t, player.Close())
		for _, room := range []*parley.Room{ann, bob} {
			require.NoError(t, room.Disconnect())
			roomtest.Rest(t, room.Events())
		}
		require.Zero(t, screen.open)
	})
}

// vp8Sizes decodes the picture of samples that have one byte behind VP8's
// headers.
func vp8Sizes(c media.Codec) (media.VideoDecoder, error) {
	return lastByte{&raw{codec: c}}, nil
}

type lastByte struct{ *raw }

func (l lastByte) Decode(s media.Sample, f *media.VideoFrame) (bool, error) {
	if n := len(s.Data); n > 0 {
		s.Data = s.Data[n-1:]
	}
	return l.raw.Decode(s, f)
}
