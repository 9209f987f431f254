package soak_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// guest is a participant that counts what it gets and keeps nothing of it.
type guest struct {
	t      *testing.T
	name   string
	room   *parley.Room
	data   *parley.LocalDataTrack
	order  faultnet.OrderChecker // to be looked at when closed
	closed chan struct{}
	wg     sync.WaitGroup // readers of messages

	frames, messages, events atomic.Int64
	mu                       sync.Mutex
	trouble                  []string
}

// join enters a room of the virtual server with a data track, and with the
// tracks.
func join(t *testing.T, srv *roomtest.Server, station, identity, room string, tracks ...parley.LocalTrack) *guest {
	t.Helper()
	data, err := parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: "words of " + identity})
	require.NoError(t, err)
	g := &guest{t: t, name: identity, data: data, closed: make(chan struct{})}
	g.room, err = parley.ConnectContext(t.Context(), srv.Token(identity, room), &parley.ConnectOptions{
		Transport: srv.Transport(station), ConfigureWebRTC: srv.WebRTC(station), Tracks: append(tracks, data),
	})
	require.NoError(t, err, identity)
	go g.follow(g.room.Events())
	return g
}

func (g *guest) follow(events <-chan parley.Event) {
	defer close(g.closed)
	for e := range events {
		g.events.Add(1)
		g.order.Observe(fact(e))
		switch e := e.(type) {
		case parley.TrackSubscribed:
			switch track := e.Track.(type) {
			case *parley.RemoteVideoTrack:
				_ = track.Attach(counter{&g.frames}) // it may have ended
			case *parley.RemoteDataTrack:
				g.wg.Go(func() { g.listen(track) })
			}
		case parley.TrackSubscriptionFailed, parley.LocalTrackPublicationFailed:
			g.mu.Lock()
			g.trouble = append(g.trouble, fmt.Sprintf("%T %v", e, e))
			g.mu.Unlock()
		}
	}
}

func (g *guest) listen(track *parley.RemoteDataTrack) {
	for {
		if _, err := track.Receive(context.Background()); err != nil {
			return // it has ended
		}
		g.messages.Add(1)
	}
}

// leave disconnects and judges what the guest went through.
func (g *guest) leave() {
	g.t.Helper()
	require.NoError(g.t, g.room.Disconnect(), g.name)
	<-g.closed
	g.wg.Wait()
	require.NoError(g.t, g.order.Err(), g.name)
	require.True(g.t, g.order.Ended(), "%s has no last event", g.name)
	require.Empty(g.t, g.trouble, g.name)
}

// counter is a sink.
type counter struct{ n *atomic.Int64 }

func (c counter) WriteSample(media.Sample) error {
	c.n.Add(1)
	return nil
}

// fact tells the order checker what it has to know of an event.
func fact(e parley.Event) faultnet.Fact {
	of := func(kind faultnet.Kind, p *parley.RemoteParticipant, pub *parley.RemoteTrackPublication) faultnet.Fact {
		f := faultnet.Fact{Kind: kind, Participant: p.Identity()}
		if pub != nil {
			f.Publication = pub.TrackName()
		}
		return f
	}
	switch e := e.(type) {
	case parley.ParticipantConnected:
		return of(faultnet.Connected, e.Participant, nil)
	case parley.ParticipantDisconnected:
		return of(faultnet.Gone, e.Participant, nil)
	case parley.TrackPublished:
		return of(faultnet.Published, e.Participant, e.Publication)
	case parley.TrackUnpublished:
		return of(faultnet.Unpublished, e.Participant, e.Publication)
	case parley.TrackSubscribed:
		return of(faultnet.Subscribed, e.Participant, e.Publication)
	case parley.TrackUnsubscribed:
		return of(faultnet.Unsubscribed, e.Participant, e.Publication)
	case parley.Reconnecting:
		return faultnet.Fact{Kind: faultnet.Reconnecting}
	case parley.Reconnected:
		return faultnet.Fact{Kind: faultnet.Reconnected}
	case parley.Disconnected:
		return faultnet.Fact{Kind: faultnet.Disconnected}
	}
	return faultnet.Fact{Kind: faultnet.OfRoom}
}

// say sends a word every so often until the context ends.
func (g *guest) say(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := g.data.SendText(ctx, g.name+" says something"); err != nil {
			return // it has left
		}
	}
}

// slides is a video of a few pictures a second, each of which stands alone.
type slides struct {
	data []byte
	next time.Time
	time time.Duration
}

const slidePace = time.Second

func newSlides(t *testing.T) *slides {
	t.Helper()
	src := synth.Video()
	first, err := src.Next(t.Context())
	require.NoError(t, err)
	require.NoError(t, src.Close())
	return &slides{data: first.Data, next: time.Now()}
}

func (s *slides) Codec() media.Codec { return media.VP8 }

func (s *slides) Next(ctx context.Context) (media.Sample, error) {
	timer := time.NewTimer(time.Until(s.next))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return media.Sample{}, ctx.Err()
	case <-timer.C:
	}
	at := s.time
	s.next, s.time = s.next.Add(slidePace), s.time+slidePace
	return media.Sample{Data: s.data, Timestamp: at, Duration: slidePace, Keyframe: true}, nil
}

func (s *slides) Close() error { return nil }
