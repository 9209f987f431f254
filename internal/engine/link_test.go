package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// offerer is the other side of a link: a server that makes offers itself, and
// wins when offers cross. Like any half made of pion, it cannot roll back.
type offerer struct {
	t           *testing.T
	peer        *rtc.Peer
	rev, stable int
	pending     *signaling.Description
	dirty       bool
	sent        int
}

func (s *offerer) change() {
	_, err := s.peer.AddOutlet(media.Audio, rtc.OutletConfig{Codec: media.Opus, ID: fmt.Sprintf("down-%d", s.sent)})
	require.NoError(s.t, err)
	s.sent++
	s.dirty = true
}

func (s *offerer) offer() *signaling.Description {
	if !s.dirty || s.pending != nil || s.stable == 0 {
		return nil
	}
	s.dirty = false
	sdp, err := s.peer.Offer(false)
	require.NoError(s.t, err)
	require.NoError(s.t, s.peer.ApplyOffer(sdp))
	s.rev++
	s.pending = &signaling.Description{Type: signaling.DescriptionOffer, Revision: s.rev, SDP: sdp}
	return s.pending
}

func (s *offerer) receive(d signaling.Description) *signaling.Description {
	switch d.Type {
	case signaling.DescriptionAnswer:
		if s.pending == nil || d.Revision != s.pending.Revision {
			return nil
		}
		require.NoError(s.t, s.peer.SetRemoteAnswer(d.SDP))
		s.pending, s.stable = nil, d.Revision
	case signaling.DescriptionOffer:
		if s.pending != nil || d.Revision <= s.stable {
			return nil // it crossed ours, which wins
		}
		require.NoError(s.t, s.peer.SetRemoteOffer(d.SDP))
		sdp, err := s.peer.Answer(true)
		require.NoError(s.t, err)
		s.rev, s.stable = d.Revision, d.Revision
		return &signaling.Description{Type: signaling.DescriptionAnswer, Revision: d.Revision, SDP: sdp}
	}
	return nil
}

func newPair(t *testing.T) (*link, *offerer) {
	t.Helper()
	api, err := rtc.New(rtc.Config{Loopback: true, Interfaces: func(name string) bool { return name == "lo" }})
	require.NoError(t, err)
	peer := func(prefix string) *rtc.Peer {
		p, err := api.NewPeer(rtc.PeerConfig{MidPrefix: prefix})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, p.Close()) })
		return p
	}
	return newLink("pc", peer("c")), &offerer{t: t, peer: peer("s")}
}

func TestCrossingOffersConverge(t *testing.T) {
	crossings := 0
	for round := 0; crossings < 1000; round++ {
		require.Less(t, round, 200)
		crossings += cross(t, rand.Uint64())
	}
	t.Logf("%d offers crossed", crossings)
}

// cross lets both sides change what they send at random while their messages
// are on the way, and checks that they agree in the end.
func cross(t *testing.T, seed uint64) (crossings int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 0))
	client, server := newPair(t)
	var up, down []signaling.Description
	push := func(queue *[]signaling.Description, d *signaling.Description) {
		if d != nil {
			*queue = append(*queue, *d)
		}
	}
	slots, changing := 0, true
	step := func() {
		switch rnd.IntN(4) {
		case 0:
			if changing {
				client.dirty = true // offering again without a change is allowed
			}
			if changing && slots < 4 {
				_, err := client.peer.AddOutlet(media.Audio, rtc.OutletConfig{Codec: media.Opus, ID: fmt.Sprintf("up-%d", slots)})
				require.NoError(t, err, "seed %d", seed)
				slots++
			}
		case 1:
			if changing {
				server.dirty = true
			}
			if changing && server.sent < 4 {
				server.change()
			}
		case 2:
			if len(up) > 0 {
				d := up[0]
				up = up[1:]
				if d.Type == signaling.DescriptionOffer && server.pending != nil {
					crossings++
				}
				push(&down, server.receive(d))
			}
		case 3:
			if len(down) > 0 {
				d := down[0]
				down = down[1:]
				reply, _, err := client.receive(d)
				require.NoError(t, err, "seed %d", seed)
				push(&up, reply)
			}
		}
		d, err := client.negotiate()
		require.NoError(t, err, "seed %d", seed)
		push(&up, d)
		push(&down, server.offer())
	}
	client.dirty = true
	for range 600 {
		step()
	}
	changing = false
	for len(up)+len(down) > 0 || client.offer != nil || server.pending != nil {
		step()
	}
	require.Equal(t, client.stable, server.stable, "seed %d", seed)
	have := map[string]bool{}
	for _, s := range server.peer.RemoteSections() {
		have[s.Track] = true
	}
	for i := range slots {
		require.True(t, have[fmt.Sprintf("up-%d", i)], "seed %d: up-%d", seed, i)
	}
	for i := range server.sent {
		_, ok := client.midOf(fmt.Sprintf("down-%d", i))
		require.True(t, ok, "seed %d: down-%d", seed, i)
	}
	return crossings
}

func TestRepeatedOfferGetsTheSameAnswer(t *testing.T) {
	client, server := newPair(t)
	client.dirty = true
	d, err := client.negotiate()
	require.NoError(t, err)
	_, settled, err := client.receive(*server.receive(*d))
	require.NoError(t, err)
	require.True(t, settled)
	server.change()
	offer := server.offer()
	first, _, err := client.receive(*offer)
	require.NoError(t, err)
	again, settled, err := client.receive(*offer)
	require.NoError(t, err)
	require.False(t, settled)
	require.Same(t, first, again)
	require.Nil(t, server.receive(*first))
	require.Equal(t, client.stable, server.stable)
}

func TestStaleAndForeignAnswersAreIgnored(t *testing.T) {
	client, server := newPair(t)
	client.dirty = true
	d, err := client.negotiate()
	require.NoError(t, err)
	answer := server.receive(*d)
	for _, revision := range []int{0, 2, -1, 1 << 30} {
		bad := *answer
		bad.Revision = revision
		_, settled, err := client.receive(bad)
		require.NoError(t, err)
		require.False(t, settled)
	}
	_, settled, err := client.receive(*answer)
	require.NoError(t, err)
	require.True(t, settled)
	_, settled, err = client.receive(*answer)
	require.NoError(t, err)
	require.False(t, settled, "it has been applied")
	reply, _, err := client.receive(signaling.Description{Type: signaling.DescriptionCreateOffer, Revision: 5})
	require.NoError(t, err)
	require.Equal(t, 6, reply.Revision)
}
