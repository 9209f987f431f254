package parley_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

// layerSource encodes nothing: 25 pictures a second, in a form that tells what
// a decoder would need to have seen. A picture is a key frame, or it refers to
// the one before of its own layer.
type layerSource struct {
	layer         int
	width, height int

	mu      sync.Mutex
	key     bool
	asked   int // key frames
	read    int // pictures
	last    time.Time
	bitrate int
	n       int
	closed  chan struct{}
	once    sync.Once
}

func newLayerSource(layer, width, height int) *layerSource {
	return &layerSource{layer: layer, width: width, height: height, closed: make(chan struct{})}
}

func (s *layerSource) Codec() media.Codec { return media.VP8 }

func (s *layerSource) Next(ctx context.Context) (media.Sample, error) {
	now := time.Now()
	due := now.Truncate(framePace).Add(framePace)
	select {
	case <-time.After(due.Sub(now)):
	case <-ctx.Done():
		return media.Sample{}, ctx.Err()
	case <-s.closed:
		return media.Sample{}, io.EOF
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	s.read++
	s.last = due
	key := s.key || s.n == 1
	s.key = false
	data := []byte{0x11, 0, 0}
	if key {
		data = []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a}
		data = binary.LittleEndian.AppendUint16(data, uint16(s.width))
		data = binary.LittleEndian.AppendUint16(data, uint16(s.height))
	}
	data = fmt.Appendf(data, "|%d|%d|", s.layer, s.n)
	data = append(data, make([]byte, 500<<(2*s.layer))...)
	return media.Sample{
		Codec: media.VP8, Data: data, Timestamp: due.Sub(time.Unix(0, 0)), Captured: due,
		Keyframe: key, Width: s.width, Height: s.height,
	}, nil
}

func (s *layerSource) RequestKeyframe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = true
	s.asked++
}

func (s *layerSource) SetBitrate(bps int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bitrate = bps
}

func (s *layerSource) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *layerSource) idle() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.last)
}

// decoder is a sink that proves that every picture can be decoded: it is a key
// frame, or follows the one before of its layer.
type decoder struct {
	t *testing.T

	mu       sync.Mutex
	layer, n int
	frames   int
	layers   []int
	width    int
	stamp    time.Duration
	at       time.Time
	gap      time.Duration
}

func (d *decoder) WriteSample(s media.Sample) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var layer, n int
	body := s.Data[3:]
	if s.Keyframe {
		body = s.Data[10:]
	}
	if _, err := fmt.Sscanf(string(body[:min(len(body), 20)]), "|%d|%d|", &layer, &n); err != nil {
		d.t.Errorf("picture %d: %v", d.frames, err)
	}
	if !s.Keyframe && (layer != d.layer || n != d.n+1) {
		d.t.Errorf("picture %d of layer %d follows %d of layer %d", n, layer, d.n, d.layer)
	}
	if d.frames > 0 {
		if s.Timestamp <= d.stamp {
			d.t.Errorf("time goes back from %v to %v", d.stamp, s.Timestamp)
		}
		d.gap = max(d.gap, s.Timestamp-d.stamp)
	}
	if s.Keyframe {
		if d.frames == 0 || layer != d.layer {
			d.layers = append(d.layers, layer)
		}
		d.width = s.Width
	}
	d.layer, d.n, d.stamp, d.at = layer, n, s.Timestamp, time.Now()
	d.frames++
	return nil
}

func (d *decoder) sees() (width int, layers []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.width, d.layers
}

func threeLayers(t *testing.T) (*parley.LocalVideoTrack, []*layerSource) {
	t.Helper()
	sources := []*layerSource{newLayerSource(0, 320, 180), newLayerSource(1, 640, 360), newLayerSource(2, 1280, 720)}
	track, err := parley.NewSimulcastVideoTrack([]media.Source{sources[0], sources[1], sources[2]}, &parley.TrackOptions{Name: "cam"})
	require.NoError(t, err)
	t.Cleanup(track.Stop)
	return track, sources
}

func TestSubscribersGetTheLayerThatTheyPrefer(t *testing.T) {
	inLab(t, 1, func(l *lab) {
		t := l.t
		track, sources := threeLayers(t)
		l.join("alice", track)
		manual := func(o *parley.ConnectOptions) {
			o.BandwidthProfile = &parley.BandwidthProfile{}
		}
		var viewers []*member
		var decoders []*decoder
		for i := range 3 {
			m, err := l.dial(t.Context(), fmt.Sprint("viewer", i), manual)
			require.NoError(t, err)
			viewers = append(viewers, m)
			d := &decoder{t: t}
			decoders = append(decoders, d)
			e, _ := await(m, 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == "cam" })
			video := e.Track.(*parley.RemoteVideoTrack)
			require.NoError(t, video.SetContentPreferences(320<<i, 180<<i))
			require.NoError(t, video.Attach(d))
		}
		time.Sleep(5 * time.Second)
		for i, d := range decoders {
			width, layers := d.sees()
			require.Equal(t, 320<<i, width, "%d of %v", i, layers)
		}

		// They change places, again and again.
		for round := 1; round < 5; round++ {
			for i, m := range viewers {
				e, _ := await(m, 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == "cam" })
				want := (i + round) % 3
				require.NoError(t, e.Track.(*parley.RemoteVideoTrack).SetContentPreferences(320<<want, 180<<want))
			}
			time.Sleep(3 * time.Second)
			for i, d := range decoders {
				width, _ := d.sees()
				require.Equal(t, 320<<((i+round)%3), width)
			}
		}
		for _, d := range decoders {
			d.mu.Lock()
			require.Greater(t, d.frames, 350)
			require.Less(t, d.gap, 400*time.Millisecond)
			d.mu.Unlock()
		}
		for _, s := range sources {
			require.Less(t, s.idle(), 100*time.Millisecond, "layer %d is in use", s.layer)
		}
		for i, m := range viewers {
			if i != 0 {
				m.leave()
			}
		}
		e, _ := await(viewers[0], 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == "cam" })
		video := e.Track.(*parley.RemoteVideoTrack)
		require.NoError(t, video.SetContentPreferences(320, 180))
		time.Sleep(7 * time.Second)
		require.Less(t, sources[0].idle(), 100*time.Millisecond)
		require.Greater(t, sources[1].idle(), time.Second, "nobody needs it")
		require.Greater(t, sources[2].idle(), time.Second)
		before := time.Now()
		require.NoError(t, video.SetContentPreferences(1280, 720))
		time.Sleep(time.Second)
		width, _ := decoders[0].sees()
		require.Equal(t, 1280, width)
		require.Less(t, sources[2].idle(), 100*time.Millisecond)
		require.Greater(t, sources[1].idle(), time.Since(before))
	})
}

