// Package demo holds a whole call on this machine: a server, a publisher and a
// subscriber that records, all through the public API, and counts what became
// of it.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/front"
	"github.com/parley-rtc/parley/internal/recording"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/signaling/accesstoken"
)

const (
	room      = "demo"
	publisher = "publisher"

	// watchTTL is how long the address of the page is good.
	watchTTL = 24 * time.Hour
	// joinTime bounds everything up to the first frame.
	joinTime = 10 * time.Second
	// drainTime bounds the wait for what is still on its way at the end.
	drainTime = time.Second
	// endTime bounds taking the server down.
	endTime = 2 * time.Second
)

// ErrNoMedia says that the call came about but no media arrived.
var ErrNoMedia = errors.New("no media arrived")

// Config says what the call is made of. Video and Audio belong to Run, which
// closes them; nil plays the clips of this program.
type Config struct {
	// Listen is the TCP address of the server, on a loopback address.
	Listen       string
	Video, Audio media.Source
	// Dir is where the recording goes.
	Dir    string
	Logger *slog.Logger

	// Started is told the address of the page to watch at, Progress how it
	// goes, each second, and RecordingFailed the first trouble of the
	// recording. Each may be nil.
	Started         func(watchURL string)
	Progress        func(Progress)
	RecordingFailed func(error)
}

// Progress is how the call stands. Bitrate and Lost are those of the last
// second.
type Progress struct {
	At           time.Duration // since the beginning
	Participants int
	Tracks       int
	BitsPerS     float64 // of media, at the subscriber
	Packets      int64
	Lost         int64
	RoundTrip    time.Duration // publisher to subscriber and back; 0: not known
}

// Run holds the call until ctx ends. An error means that something did not
// work; the summary tells how far it went.
func Run(ctx context.Context, cfg Config) (Summary, error) {
	if cfg.Video == nil {
		cfg.Video = synth.Video()
	}
	if cfg.Audio == nil {
		cfg.Audio = synth.Tone()
	}
	c := &call{
		cfg: cfg, began: time.Now(), video: newCounted(cfg.Video), audio: newCounted(cfg.Audio),
		listening: make(chan struct{}), poke: make(chan struct{}, 1),
		pending: map[string]time.Time{},
	}
	defer c.silence()
	key := accesstoken.NewKey()
	srv, err := front.Start(front.Config{
		Listen: cfg.Listen,
		SFU: sfu.Config{
			AccountSID: key.AccountSID, Keys: map[string]accesstoken.Secret{key.SID: key.Secret},
			Media: sfu.Media{Loopback: true, SameMachine: true}, Logger: cfg.Logger,
			Limits: sfu.Limits{HelloTimeout: joinTime, WriteTimeout: joinTime}, // machines may be slow
		},
	})
	if err != nil {
		return Summary{}, fmt.Errorf("starting the server: %w", err)
	}
	c.url = srv.SignalingURL()
	err = c.run(ctx, srv, key)
	end, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	err = errors.Join(err, srv.Shutdown(end, 0))
	sum := c.summary()
	if err == nil && !sum.Arrived() {
		err = ErrNoMedia
	}
	return sum, err
}

// call is one run. It owns the goroutines that follow the subscriber's events
// and exchange messages; run waits for them.
type call struct {
	cfg   Config
	url   string
	began time.Time
	wg    sync.WaitGroup

	video, audio          *counted
	data, echo            *parley.LocalDataTrack
	publisher, subscriber *parley.Room
	files                 *recording.Room
	publishJoin, join     time.Duration
	joinStart             time.Time
	stats                 totals
	once                  sync.Once
	listening             chan struct{} // closed when messages can be received
	poke                  chan struct{} // one slot: something arrived

	mu               sync.Mutex
	inVideo, inAudio arrivals
	sent, received   int64                // messages
	pending          map[string]time.Time // messages that did not come back yet
	roundTrips       []time.Duration
}

func (c *call) run(ctx context.Context, srv *front.Server, key accesstoken.Key) error {
	sign := func(identity string, role accesstoken.Role, ttl time.Duration) (string, error) {
		return accesstoken.Token{Identity: identity, Room: room, Role: role, TTL: ttl}.Sign(key)
	}
	watch, err := sign("viewer", accesstoken.RoleSubscriber, watchTTL)
	if err != nil {
		return err
	}
	if c.cfg.Started != nil {
		c.cfg.Started(srv.WatchURL(watch))
	}
	if err := c.publish(ctx, sign); err != nil {
		return ignoreEnd(ctx, err)
	}
	if err = ignoreEnd(ctx, c.subscribe(ctx, sign)); err == nil && c.subscriber != nil {
		err = c.hold(ctx, srv)
	}
	c.publisher.Disconnect()
	c.wg.Wait()
	if c.files != nil {
		err = errors.Join(err, c.files.Close())
	}
	return err
}

