package parley_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// TestT22FingerprintMismatch proves that a media connection to somebody else
// than signaling names ends the room at once, for good.
func TestT22FingerprintMismatch(t *testing.T) {
	besieged(t, func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		s.answer(s.impostor(), func(sdp string) string {
			i := strings.Index(sdp, "a=fingerprint:sha-256 ") + len("a=fingerprint:sha-256 ")
			wrong := "00:11"
			if strings.HasPrefix(sdp[i:], wrong) {
				wrong = "22:33"
			}
			return strings.ReplaceAll(sdp, sdp[i:i+5], wrong)
		})
		s.fallen(parley.ErrMediaDTLS)
		_, err := s.transport.Next(soon(t))
		require.Error(t, err, "it does not try again")
	})
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// connected answers the client's offer, with senders for what it wants to
// receive, and waits for the media connection.
func (g *siege) connected() (*rtc.Peer, []*rtc.Outlet) {
	g.t.Helper()
	peer := g.impostor()
	offer := g.offer()
	// An impostor takes messages of any size to be welcome.
	require.NoError(g.t, peer.SetRemoteOffer(strings.ReplaceAll(offer.Description.SDP, "a=max-message-size:65536", "a=max-message-size:0")))
	outlets, err := peer.FillOutlets(func(mid string, _ media.Kind) rtc.OutletConfig { return rtc.OutletConfig{ID: mid} })
	require.NoError(g.t, err)
	require.Len(g.t, outlets, 2)
	sdp, err := peer.Answer(true)
	require.NoError(g.t, err)
	g.describe(offer.ID, signaling.DescriptionAnswer, offer.Description.Revision, sdp)
	for peer.State() != webrtc.PeerConnectionStateConnected {
		time.Sleep(10 * time.Millisecond)
	}
	return peer, outlets
}

// channel opens a data channel.
func (g *siege) channel(peer *rtc.Peer, label string) *webrtc.DataChannel {
	g.t.Helper()
	dc, err := peer.CreateChannel(label, nil)
	require.NoError(g.t, err)
	open := make(chan struct{})
	dc.OnOpen(func() { close(open) })
	select {
	case <-open:
	case <-time.After(10 * time.Second):
		g.t.Fatal("the channel does not open")
	}
	return dc
}

// dataTrackOf makes bob publish a data track that flows through the channel.
func (g *siege) dataTrackOf(label string) *parley.RemoteDataTrack {
	g.t.Helper()
	bob := g.someone("bob", "d")
	bob.Tracks[0].Kind = signaling.KindData
	g.revision++
	g.send(signaling.Update{
		Participants: []signaling.RemoteParticipant{bob},
		Subscribed:   &signaling.Subscribed{Revision: g.revision, Tracks: []signaling.Subscription{{SID: "MTbobd", ID: label}}},
	})
	synctest.Wait()
	require.Equal(g.t, 1, g.count("TrackSubscribed bob/d"))
	return g.room.Participant("bob").DataTracks()[0].Track().(*parley.RemoteDataTrack)
}

func TestT23DataChannelsWithoutEnd(t *testing.T) {
	for what, c := range map[string]struct {
		n     int
		label func(i int) string
	}{
		"of other names": {700, func(i int) string { return fmt.Sprint("x", i) }},
		"of one name":    {600, func(int) string { return "x" }},
	} {
		t.Run(what, func(t *testing.T) {
			besieged(t, func(t *testing.T, s *siege) {
				s.enter(signaling.Update{})
				peer, _ := s.connected()
				var created []*webrtc.DataChannel
				for i := range c.n {
					dc, err := peer.CreateChannel(c.label(i), nil)
					require.NoError(t, err)
					created = append(created, dc)
				}
				time.Sleep(10 * time.Second)
				open := 0
				for _, dc := range created {
					if dc.ReadyState() == webrtc.DataChannelStateOpen {
						open++
					}
				}
				require.Equal(t, 512, open, "the others are closed again")
				s.unimpressed()
				// Who closes some may open others.
				for _, dc := range created[:50] {
					_ = dc.Close()
				}
				time.Sleep(10 * time.Second)
				dc := s.channel(peer, "honest")
				track := s.dataTrackOf("honest")
				require.NoError(t, dc.SendText("hello"))
				m, err := track.Receive(t.Context())
				require.NoError(t, err)
				require.Equal(t, "hello", string(m.Data))
			})
		})
	}
}

