package parley_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// capture is what a host's network saw of RTP, by SSRC.
type capture struct {
	mu      sync.Mutex
	streams map[uint32]*captured
}

// captured counts the packets of one stream that differ, but for again.
type captured struct {
	offered, bytes int // into the network, and their payloads
	arrived        int // out of it, sooner or later
	again          int // offered once more
	lost           int // the first time
	seqs           map[uint16]bool
}

// srtpTag is what AEAD_AES_128_GCM adds to a packet (RFC 7714, section 13.1).
const srtpTag = 16

// tap listens to what the host sends, or to what is on its way to it.
func (c *capture) tap(sent bool) faultnet.Tap {
	return func(_ time.Time, _, _ net.Addr, data []byte, fate faultnet.Fate) {
		if fate.Sent != sent || len(data) < 2 || data[0] < 128 || data[0] > 191 || data[1] >= 192 && data[1] <= 223 {
			return // no RTP: RFC 7983, section 7, and RFC 5761, section 4
		}
		var h rtp.Header
		n, err := h.Unmarshal(data)
		if err != nil {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		s := c.streams[h.SSRC]
		if s == nil {
			s = &captured{seqs: map[uint16]bool{}}
			c.streams[h.SSRC] = s
		}
		came, known := s.seqs[h.SequenceNumber]
		s.seqs[h.SequenceNumber] = came || !fate.Lost
		if !fate.Lost && !came {
			s.arrived++
		}
		switch {
		case known:
			s.again++
		case fate.Lost:
			s.lost++
			fallthrough
		default:
			s.offered++
			s.bytes += len(data) - n - srtpTag
		}
	}
}

func (c *capture) of(t *testing.T, ssrc uint32) captured {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Contains(t, c.streams, ssrc)
	return *c.streams[ssrc]
}

// TestStatsAreTrue proves TC-34: what is told is what the network saw.
func TestStatsAreTrue(t *testing.T) {
	for name, loss := range map[string]int{"clean": 0, "lossy": 50} {
		t.Run(name, func(t *testing.T) {
			inLab(t, 3434, func(l *lab) { statsAreTrue(l, loss) })
		})
	}
}

func statsAreTrue(l *lab, loss int) {
	up, down := &capture{streams: map[uint32]*captured{}}, &capture{streams: map[uint32]*captured{}}
	hosts.Lock()
	from, to := l.world.Host("alice"), l.world.Host("bob")
	hosts.Unlock()
	from.SetTap(up.tap(true))
	to.SetTap(down.tap(false))
	tracks := []parley.LocalTrack{picture(l.t), newVoice(l.t, -20).track}
	alice, err := l.dialFrom(l.t.Context(), from, "alice", publishing(tracks...))
	require.NoError(l.t, err)
	bob, err := l.dialFrom(l.t.Context(), to, "bob")
	require.NoError(l.t, err)
	bob.watch("alice", "picture").after(l.t, time.Now())
	from.Impair(func(send, _ *faultnet.Faults) { send.Loss = loss })
	to.Impair(func(_, receive *faultnet.Faults) { receive.Loss = loss })
	time.Sleep(20 * time.Second)
	if loss > 0 { // too much to be asked for again
		to.Impair(func(_, receive *faultnet.Faults) { receive.Loss = 900 })
		time.Sleep(2 * time.Second)
		to.Impair(func(_, receive *faultnet.Faults) { receive.Loss = 0 })
		from.Impair(func(send, _ *faultnet.Faults) { send.Loss = 0 })
	}
	time.Sleep(5 * time.Second)
	for _, track := range tracks {
		track.(interface{ Disable() }).Disable() // so that nothing is on its way
	}
	time.Sleep(3 * time.Second)

	s, err := alice.room.Stats(l.t.Context())
	require.NoError(l.t, err)
	require.InDelta(l.t, 2*oneWay.Seconds(), s.RoundTrip.Seconds(), .001)
	require.Len(l.t, s.Sent, 2)
	for pub, sent := range s.Sent {
		truth := up.of(l.t, sent.SSRC)
		l.t.Logf("sent of %s: lost at first %d of %d, resent %d", pub.TrackName(), truth.lost, truth.offered, sent.Resent)
		require.EqualValues(l.t, truth.offered, sent.Packets)
		require.EqualValues(l.t, truth.bytes, sent.Bytes)
		require.InDelta(l.t, 2*oneWay.Seconds(), sent.RoundTrip.Seconds(), .001)
		require.GreaterOrEqual(l.t, sent.Resent, int64(truth.lost-(truth.offered-truth.arrived)))
		if loss == 0 {
			require.Zero(l.t, sent.Resent)
			require.Zero(l.t, sent.Lost)
		}
		if pub.Kind() == parley.KindAudio { // the others have a stream of their own
			require.EqualValues(l.t, truth.again, sent.Resent)
			require.EqualValues(l.t, truth.offered-truth.arrived, sent.Lost)
		}
	}

	s, err = bob.room.Stats(l.t.Context())
	require.NoError(l.t, err)
	require.InDelta(l.t, 2*oneWay.Seconds(), s.RoundTrip.Seconds(), .001)
	require.Len(l.t, s.Received, 2)
	for pub, got := range s.Received {
		truth := down.of(l.t, got.SSRC)
		l.t.Logf("received of %s: lost at first %d of %d, repaired %d, lost %d", pub.TrackName(), truth.lost, truth.offered, got.Repaired, got.Lost)
		require.EqualValues(l.t, truth.offered, got.Packets+got.Lost)
		require.Equal(l.t, loss > 0, got.Lost > 0)
		if pub.Kind() == parley.KindAudio { // some came too late
			require.GreaterOrEqual(l.t, got.Lost, int64(truth.offered-truth.arrived))
		}
		if loss == 0 {
			require.EqualValues(l.t, truth.offered, got.Packets)
			require.EqualValues(l.t, truth.bytes, got.Bytes)
			require.Zero(l.t, got.Lost)
			require.Zero(l.t, got.Repaired)
		}
	}
}

// Samples of sound come with their sender's level, through a server and without.
func TestSamplesTellTheirLevel(t *testing.T) {
	for name, kind := range map[string]string{"group": sfu.Group, "peer-to-peer": sfu.PeerToPeer} {
		t.Run(name, func(t *testing.T) {
			inLab(t, 3435, func(l *lab) {
				v := newVoice(l.t, -20)
				l.join("alice", v.track)
				bob := l.join("bob")
				sub, _ := await[parley.TrackSubscribed](bob, 0)
				n := 0
				for s, err := range sub.Track.(*parley.RemoteAudioTrack).Samples(l.t.Context()) {
					require.NoError(l.t, err)
					require.Equal(l.t, media.Opus, s.Codec)
					require.EqualValues(l.t, v.level.Load(), s.Level)
					if n++; n == 50 {
						break
					}
				}
			}, func(c *sfu.Config) { c.DefaultRoomType = kind })
		})
	}
}
