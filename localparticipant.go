package parley

import (
	"context"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/google/uuid"
)

// LocalParticipant is the program itself, as the room sees it.
type LocalParticipant struct {
	room *Room
	done chan struct{}
	gone bool

	// Written by the room's loop, under its mu.
	sid, identity, region string
	tracks                []*LocalTrackPublication
	quality               gauged
}

func (p *LocalParticipant) participant() {}

// SID returns the server's handle of the participant. It differs after a full
// reconnect.
func (p *LocalParticipant) SID() string {
	p.room.mu.RLock()
	defer p.room.mu.RUnlock()
	return p.sid
}

// Identity returns who the program is, as its token says.
func (p *LocalParticipant) Identity() string {
	p.room.mu.RLock()
	defer p.room.mu.RUnlock()
	return p.identity
}

// State returns the state of the room's connection.
func (p *LocalParticipant) State() State { return p.room.State() }

// SignalingRegion returns where the signaling server is, or "".
func (p *LocalParticipant) SignalingRegion() string {
	p.room.mu.RLock()
	defer p.room.mu.RUnlock()
	return p.region
}

// Tracks returns what is published, in the order in which the server accepted it.
func (p *LocalParticipant) Tracks() []*LocalTrackPublication {
	p.room.mu.RLock()
	defer p.room.mu.RUnlock()
	return slices.Clone(p.tracks)
}

// AudioTracks returns the audio part of Tracks.
func (p *LocalParticipant) AudioTracks() []*LocalTrackPublication {
	return ofKind(p.Tracks(), KindAudio)
}

// VideoTracks returns the video part of Tracks.
func (p *LocalParticipant) VideoTracks() []*LocalTrackPublication {
	return ofKind(p.Tracks(), KindVideo)
}

// DataTracks returns the data part of Tracks.
func (p *LocalParticipant) DataTracks() []*LocalTrackPublication { return ofKind(p.Tracks(), KindData) }

// Done is closed when the room has ended.
func (p *LocalParticipant) Done() <-chan struct{} { return p.done }

// Events returns the events about the program's own tracks.
func (p *LocalParticipant) Events() <-chan Event {
	return part(p.room, p, func(e Event) bool {
		if _, failed := e.(LocalTrackPublicationFailed); failed {
			return true
		}
		return localPublicationOf(e) != nil
	}, nil)
}

func (p *LocalParticipant) finish() {
	if !p.gone {
		p.gone = true
		close(p.done)
	}
}

// EncodingParameters bound what is sent. Zero is no bound.
type EncodingParameters struct {
	MaxAudioBitrate, MaxVideoBitrate int // bits per second, of each track
}

func (e EncodingParameters) max(kind Kind) int {
	if kind == KindAudio {
		return e.MaxAudioBitrate
	}
	return e.MaxVideoBitrate
}

// SetParameters changes the bounds that ConnectOptions began with. Sources that
// are media.BitrateSetters follow at once; what cannot follow, such as a file,
// is sent as it is. A track in several rooms follows the lowest.
func (p *LocalParticipant) SetParameters(params EncodingParameters) error {
	if params.MaxAudioBitrate < 0 || params.MaxVideoBitrate < 0 {
		return wrap("%w: negative bitrate", ErrOption)
	}
	p.room.post(func() {
		p.room.loop.encoding = params
		for _, pub := range p.room.loop.publications {
			pub.bound(params)
		}
	})
	return nil
}

// PublishOptions say how a track is published. Nil is the default.
type PublishOptions struct {
	// Priority is what the server and subscribers care for first when the
	// network is short. Default: standard.
	Priority Priority
	// Name overrides the track's own.
	Name string
	// Stream groups tracks that belong together, such as a camera and its
	// microphone, for those who show them: publications with the same label
	// are one unit. At most 128 characters.
	Stream string
}

// PublishTrack publishes the track and waits until the server has accepted or
// refused it. A refusal is an *Error, and LocalTrackPublicationFailed tells it
// too. Publishing a published track returns its publication.
//
// When ctx ends first, the track is withdrawn again.
func (p *LocalParticipant) PublishTrack(ctx context.Context, t LocalTrack, opts *PublishOptions) (*LocalTrackPublication, error) {
	pubs, err := p.publish(ctx, []LocalTrack{t}, opts)
	if err != nil {
		return nil, err
	}
	return pubs[0], nil
}

// PublishTracks publishes the tracks in one step and waits for all of them. It
// returns the publications of those that were accepted; the error joins the
// refusals.
func (p *LocalParticipant) PublishTracks(ctx context.Context, tracks []LocalTrack) ([]*LocalTrackPublication, error) {
	return p.publish(ctx, tracks, nil)
}

// AddTrack is the older name of PublishTrack.
func (p *LocalParticipant) AddTrack(ctx context.Context, t LocalTrack) (*LocalTrackPublication, error) {
	return p.PublishTrack(ctx, t, nil)
}

