package parley_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMeshChurn lets participants of a peer-to-peer room come, publish,
// unpublish, be replaced, lose their signaling and go, all at once and at random,
// for a minute. Then everybody has what everybody publishes, and it flows.
func TestMeshChurn(t *testing.T) {
	seed := rand.Uint64()
	inLab(t, seed, func(l *lab) {
		var all []*wanderer
		var walking sync.WaitGroup
		until := time.Now().Add(60 * time.Second)
		for i := range 5 {
			w := &wanderer{lab: l, who: fmt.Sprintf("w%d", i), rnd: rand.New(rand.NewPCG(seed, uint64(i)))}
			all = append(all, w)
			walking.Go(func() { w.wander(until) })
		}
		walking.Wait()
		require.False(l.t, l.t.Failed())
		time.Sleep(15 * time.Second)
		var members []*member
		for _, w := range all {
			members = append(members, w.member)
		}
		complete(l.t, members)
		flowing(l.t, members)
		l.noMedia()
	}, peerToPeer)
}

// slides is a source of a few samples a second, each of which stands for itself:
// with many tracks more of them would prove nothing.
type slides struct {
	codec  media.Codec
	began  time.Time
	closed chan struct{}
	once   sync.Once
}

func newSlides(codec media.Codec) *slides {
	return &slides{codec: codec, began: time.Now(), closed: make(chan struct{})}
}

func (s *slides) Codec() media.Codec { return s.codec }

func (s *slides) Next(ctx context.Context) (media.Sample, error) {
	select {
	case <-time.After(200 * time.Millisecond):
	case <-ctx.Done():
		return media.Sample{}, ctx.Err()
	case <-s.closed:
		return media.Sample{}, io.EOF
	}
	sample := media.Sample{Codec: s.codec, Data: []byte{0xfc, 0xff, 0xfe}, Timestamp: time.Since(s.began)}
	if s.codec == media.VP8 {
		sample.Data = []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 48, 0, 7, 7, 7}
		sample.Keyframe, sample.Width, sample.Height = true, 64, 48
	}
	return sample, nil
}

func (s *slides) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// wanderer is somebody who comes and goes. All that it does is on one goroutine.
type wanderer struct {
	*lab
	who    string
	rnd    *rand.Rand
	member *member
	tracks int
}

func (w *wanderer) wander(until time.Time) {
	for time.Now().Before(until) {
		w.step()
		time.Sleep(time.Duration(w.rnd.IntN(5000)) * time.Millisecond)
	}
	if w.member == nil {
		w.enter()
	}
}

func (w *wanderer) step() {
	if w.member == nil {
		w.enter()
		return
	}
	switch w.rnd.IntN(10) {
	case 0, 1:
		w.member.leave()
		w.member = nil
	case 2:
		w.enter() // takes its own place
	case 3:
		w.member.lines.reset()
	case 4, 5, 6:
		w.publish()
	default:
		w.unpublish()
	}
}

func (w *wanderer) enter() {
	tracks := []parley.LocalTrack{w.track(), w.track()}
	hosts.Lock()
	h := w.world.Host(fmt.Sprintf("%s.%d", w.who, w.tracks))
	hosts.Unlock()
	m, err := w.dialFrom(w.t.Context(), h, w.who, publishing(tracks...))
	if assert.NoError(w.t, err, w.who) {
		w.member = m
	}
}

// track returns a new track of a kind by chance, with a name of its own.
func (w *wanderer) track() parley.LocalTrack {
	w.tracks++
	opts := &parley.TrackOptions{Name: fmt.Sprintf("%s/%d", w.who, w.tracks)}
	var track parley.LocalTrack
	var err error
	switch w.rnd.IntN(3) {
	case 0:
		track, err = parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: opts.Name})
	case 1:
		var audio *parley.LocalAudioTrack
		audio, err = parley.NewLocalAudioTrack(newSlides(media.Opus), opts)
		w.t.Cleanup(audio.Stop)
		track = audio
	default:
		var video *parley.LocalVideoTrack
		video, err = parley.NewLocalVideoTrack(newSlides(media.VP8), opts)
		w.t.Cleanup(video.Stop)
		track = video
	}
	assert.NoError(w.t, err)
	return track
}

func (w *wanderer) publish() {
	me := w.member.room.LocalParticipant()
	if len(me.Tracks()) >= 4 {
		return
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	_, err := me.PublishTrack(ctx, w.track(), nil)
	assert.NoError(w.t, err, w.who)
}

func (w *wanderer) unpublish() {
	me := w.member.room.LocalParticipant()
	pubs := me.Tracks()
	if len(pubs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	assert.NoError(w.t, me.UnpublishTrack(ctx, pubs[w.rnd.IntN(len(pubs))].Track()), w.who)
}
