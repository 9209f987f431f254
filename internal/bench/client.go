package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
)

// client is one participant, with the tracks that it was given.
type client struct {
	*parley.Room
	tracks chan parley.RemoteTrack // as they are subscribed
	wg     sync.WaitGroup
}

// The most tracks that any step subscribes to without taking them.
const trackQueue = 256

// join connects, and follows the events so that nobody waits for them.
func (b *bench) join(ctx context.Context, room, identity string, tracks ...parley.LocalTrack) (*client, error) {
	token, err := b.server.token(identity, room)
	if err != nil {
		return nil, err
	}
	r, err := parley.ConnectContext(ctx, token, &parley.ConnectOptions{URL: b.server.url, Tracks: tracks, Logger: b.cfg.Logger})
	if err != nil {
		return nil, err
	}
	c := &client{Room: r, tracks: make(chan parley.RemoteTrack, trackQueue)}
	events := r.Events()
	c.wg.Go(func() {
		for ev := range events {
			if s, ok := ev.(parley.TrackSubscribed); ok {
				select {
				case c.tracks <- s.Track:
				default: // nobody wants so many
				}
			}
		}
	})
	return c, nil
}

// leave ends the client.
func (c *client) leave() {
	c.Disconnect()
	c.wg.Wait()
}

// track waits for the next subscribed track.
func (c *client) track(ctx context.Context) (parley.RemoteTrack, error) {
	select {
	case t := <-c.tracks:
		return t, nil
	case <-c.Done():
		return nil, errors.Join(errors.New("the room ended"), c.Err())
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// video waits for the next subscribed track and says how its packets are read.
func (c *client) video(ctx context.Context) (*parley.RemoteVideoTrack, error) {
	t, err := c.track(ctx)
	if err != nil {
		return nil, err
	}
	v, ok := t.(*parley.RemoteVideoTrack)
	if !ok {
		return nil, fmt.Errorf("subscribed to %s instead of video", t.Kind())
	}
	return v, nil
}

// first waits for the first packet of a track.
func first(ctx context.Context, t *parley.RemoteVideoTrack) error {
	got := make(chan error, 1)
	go func() { // ends with the packet, or with the track
		_, err := t.ReadRTP()
		got <- err
	}()
	select {
	case err := <-got:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stream sends frames of one packet each at an even pace. Every frame is a key
// frame and carries when it was sent.
type stream struct {
	*parley.LocalVideoTrack
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// The stream that figures are for: about 1.5 Mbit/s in packets of 1.1 kB.
const (
	frameSize = 1100
	framePace = 6 * time.Millisecond
)

// marker stands before the time in a frame.
var marker = []byte("parley-bench-time")

func newStream(pace time.Duration) (*stream, error) {
	t, err := parley.NewLocalVideoTrack(nil, &parley.TrackOptions{Codec: media.VP8})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &stream{LocalVideoTrack: t, stop: stop}
	s.wg.Go(func() { s.run(ctx, pace) })
	return s, nil
}

func (s *stream) run(ctx context.Context, pace time.Duration) {
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	start := time.Now()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		frame := keyFrame(frameSize)
		now := time.Now()
		binary.BigEndian.PutUint64(frame[10+len(marker):], uint64(now.UnixNano()))
		if err := s.WriteSample(media.Sample{Data: frame, Timestamp: now.Sub(start), Keyframe: true}); err != nil {
			return // the track was stopped
		}
	}
}

// end stops the sending.
func (s *stream) end() {
	s.stop()
	s.wg.Wait()
	s.Stop()
}

// keyFrame is the header of a VP8 key frame of 320x240, the marker, and room.
func keyFrame(size int) []byte {
	frame := make([]byte, size)
	copy(frame, []byte{0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00})
	copy(frame[10:], marker)
	return frame
}

// age tells how long ago a packet of a stream was sent.
func age(pkt *rtp.Packet) (time.Duration, bool) {
	now := time.Now()
	i := bytes.Index(pkt.Payload, marker)
	if i < 0 || len(pkt.Payload) < i+len(marker)+8 {
		return 0, false
	}
	sent := time.Unix(0, int64(binary.BigEndian.Uint64(pkt.Payload[i+len(marker):])))
	return now.Sub(sent), true
}