// RemoveTrack is the older name of UnpublishTrack.
func (p *LocalParticipant) RemoveTrack(ctx context.Context, t LocalTrack) error {
	return p.UnpublishTrack(ctx, t)
}

func (p *LocalParticipant) publish(ctx context.Context, tracks []LocalTrack, opts *PublishOptions) ([]*LocalTrackPublication, error) {
	r := p.room
	pubs := make([]*LocalTrackPublication, len(tracks))
	for i, t := range tracks {
		pub, err := newPublication(r, t, opts)
		if err != nil {
			return nil, err
		}
		pubs[i] = pub
	}
	var failed error
	if err := r.do(ctx, func() { failed = r.publish(pubs) }); err != nil {
		r.withdrawAll(pubs)
		return nil, err
	}
	if failed != nil {
		return nil, wrap("publishing: %w", failed)
	}
	return await(ctx, r, pubs)
}

// await waits until the publications are settled.
func await(ctx context.Context, r *Room, pubs []*LocalTrackPublication) ([]*LocalTrackPublication, error) {
	var good []*LocalTrackPublication
	var errs []error
	for _, pub := range pubs {
		select {
		case <-pub.settled:
		case <-ctx.Done():
			r.withdrawAll(pubs)
			return good, ctx.Err()
		}
		r.mu.RLock()
		err := pub.err
		r.mu.RUnlock()
		if err != nil {
			errs = append(errs, wrap("publishing track %s: %w", pub.name, err))
			continue
		}
		good = append(good, pub)
	}
	return good, errors.Join(errs...)
}

// withdrawAll takes back what nobody waits for any more.
func (r *Room) withdrawAll(pubs []*LocalTrackPublication) {
	r.post(func() {
		for _, pub := range pubs {
			if !pub.told {
				r.unpublish(pub)
			}
		}
	})
}

// UnpublishTrack withdraws the track from the room. The track itself is not
// stopped. A track that is not published is no error; a publication that is
// still pending fails with ErrUnpublished.
func (p *LocalParticipant) UnpublishTrack(ctx context.Context, t LocalTrack) error {
	r := p.room
	err := r.do(ctx, func() {
		for _, pub := range r.loop.publications {
			if pub.track == t {
				r.unpublish(pub)
				return
			}
		}
	})
	if errors.Is(err, ErrRoomClosed) {
		return nil // nothing is published any more
	}
	return err
}

const maxName = 128 // characters

func newPublication(r *Room, t LocalTrack, opts *PublishOptions) (*LocalTrackPublication, error) {
	if t == nil {
		return nil, wrap("%w: nil track", ErrOption)
	}
	if opts == nil {
		opts = &PublishOptions{}
	}
	pub := &LocalTrackPublication{
		room: r, track: t, kind: t.Kind(), id: uuid.NewString(), name: t.Name(),
		priority: opts.Priority, stream: opts.Stream, settled: make(chan struct{}), finale: make(chan struct{}),
	}
	if pub.priority == "" {
		pub.priority = PriorityStandard
	}
	if !validPriority(pub.priority) {
		return nil, wrap("%w: priority %q", ErrOption, opts.Priority)
	}
	if opts.Name != "" {
		pub.name = opts.Name
	}
	if pub.name == "" {
		pub.name = pub.id
	}
	if utf8.RuneCountInString(pub.name) > 4*maxName {
		return nil, wrap("%w: %w", ErrOption, ErrTrackNameTooLong) // not even worth asking
	}
	return pub, nil
}

// publish begins to publish. It runs on the loop. For tracks that are published
// already it puts their publication into the list.
func (r *Room) publish(pubs []*LocalTrackPublication) error {
	for i, pub := range pubs {
		if old := r.published(pub.track); old != nil {
			pubs[i] = old
			continue
		}
		if err := pub.open(r.loop.engine); err != nil {
			return err
		}
		r.loop.publications = append(r.loop.publications, pub)
		pub.bound(r.loop.encoding)
		if m := pub.track.local(); m != nil {
			m.follow(pub)
		}
		r.changed()
	}
	return r.negotiate()
}

func (r *Room) published(t LocalTrack) *LocalTrackPublication {
	for _, pub := range r.loop.publications {
		if pub.track == t {
			return pub
		}
	}
	return nil
}

// unpublish withdraws a publication. It runs on the loop.
func (r *Room) unpublish(pub *LocalTrackPublication) {
	if pub.gone {
		return
	}
	pub.gone = true
	close(pub.finale)
	l := &r.loop
	l.publications = slices.DeleteFunc(l.publications, func(o *LocalTrackPublication) bool { return o == pub })
	pub.detach()
	pub.close(l.engine)
	pub.settle(ErrUnpublished)
	r.shareUplink() // what it leaves
	r.changed()
	r.mu.Lock()
	defer r.mu.Unlock()
	if pub.listed {
		r.local.tracks = slices.DeleteFunc(slices.Clone(r.local.tracks), func(o *LocalTrackPublication) bool { return o == pub })
		r.tellOwn(pub.track, LocalTrackUnpublished{pub})
	}
}
