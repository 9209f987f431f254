package parley

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
)

// keyframePause is the least time between two requests to a source.
const keyframePause = 500 * time.Millisecond

// LocalTrack is something to publish: *LocalAudioTrack, *LocalVideoTrack or
// *LocalDataTrack. One track may be published in several rooms.
type LocalTrack interface {
	Kind() Kind
	// ID is chosen when the track is made, and unique.
	ID() string
	// Name is the name under which it is published by default; empty: a
	// fresh one for each publication.
	Name() string
	// Stop ends the track for good, and closes its source if it has one.
	// Publications stay until they are withdrawn. It is idempotent.
	Stop()
	// Done is closed when the track has ended.
	Done() <-chan struct{}
	// Events is the track's part of the timelines of the rooms that publish
	// it. It begins with the present and ends with LocalTrackStopped, when
	// the track is stopped, not when a room ends. Who opens it reads it until
	// then; 65 536 unread events close it.
	Events() <-chan Event

	local() *localMedia // nil for data
	own() *ownEvents
}

// TrackOptions say how a local track begins. Nil is the default.
type TrackOptions struct {
	// Name must be unique among the participant's tracks, at most 128
	// characters.
	Name string
	// Disabled makes the track begin disabled.
	Disabled bool
	// Codec is needed where there is no source.
	Codec media.Codec
	// MutedAfter is how long the source may give nothing before the track
	// counts as muted, until it gives something again: a device that hangs, a
	// cable that is loose. Zero, the default: it never does. It counts while
	// the track is published.
	MutedAfter time.Duration
}

// LocalAudioTrack is audio to publish.
type LocalAudioTrack struct{ *localMedia }

// NewLocalAudioTrack returns a track that sends the source's samples while it
// is published somewhere. With a nil source the program gives the track its
// media itself, with WriteSample or WriteRTP, and names the codec in opts.
func NewLocalAudioTrack(src media.Source, opts *TrackOptions) (*LocalAudioTrack, error) {
	m, err := newLocalMedia(KindAudio, src, opts)
	if err != nil {
		return nil, err
	}
	return &LocalAudioTrack{m}, nil
}

// LocalVideoTrack is video to publish.
type LocalVideoTrack struct{ *localMedia }

// NewLocalVideoTrack returns a track that sends the source's samples while it
// is published somewhere. With a nil source the program gives the track its
// media itself, with WriteSample or WriteRTP, and names the codec in opts.
//
// A publication begins with a key frame, and so does a track that is enabled
// again: the source is asked for one if it is a media.KeyframeRequester.
func NewLocalVideoTrack(src media.Source, opts *TrackOptions) (*LocalVideoTrack, error) {
	m, err := newLocalMedia(KindVideo, src, opts)
	if err != nil {
		return nil, err
	}
	return &LocalVideoTrack{m}, nil
}

// Dimensions returns the size of the last key frame, zero before the first.
func (t *LocalVideoTrack) Dimensions() (width, height int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.width, t.height
}

// localMedia is what local audio and video tracks share. It owns one goroutine,
// while the track has a source and is published somewhere.
type localMedia struct {
	*ownEvents
	kind     Kind
	codec    media.Codec
	src      media.Source // nil: the program writes
	id, name string
	requests chan struct{} // one-slot, where there is no source
	patience time.Duration // MutedAfter
	wg       sync.WaitGroup

	send sync.Mutex // one sample at a time

	// Of simulcast: a layer above the lowest has that one's publications, and
	// is enabled and stopped with it.
	index int           // of the layer
	base  *localMedia   // nil: this is the lowest
	upper []*localMedia // the others, of the lowest

	mu            sync.Mutex
	disabled      bool
	stopped       bool
	err           error
	pubs          []*LocalTrackPublication // replaced, never changed
	running       bool
	cancel        context.CancelFunc
	bitrate       int       // that the source was given
	asked         time.Time // when a key frame was last requested
	askLater      bool      // requested again too soon: once the pause is over
	heard         time.Time // when the source last gave something, or was first asked
	muted         bool
	width, height int
}

func newLocalMedia(kind Kind, src media.Source, opts *TrackOptions) (*localMedia, error) {
	if opts == nil {
		opts = &TrackOptions{}
	}
	codec := opts.Codec
	if src != nil {
		codec = src.Codec()
	}
	if Kind(codec.Kind()) != kind {
		return nil, wrap("%w: %w: %q for a track of %s", ErrOption, ErrCodec, codec, kind)
	}
	if opts.MutedAfter < 0 {
		return nil, wrap("%w: MutedAfter %v", ErrOption, opts.MutedAfter)
	}
	return &localMedia{
		ownEvents: newOwnEvents(), patience: opts.MutedAfter, kind: kind, codec: codec, src: src, id: uuid.NewString(), name: opts.Name,
		disabled: opts.Disabled, requests: make(chan struct{}, 1),
	}, nil
}

func (m *localMedia) local() *localMedia { return m }

// Kind returns audio or video.
func (m *localMedia) Kind() Kind { return m.kind }