func TestT23Messages(t *testing.T) {
	besieged(t, func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		peer, _ := s.connected()
		dc := s.channel(peer, "big")
		track := s.dataTrackOf("big")
		for _, size := range []int{0, 1, 16 << 10, 64<<10 - 1} {
			require.NoError(t, dc.Send(make([]byte, size)))
			m, err := track.Receive(t.Context())
			require.NoError(t, err)
			require.Len(t, m.Data, size)
		}
		// What is beyond any measure ends its channel, and nothing else.
		other := s.channel(peer, "other")
		_ = dc.Send(make([]byte, 700<<10))
		time.Sleep(5 * time.Second)
		require.NoError(t, other.SendText("still here"))
		s.unimpressed()
	})
}

// TestT23FloodOfMessages proves that messages that nobody reads take a bounded
// amount of memory, and that those which are dropped are counted.
func TestT23FloodOfMessages(t *testing.T) {
	for _, c := range []struct{ n, size, most int }{{100000, 0, 16384}, {5000, 1000, 985}} {
		t.Run(fmt.Sprintf("%d of %d bytes", c.n, c.size), func(t *testing.T) {
			besieged(t, func(t *testing.T, s *siege) {
				s.enter(signaling.Update{})
				peer, _ := s.connected()
				dc := s.channel(peer, "flood")
				track := s.dataTrackOf("flood")
				all, some := s.room.Messages(), s.room.Participant("bob").Messages()
				synctest.Wait()
				before := heap()
				data := make([]byte, c.size)
				for i := range c.n {
					require.NoError(t, dc.Send(data))
					if i%500 == 0 {
						for dc.BufferedAmount() > 64<<10 {
							time.Sleep(time.Millisecond)
						}
						runtime.Gosched()
					}
				}
				time.Sleep(10 * time.Second)
				require.Less(t, heap()-before, int64(8<<20))
				sum := func(next func() (parley.Message, bool)) (got, dropped int) {
					for {
						m, ok := next()
						if !ok {
							return got, dropped
						}
						got++
						dropped += m.Dropped
					}
				}
				got, dropped := sum(func() (parley.Message, bool) {
					ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
					defer cancel()
					m, err := track.Receive(ctx)
					return m, err == nil
				})
				require.Equal(t, c.n, got+dropped)
				require.Equal(t, c.most, got)
				for _, ch := range []<-chan parley.TrackMessage{all, some} {
					got, dropped := sum(func() (parley.Message, bool) {
						select {
						case m := <-ch:
							return m.Message, true
						default:
							return parley.Message{}, false
						}
					})
					require.Equal(t, c.n, got+dropped)
					require.Equal(t, 256, got)
				}
				s.unimpressed()
			})
		})
	}
}

// TestR24GarbageMedia proves that packets of any content give samples or none,
// and nothing else.
func TestR24GarbageMedia(t *testing.T) {
	besieged(t, func(t *testing.T, s *siege) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rnd := rand.New(rand.NewPCG(seed, 1))
		s.enter(signaling.Update{})
		_, outlets := s.connected()
		var video *rtc.Outlet
		for _, o := range outlets {
			if o.MediaKind() == media.Video {
				video = o
			}
		}
		s.revision++
		s.send(signaling.Update{Subscribed: &signaling.Subscribed{Revision: s.revision, Tracks: []signaling.Subscription{{SID: "MTannv", ID: video.Mid()}}}})
		require.Equal(t, 1, s.count("TrackSubscribed ann/v"))
		track := s.ann.VideoTracks()[0].Track().(*parley.RemoteVideoTrack)
		done := make(chan error, 1)
		go func() {
			for _, err := range track.Samples(t.Context()) {
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		var types []uint8
		for _, c := range []media.Codec{media.VP8, media.VP9, media.H264, media.H265, media.AV1} {
			pt, ok := video.PayloadType(rtc.Codec{Codec: c})
			require.True(t, ok, c)
			types = append(types, pt)
		}
		for i := range 20000 {
			payload := make([]byte, rnd.IntN(1100))
			for j := range min(len(payload), 40) {
				payload[j] = byte(rnd.Uint32())
			}
			h := &rtp.Header{
				Version: 2, PayloadType: types[rnd.IntN(len(types))], SequenceNumber: uint16(i), Timestamp: rnd.Uint32(), Marker: rnd.IntN(2) == 0,
			}
			if rnd.IntN(10) == 0 {
				h.SequenceNumber = uint16(rnd.Uint32())
			}
			_ = video.Write(h, payload, time.Time{})
			if i%100 == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		time.Sleep(time.Second)
		s.unimpressed()
		w, h := track.Dimensions()
		t.Logf("%d packets, %dx%d", track.Stats().Packets, w, h)
		require.Positive(t, track.Stats().Packets)
		require.NoError(t, s.room.Disconnect())
		require.NoError(t, <-done)
		_, err := track.ReadRTP()
		for err == nil {
			_, err = track.ReadRTP()
		}
		require.ErrorIs(t, err, io.EOF)
	})
}