// hold runs the call once both are in the room, until ctx ends.
func (c *call) hold(ctx context.Context, srv *front.Server) error {
	c.files = recording.New(c.cfg.Dir, recording.Options{Failed: c.cfg.RecordingFailed, Sample: c.arrived})
	talking, hush := context.WithCancel(ctx)
	defer hush()
	c.wg.Add(3)
	go c.follow()                     // ends with the subscriber's room
	go c.hear(c.publisher.Messages()) // ends with the publisher's
	go c.talk(talking)                // until hush
	err := c.wait(ctx, srv)
	hush()
	c.silence()
	c.drain()
	c.stats = c.measure()
	c.subscriber.Disconnect()
	return err
}

// silence closes the publisher's sources.
func (c *call) silence() {
	_, _ = c.video.Close(), c.audio.Close() // synthetic, or files that were read
}

type signer func(identity string, role accesstoken.Role, ttl time.Duration) (string, error)

func (c *call) publish(ctx context.Context, sign signer) error {
	token, err := sign(publisher, accesstoken.RolePublisher, 0)
	if err != nil {
		return err
	}
	video, err := parley.NewLocalVideoTrack(c.video, &parley.TrackOptions{Name: "picture"})
	if err != nil {
		return err
	}
	audio, err := parley.NewLocalAudioTrack(c.audio, &parley.TrackOptions{Name: "sound"})
	if err != nil {
		return err
	}
	if c.data, err = parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: "messages"}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	start := time.Now()
	c.publisher, err = parley.ConnectContext(ctx, token, &parley.ConnectOptions{
		URL: c.url, Logger: c.cfg.Logger, Tracks: []parley.LocalTrack{video, audio, c.data},
	})
	c.publishJoin = time.Since(start)
	if err != nil {
		return fmt.Errorf("joining as the publisher: %w", err)
	}
	if got := len(c.publisher.LocalParticipant().Tracks()); got != 3 {
		defer c.publisher.Disconnect()
		return fmt.Errorf("publishing: the server accepted %d of 3 tracks", got)
	}
	return nil
}

func (c *call) subscribe(ctx context.Context, sign signer) error {
	token, err := sign("recorder", accesstoken.RolePublisher, 0)
	if err != nil {
		return err
	}
	if c.echo, err = parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: "echo"}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	c.joinStart = time.Now()
	c.subscriber, err = parley.ConnectContext(ctx, token, &parley.ConnectOptions{
		URL: c.url, Logger: c.cfg.Logger, Tracks: []parley.LocalTrack{c.echo},
	})
	c.join = time.Since(c.joinStart)
	if err != nil {
		return fmt.Errorf("joining as the subscriber: %w", err)
	}
	return nil
}

// follow hands on what happens at the subscriber, until its room has ended.
func (c *call) follow() {
	defer c.wg.Done()
	for ev := range c.subscriber.Events() {
		if s, ok := ev.(parley.TrackStarted); ok {
			c.started(s.Track)
		}
		c.files.Handle(ev)
		s, ok := ev.(parley.TrackSubscribed)
		if !ok || s.Participant.Identity() != publisher {
			continue
		}
		if t, ok := s.Track.(*parley.RemoteDataTrack); ok {
			c.wg.Add(1)    // while we count ourselves
			go c.listen(t) // ends with the track
			c.once.Do(func() { close(c.listening) })
		}
	}
}

// wait lets the call go on, and returns why it ended early, if it did.
func (c *call) wait(ctx context.Context, srv *front.Server) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	patience := time.NewTimer(joinTime)
	defer patience.Stop()
	var last totals
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			last = c.progress(last)
		case <-patience.C:
			if !c.seen() {
				return fmt.Errorf("%w within %v", ErrNoMedia, joinTime)
			}
		case err := <-srv.Failed():
			return fmt.Errorf("serving: %w", err)
		case <-c.publisher.Done():
			return fmt.Errorf("the publisher's room ended: %w", cause(c.publisher))
		case <-c.subscriber.Done():
			return fmt.Errorf("the subscriber's room ended: %w", cause(c.subscriber))
		case <-c.video.ended:
			return fmt.Errorf("reading the video: %w", c.video.err)
		case <-c.audio.ended:
			return fmt.Errorf("reading the audio: %w", c.audio.err)
		}
	}
}

func cause(r *parley.Room) error {
	if err := r.Err(); err != nil {
		return err
	}
	return io.EOF
}

// drain waits for what is still on its way.
func (c *call) drain() {
	patience := time.NewTimer(drainTime)
	defer patience.Stop()
	for !c.complete() {
		select {
		case <-c.poke:
		case <-patience.C:
			return
		}
	}
}

// ignoreEnd takes an interruption for what it is: not an error.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}
