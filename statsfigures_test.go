package parley_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

// TestStatsTellWhatIsSent proves TC-34 for what is told of tracks: with a server
// and without.
func TestStatsTellWhatIsSent(t *testing.T) {
	for name, kind := range map[string]string{"group": sfu.Group, "peer-to-peer": sfu.PeerToPeer} {
		t.Run(name, func(t *testing.T) {
			inLab(t, 34, func(l *lab) {
				alice, bob := l.join("alice", picture(l.t), newVoice(l.t, -20).track), l.join("bob")
				bob.watch("alice", "picture").after(l.t, time.Now())
				time.Sleep(4 * time.Second)

				s, err := bob.room.Stats(l.t.Context())
				require.NoError(l.t, err)
				require.Len(l.t, s.Received, 2)
				for pub, got := range s.Received {
					require.NotZero(l.t, got.SSRC)
					require.Positive(l.t, got.Packets)
					if pub.TrackName() == "voice" {
						require.Equal(l.t, media.Opus, got.Codec)
						require.Equal(l.t, -20, got.AudioLevel)
						require.Zero(l.t, got.FrameRate)
						continue
					}
					require.Equal(l.t, media.VP8, got.Codec)
					width, height := pub.Track().(*parley.RemoteVideoTrack).Dimensions()
					require.Positive(l.t, width)
					require.Equal(l.t, []int{width, height, 0}, []int{got.Width, got.Height, got.AudioLevel})
					require.InDelta(l.t, 25, got.FrameRate, 1)
				}

				s, err = alice.room.Stats(l.t.Context())
				require.NoError(l.t, err)
				require.Len(l.t, s.Sent, 2)
				for pub, sent := range s.Sent {
					require.Equal(l.t, kind == sfu.PeerToPeer, sent.SSRC == 0)
					if pub.TrackName() == "voice" {
						require.Equal(l.t, media.Opus, sent.Codec)
						require.Equal(l.t, -20, sent.AudioLevel)
						continue
					}
					require.Equal(l.t, media.VP8, sent.Codec)
					require.Positive(l.t, sent.Width*sent.Height)
					require.InDelta(l.t, 25, sent.FrameRate, 1)
				}

				var packets []int64
				for s := range alice.room.StatsEvery(l.t.Context(), time.Second) {
					for pub, sent := range s.Sent {
						if pub.TrackName() == "picture" {
							packets = append(packets, sent.Packets)
						}
					}
					if len(packets) == 3 {
						break
					}
				}
				require.Len(l.t, packets, 3)
				require.True(l.t, slices.IsSorted(packets) && packets[0] < packets[2])
				done := make(chan struct{})
				go func() {
					defer close(done)
					for range alice.room.StatsEvery(context.Background(), time.Second) { //nolint:revive // until the room ends
					}
				}()
				alice.leave()
				<-done
			}, func(c *sfu.Config) { c.DefaultRoomType = kind })
		})
	}
}