func TestSimulcastTracks(t *testing.T) {
	_, err := parley.NewSimulcastVideoTrack(nil, nil)
	require.ErrorIs(t, err, parley.ErrOption)
	small := newLayerSource(0, 320, 180)
	_, err = parley.NewSimulcastVideoTrack([]media.Source{small, nil}, nil)
	require.ErrorIs(t, err, parley.ErrOption)
	_, err = parley.NewSimulcastVideoTrack([]media.Source{small, small, small, small}, nil)
	require.ErrorIs(t, err, parley.ErrOption)

	inLab(t, 2, func(l *lab) {
		t := l.t
		track, sources := threeLayers(t)
		alice := l.join("alice", track)
		require.NoError(t, alice.room.LocalParticipant().SetParameters(parley.EncodingParameters{MaxVideoBitrate: 1_300_000}))
		bob := l.join("bob")
		d := &decoder{t: t}
		e, _ := await(bob, 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == "cam" })
		require.NoError(t, e.Track.(*parley.RemoteVideoTrack).Attach(d))
		time.Sleep(2 * time.Second)
		width, _ := d.sees()
		require.Equal(t, 1280, width, "without a wish it is the best")
		for i, want := range []int{100_000, 300_000, 900_000} {
			sources[i].mu.Lock()
			require.Equal(t, want, sources[i].bitrate)
			sources[i].mu.Unlock()
		}
		w, h := track.Dimensions()
		require.Equal(t, [2]int{1280, 720}, [2]int{w, h})

		track.Disable()
		time.Sleep(time.Second)
		d.mu.Lock()
		frames := d.frames
		d.mu.Unlock()
		time.Sleep(2 * time.Second)
		d.mu.Lock()
		require.Equal(t, frames, d.frames)
		d.mu.Unlock()
		track.Enable()
		time.Sleep(2 * time.Second)
		d.mu.Lock()
		require.Greater(t, d.frames, frames+30)
		d.mu.Unlock()

		// Withdrawn and published again, in the same sections.
		require.NoError(t, alice.room.LocalParticipant().UnpublishTrack(t.Context(), track))
		time.Sleep(time.Second)
		_, err := alice.room.LocalParticipant().PublishTrack(t.Context(), track, nil)
		require.NoError(t, err)
		again := &decoder{t: t}
		mark := 0
		e, _ = await(bob, mark, func(e2 parley.TrackSubscribed) bool { return e2.Track != e.Track })
		require.NoError(t, e.Track.(*parley.RemoteVideoTrack).Attach(again))
		time.Sleep(3 * time.Second)
		width, _ = again.sees()
		require.Equal(t, 1280, width)

		require.NoError(t, sources[1].Close())
		time.Sleep(time.Second)
		require.True(t, track.IsStopped(), "it ends with any of its layers")
		for _, s := range sources {
			<-s.closed
		}
	})
}

func TestNothingIsSentOfWhatNobodyWatches(t *testing.T) {
	inLab(t, 3, func(l *lab) {
		t := l.t
		track, sources := threeLayers(t)
		l.join("alice", track)
		rest := func(layers ...*layerSource) {
			t.Helper()
			time.Sleep(7 * time.Second)
			for _, s := range layers {
				require.Greater(t, s.idle(), time.Second, "layer %d", s.layer)
			}
		}
		rest(sources...)

		bob, err := l.dial(t.Context(), "bob", func(o *parley.ConnectOptions) { o.BandwidthProfile = &parley.BandwidthProfile{} })
		require.NoError(t, err)
		d := &decoder{t: t}
		e, _ := await(bob, 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == "cam" })
		video := e.Track.(*parley.RemoteVideoTrack)
		require.NoError(t, video.Attach(d))
		time.Sleep(2 * time.Second)
		width, _ := d.sees()
		require.Equal(t, 1280, width, "who comes gets all there is")

		require.NoError(t, video.SwitchOff())
		rest(sources...)
		require.NoError(t, video.SetContentPreferences(320, 180))
		require.NoError(t, video.SwitchOn())
		rest(sources[1:]...)
		width, _ = d.sees()
		require.Equal(t, 320, width)
		require.Less(t, sources[0].idle(), 100*time.Millisecond)
	})
}