// ID returns the track's own id.
func (m *localMedia) ID() string { return m.id }

// Name returns the name under which the track is published by default.
func (m *localMedia) Name() string { return m.name }

// Codec returns the encoding.
func (m *localMedia) Codec() media.Codec { return m.codec }

// IsEnabled reports whether the track is enabled.
func (m *localMedia) IsEnabled() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.disabled
}

// IsStopped reports whether the track has ended.
func (m *localMedia) IsStopped() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stopped
}

// IsMuted reports whether the source gives nothing at present. See
// TrackOptions.MutedAfter.
func (m *localMedia) IsMuted() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.muted
}

// Err returns why the source ended the track, nil for an end in good order.
func (m *localMedia) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// Enable is SetEnabled(true).
func (m *localMedia) Enable() { m.SetEnabled(true) }

// Disable is SetEnabled(false).
func (m *localMedia) Disable() { m.SetEnabled(false) }

// SetEnabled pauses the track or lets it go on. Others are told, and nothing is
// negotiated. A disabled track goes on reading its source, and sends nothing.
func (m *localMedia) SetEnabled(enabled bool) {
	m.mu.Lock()
	if m.disabled != enabled {
		m.mu.Unlock()
		return
	}
	m.disabled = !enabled
	pubs := m.pubs
	for _, pub := range pubs {
		for i := range pub.sender.layers {
			pub.sender.layers[i].needKey.Store(true)
		}
	}
	m.mu.Unlock()
	if enabled {
		for _, l := range m.layers() {
			l.requestKeyframe()
		}
	}
	for _, pub := range pubs {
		pub.room.post(func() { pub.room.localEnabled(pub, enabled) })
	}
}

// Stop ends the track for good and closes its source. Publications stay until
// they are withdrawn. It is idempotent.
func (m *localMedia) Stop() {
	m.finish(nil)
	for _, l := range m.layers() {
		l.wg.Wait()
	}
}

func (m *localMedia) finish(err error) {
	if m.base != nil {
		m.base.finish(err)
		return
	}
	m.mu.Lock()
	if m.stopped {
		m.mu.Unlock()
		return
	}
	m.stopped, m.err = true, err
	pubs := m.pubs
	if m.cancel != nil {
		m.cancel()
	}
	m.mu.Unlock()
	m.end(err)
	if m.src != nil {
		_ = m.src.Close() // the track has ended either way
	}
	for _, l := range m.upper {
		l.cease()
	}
	for _, pub := range pubs {
		pub.room.post(func() { pub.room.localStopped(pub, err) })
	}
}

// KeyframeRequests tells a program that writes the media itself when a key
// frame is wanted, at most twice a second.
func (m *localMedia) KeyframeRequests() <-chan struct{} { return m.requests }

func (m *localMedia) requestKeyframe() {
	m.mu.Lock()
	now := time.Now()
	m.askLater = m.kind == KindVideo && now.Sub(m.asked) < keyframePause
	if m.kind != KindVideo || m.askLater {
		m.mu.Unlock()
		return
	}
	m.asked = now
	m.mu.Unlock()
	if k, ok := m.src.(media.KeyframeRequester); ok {
		k.RequestKeyframe()
	}
	select {
	case m.requests <- struct{}{}:
	default:
	}
}

// follow makes the publication get the track's samples once it is live.
func (m *localMedia) follow(pub *LocalTrackPublication) {
	m.mu.Lock()
	m.pubs = append(slices.Clone(m.pubs), pub)
	if m.stopped {
		err := m.err
		pub.room.post(func() { pub.room.localStopped(pub, err) })
	} else if m.muted {
		pub.room.post(func() { pub.room.localMuted(pub, true) })
	}
	m.mu.Unlock()
	m.share()
	m.aim()
}

// aim gives the sources the lowest bound of the publications and of their
// connections, and each layer its part of it.
func (m *localMedia) aim() {
	m.mu.Lock()
	lowest := 0
	for _, pub := range m.pubs {
		for _, b := range [...]int64{pub.sender.bitrate.Load(), pub.sender.part.Load()} {
			if b != 0 && (lowest == 0 || int(b) < lowest) {
				lowest = int(b)
			}
		}
	}
	m.mu.Unlock()
	layers := m.layers()
	for i, l := range layers {
		l.limit(layerShare(lowest, i, len(layers)))
	}
}

// limit gives the source its bound.
func (m *localMedia) limit(bitrate int) {
	src, ok := m.src.(media.BitrateSetter)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if bitrate != m.bitrate {
		m.bitrate = bitrate
		src.SetBitrate(bitrate)
	}
}

func (m *localMedia) unfollow(pub *LocalTrackPublication) {
	m.mu.Lock()
	m.pubs = slices.DeleteFunc(slices.Clone(m.pubs), func(o *LocalTrackPublication) bool { return o == pub })
	m.mu.Unlock()
	m.share()
	m.aim()
	for _, l := range m.layers() {
		l.update()
		// After this no sample is on its way to the publication.
		l.send.Lock()
		l.send.Unlock() //nolint:staticcheck // it waits for who is in it
	}
}

