package engine

import (
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// owner is a loop for an engine under test.
type owner struct {
	mu     sync.Mutex
	queue  []func()
	poke   chan struct{}
	opened []string
	engine *Engine
}

func newOwner(t *testing.T, api *rtc.API) *owner {
	t.Helper()
	o := &owner{poke: make(chan struct{}, 1)}
	e, err := New(Config{
		API: api,
		Post: func(f func()) {
			o.mu.Lock()
			o.queue = append(o.queue, f)
			o.mu.Unlock()
			o.wake()
		},
		ConnectionChanged: func() {}, Outgoing: func() {},
		ChannelOpened: func(label string) { o.opened = append(o.opened, label) },
	})
	require.NoError(t, err)
	o.engine = e
	t.Cleanup(func() { require.NoError(t, e.Close()()) })
	return o
}

func (o *owner) wake() {
	select {
	case o.poke <- struct{}{}:
	default:
	}
}

// until works the inbox off until ok.
func (o *owner) until(t *testing.T, ok func() bool) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		o.mu.Lock()
		batch := o.queue
		o.queue = nil
		o.mu.Unlock()
		for _, f := range batch {
			f()
		}
		if ok() {
			return
		}
		select {
		case <-o.poke:
		case <-timeout:
			t.Fatal("in vain")
		}
	}
}

func testAPI(t *testing.T) *rtc.API {
	t.Helper()
	api, err := rtc.New(rtc.Config{Loopback: true, Interfaces: func(name string) bool { return name == "lo" }})
	require.NoError(t, err)
	return api
}

// remote is a server's end of one peer connection.
func remote(t *testing.T, api *rtc.API, o *owner) *rtc.Peer {
	t.Helper()
	p, err := api.NewPeer(rtc.PeerConfig{MidPrefix: "s", Handler: rtc.Handler{State: o.wake}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func TestServerMakesFurtherConnections(t *testing.T) {
	api := testAPI(t)
	o := newOwner(t, api)
	e := o.engine
	join, err := e.Join()
	require.NoError(t, err)
	first := remote(t, api, o)
	require.NoError(t, first.SetRemoteOffer(join[0].Description.SDP))
	answer, err := first.Answer(true)
	require.NoError(t, err)
	require.NoError(t, e.Apply([]signaling.PeerConnection{{ID: join[0].ID, Description: &signaling.Description{
		Type: signaling.DescriptionAnswer, Revision: join[0].Description.Revision, SDP: answer,
	}}}, true))

	// The server opens two more, each with a track of its own.
	type extra struct {
		peer *rtc.Peer
		out  *rtc.Outlet
		recv *Receiver
	}
	extras := map[string]*extra{}
	var update []signaling.PeerConnection
	for _, id := range []string{"second", "third"} {
		x := &extra{peer: remote(t, api, o), recv: NewReceiver(media.Audio, o.wake)}
		x.out, err = x.peer.AddOutlet(media.Audio, rtc.OutletConfig{Codec: media.Opus, ID: "sub-" + id})
		require.NoError(t, err)
		sdp, err := x.peer.Offer(false)
		require.NoError(t, err)
		require.NoError(t, x.peer.ApplyOffer(sdp))
		update = append(update, signaling.PeerConnection{ID: id, Description: &signaling.Description{
			Type: signaling.DescriptionOffer, Revision: 1, SDP: sdp,
		}})
		extras[id] = x
	}
	require.ErrorIs(t, e.Bind(signaling.Subscription{ID: "sub-second"}, false, extras["second"].recv), ErrNoSection)
	require.NoError(t, e.Apply(update, false))
	// The answers and the candidates travel together, or apart.
	deliver := func() {
		for _, pc := range e.Flush() {
			x := extras[pc.ID]
			if x == nil {
				continue
			}
			if pc.Description != nil {
				require.Equal(t, signaling.DescriptionAnswer, pc.Description.Type)
				require.NoError(t, x.peer.SetRemoteAnswer(pc.Description.SDP))
			}
			if pc.ICE != nil {
				for _, c := range pc.ICE.Candidates {
					_ = x.peer.AddCandidate(webrtc.ICECandidateInit{Candidate: c.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex})
				}
			}
		}
	}
	deliver()
	for id, x := range extras {
		require.NoError(t, e.Bind(signaling.Subscription{ID: "sub-" + id}, false, x.recv))
	}
	connected := func() bool {
		deliver()
		for _, x := range extras {
			if x.peer.State() != webrtc.PeerConnectionStateConnected {
				return false
			}
		}
		return true
	}
	o.until(t, connected)
	for id, x := range extras {
		pt, ok := x.out.PayloadType(rtc.Codec{Codec: media.Opus})
		require.True(t, ok)
		require.NoError(t, x.out.Write(&rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: 7}, []byte(id), time.Time{}))
	}
	for id, x := range extras {
		o.until(t, x.recv.Started)
		a, err := x.recv.Tap().Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, id, string(a.Packet.Payload))
	}

	// A complete list that lacks one of them says that it is closed.
	err = e.Apply([]signaling.PeerConnection{{ID: join[0].ID}}, true)
	require.ErrorIs(t, err, signaling.NewError(signaling.CodeMediaConnection))
}

func TestUnpublishedSectionsAreUsedAgain(t *testing.T) {
	api := testAPI(t)
	o := newOwner(t, api)
	e := o.engine
	for i := range 50 {
		p, err := e.Publish("wire", media.VP8, func() {})
		require.NoError(t, err)
		if i%2 == 0 {
			q, err := e.Publish("other", media.Opus, func() {})
			require.NoError(t, err)
			e.Unpublish(q)
		}
		e.Unpublish(p)
	}
	require.Len(t, e.uplinks, 2)
	_, err := e.Publish("x", media.Codec("nonsense"), func() {})
	require.ErrorIs(t, err, media.ErrCodec)
}

func TestSlotsAreOfferedAheadOfNeed(t *testing.T) {
	api := testAPI(t)
	e := newOwner(t, api).engine
	require.Equal(t, 1, e.haveSlots[media.Audio])
	require.NoError(t, e.WantSlots(3, 0))
	require.Equal(t, 4, e.haveSlots[media.Audio])
	require.Equal(t, 1, e.haveSlots[media.Video])
	join, err := e.Join()
	require.NoError(t, err)
	sections := rtc.Sections(join[0].Description.SDP)
	require.Len(t, sections, 4+1+1, "and one for data")
	for _, s := range sections[:5] {
		require.Equal(t, "recvonly", s.Direction)
	}
}