// update starts or pauses the reading of the source.
func (m *localMedia) update() {
	m.mu.Lock()
	defer m.mu.Unlock()
	wanted := m.src != nil && !m.stopped && slices.ContainsFunc(m.pubs, func(p *LocalTrackPublication) bool {
		return p.sender.live.Load() && !p.sender.layers[m.index].resting.Load()
	})
	switch {
	case wanted && !m.running:
		ctx, cancel := context.WithCancel(context.Background())
		m.running, m.cancel = true, cancel
		m.wg.Add(1)
		go func() {
			defer m.wg.Done()
			m.run(ctx)
		}()
	case !wanted && m.running:
		m.cancel()
	}
}

func (m *localMedia) run(ctx context.Context) {
	stop := m.listen()
	defer stop()
	for {
		s, err := m.src.Next(ctx)
		if err != nil {
			stop()
			m.mu.Lock()
			paused := ctx.Err() != nil
			m.running = false
			m.mu.Unlock()
			if !paused {
				if errors.Is(err, io.EOF) {
					err = nil
				}
				m.finish(err)
			}
			m.update() // wanted again meanwhile?
			return
		}
		m.hear()
		m.write(s)
	}
}

// listen mutes the track when the source gives nothing for too long, until stop
// is called.
func (m *localMedia) listen() (stop func()) {
	if m.patience == 0 {
		return func() {}
	}
	var timer *time.Timer
	m.mu.Lock()
	defer m.mu.Unlock()
	over := false
	m.heard = time.Now()
	timer = time.AfterFunc(m.patience, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if over {
			return
		}
		wait := m.patience - time.Since(m.heard)
		if wait <= 0 {
			m.mute(true)
			wait = m.patience
		}
		timer.Reset(wait)
	})
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		over, m.muted = true, false
		timer.Stop()
	}
}

// hear takes note that the source gave something.
func (m *localMedia) hear() {
	if m.patience == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heard = time.Now()
	m.mute(false)
}

// mute tells the rooms. The lock is held, which keeps the order.
func (m *localMedia) mute(muted bool) {
	if m.muted == muted || m.stopped {
		return
	}
	m.muted = muted
	for _, pub := range m.pubs {
		pub.room.post(func() { pub.room.localMuted(pub, muted) })
	}
}

// WriteSample sends one sample to wherever the track is published; it does not
// wait for the network. Only for tracks without a source.
func (m *localMedia) WriteSample(s media.Sample) error {
	if err := m.writable(); err != nil {
		return err
	}
	if s.Codec == "" {
		s.Codec = m.codec
	}
	if m.kind == KindVideo && !s.Keyframe {
		s.Keyframe = media.IsKeyframe(m.codec, s.Data)
	}
	m.write(s)
	return nil
}

// WriteRTP sends one packet that was made elsewhere: its payload, timestamp and
// marker; sequence number, payload type and SSRC are the room's. Only for
// tracks without a source.
func (m *localMedia) WriteRTP(pkt *rtp.Packet) error {
	if pkt == nil {
		return wrap("%w: nil packet", ErrOption)
	}
	if err := m.writable(); err != nil {
		return err
	}
	m.send.Lock()
	defer m.send.Unlock()
	for _, pub := range m.followers() {
		w := pub.sender.layers[0].media.Load()
		if w == nil || !pub.sender.live.Load() || w.Idle() {
			continue
		}
		pub.note(w.WriteRTP(pkt))
	}
	return nil
}

func (m *localMedia) writable() error {
	if m.src != nil {
		return wrap("%w: the track has a source", ErrOption)
	}
	if m.IsStopped() {
		return wrap("%w", ErrTrackStopped)
	}
	return nil
}

// followers returns the publications that may get media now.
func (m *localMedia) followers() []*LocalTrackPublication {
	if m.base != nil {
		m = m.base
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.disabled {
		return nil
	}
	return m.pubs
}

func (m *localMedia) write(s media.Sample) {
	m.send.Lock()
	defer m.send.Unlock()
	best := m.best() == m.index // its size is the track's
	if s.Keyframe && s.Width != 0 && best {
		m.sized(s.Width, s.Height)
	}
	m.mu.Lock()
	wantKey := m.askLater && !s.Keyframe && time.Since(m.asked) >= keyframePause
	if s.Keyframe {
		m.askLater = false
	}
	m.mu.Unlock()
	for _, pub := range m.followers() {
		l := &pub.sender.layers[m.index]
		w := l.media.Load()
		if w == nil || !pub.sender.live.Load() || l.resting.Load() || w.Idle() {
			continue
		}
		if m.kind == KindVideo && !s.Keyframe && l.needKey.Load() {
			wantKey = true
			continue
		}
		if !pub.note(w.WriteSample(s)) {
			continue
		}
		pub.sender.sent.Add(int64(len(s.Data)))
		if s.Keyframe {
			l.needKey.Store(false)
			if s.Width != 0 && best {
				pub.sized(s.Width, s.Height)
			}
		}
	}
	if wantKey {
		m.requestKeyframe()
	}
}
