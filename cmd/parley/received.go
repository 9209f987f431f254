package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
)

// remoteTrack is what remote audio and video tracks have in common.
type remoteTrack interface {
	parley.RemoteTrack
	Codec() media.Codec
	Attach(media.Sink) error
	Detach(media.Sink) error
	Stats() parley.TrackStats
}

// received is a track that arrives.
type received struct {
	track remoteTrack
	who   string
	name  string
	ended bool
	plays bool // it was given to the player

	first   time.Duration // from the call to join on, until it began
	samples atomic.Int64
	size    atomic.Pointer[[2]int]

	last, since counts
	played      played
}

// counts are what arrived of a track.
type counts struct {
	samples int64
	parley.TrackStats
}

// WriteSample counts.
func (r *received) WriteSample(s media.Sample) error {
	r.samples.Add(1)
	if s.Keyframe && s.Width > 0 {
		r.size.Store(&[2]int{s.Width, s.Height})
	}
	return nil
}

// measure counts what came since the last time.
func (r *received) measure() {
	now := counts{samples: r.samples.Load(), TrackStats: r.track.Stats()}
	r.since.samples = now.samples - r.last.samples
	r.since.Packets, r.since.Bytes, r.since.Lost = now.Packets-r.last.Packets, now.Bytes-r.last.Bytes, now.Lost-r.last.Lost
	r.last = now
}

// started begins to count a track.
func (c *receiving) started(t remoteTrack) {
	pub := t.Publication()
	r := &received{track: t, who: pub.Participant().Identity(), name: pub.TrackName(), first: time.Since(c.began)}
	c.mu.Lock()
	c.tracks = append(c.tracks, r)
	c.mu.Unlock()
	if c.files != nil {
		return // which gets the track from its beginning, and shows us all
	}
	c.play(r)
	if err := t.Attach(r); err != nil {
		fmt.Fprintf(c.talk, "%s: %s\n", r, oneLine(err))
	}
}

// play lets a track be heard or seen, if that was asked for.
func (c *receiving) play(r *received) {
	if r.plays || r.ended {
		return
	}
	r.plays = true
	if err := c.stage.add(r); err != nil {
		fmt.Fprintf(c.talk, "%s: not played: %s\n", r, oneLine(err))
	}
}

// playRecorded plays what the recording has begun with.
func (c *receiving) playRecorded() {
	for _, r := range c.tracks {
		if r.samples.Load() > 0 {
			c.play(r)
		}
	}
}

// String is whose track it is, and its name.
func (r *received) String() string { return plain(r.who) + "/" + plain(r.name) }

// recorded counts a sample that is being recorded. It is called on any goroutine.
func (c *receiving) recorded(t parley.RemoteTrack, s media.Sample) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.tracks {
		if r.track == t {
			_ = r.WriteSample(s) // counting does not fail
			if r.samples.Load() == 1 {
				poke(c.attached)
			}
		}
	}
}

func poke(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func (c *receiving) measure() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if stats, err := c.room.Stats(ctx); err == nil && stats.RoundTrip > 0 {
		c.trip = stats.RoundTrip
	}
	for _, r := range c.tracks {
		if !r.ended {
			r.measure()
		}
	}
	c.stage.measure(c.tracks)
}

// progress prints how the last second went, on one line.
func (c *receiving) progress() {
	c.measure()
	parts := []string{fmt.Sprintf("%4v", time.Since(c.began).Round(time.Second)), "rtt " + roundTrip(c.trip)}
	for _, r := range c.tracks {
		if !r.ended {
			parts = append(parts, r.line())
		}
	}
	fmt.Fprintln(c.talk, strings.Join(parts, "  "))
}

// line is the last second of a track.
func (r *received) line() string {
	size := ""
	if wh := r.size.Load(); wh != nil {
		size = fmt.Sprintf(" %dx%d", wh[0], wh[1])
	}
	loss := 0.0
	if all := r.since.Packets + r.since.Lost; all > 0 {
		loss = 100 * float64(r.since.Lost) / float64(all)
	}
	return fmt.Sprintf("[%s %s%s %d fps %d kbit/s loss %.1f %%%s]", r, r.track.Codec(), size,
		r.since.samples, r.since.Bytes*8/1000, loss, r.played.line())
}

// watchSummary is what became of it all, for scripts too.
type watchSummary struct {
	Room        string          `json:"room"`
	Identity    string          `json:"identity"`
	DurationMS  float64         `json:"duration_ms"`
	JoinMS      float64         `json:"join_ms"`
	RoundTripMS float64         `json:"round_trip_ms"`
	Tracks      []receivedTrack `json:"tracks"`
	Recordings  []string        `json:"recordings"`
	// Error is what did not work, for whoever reads nothing else.
	Error string `json:"error,omitempty"`
}

// receivedTrack is one track of the summary.
type receivedTrack struct {
	Participant     string  `json:"participant"`
	Name            string  `json:"name"`
	Kind            string  `json:"kind"`
	Codec           string  `json:"codec"`
	Width           int     `json:"width,omitempty"`
	Height          int     `json:"height,omitempty"`
	FirstFrameMS    float64 `json:"first_frame_ms"`
	FramesReceived  int64   `json:"frames_received"`
	PacketsReceived int64   `json:"packets_received"`
	PacketsLost     int64   `json:"packets_lost"`
	BytesReceived   int64   `json:"bytes_received"`
	Played          *played `json:"played,omitempty"`
}

func (c *receiving) summary() watchSummary {
	s := watchSummary{
		Room: c.room.Name(), Identity: c.room.LocalParticipant().Identity(), DurationMS: ms(time.Since(c.began)),
		JoinMS: ms(c.join), RoundTripMS: ms(c.trip), Tracks: []receivedTrack{}, Recordings: []string{},
	}
	for _, r := range c.tracks {
		one := receivedTrack{
			Participant: r.who, Name: r.name, Kind: string(r.track.Kind()), Codec: string(r.track.Codec()), FirstFrameMS: ms(r.first),
			FramesReceived: r.samples.Load(), PacketsReceived: r.last.Packets, PacketsLost: r.last.Lost, BytesReceived: r.last.Bytes,
		}
		if wh := r.size.Load(); wh != nil {
			one.Width, one.Height = wh[0], wh[1]
		}
		if r.played.Kind != "" {
			one.Played = &r.played
		}
		s.Tracks = append(s.Tracks, one)
	}
	if c.files != nil {
		s.Recordings = append(s.Recordings, c.files.Files()...)
	}
	return s
}

// arrived reports whether there was media.
func (s *watchSummary) arrived() bool {
	for _, t := range s.Tracks {
		if t.FramesReceived > 0 {
			return true
		}
	}
	return false
}

func (s *watchSummary) print(w io.Writer) {
	fmt.Fprintf(w, "joined in %.1f ms, round trip %.1f ms\n", s.JoinMS, s.RoundTripMS)
	for _, t := range s.Tracks {
		size := ""
		if t.Width > 0 {
			size = fmt.Sprintf(" %dx%d", t.Width, t.Height)
		}
		fmt.Fprintf(w, "%s/%s (%s%s)  frames %d, first after %.1f ms, packets %d, lost %d, %d bytes\n", plain(t.Participant), plain(t.Name),
			t.Codec, size, t.FramesReceived, t.FirstFrameMS, t.PacketsReceived, t.PacketsLost, t.BytesReceived)
		if t.Played != nil {
			fmt.Fprintf(w, "  played:%s\n", t.Played.line())
		}
	}
	for _, path := range s.Recordings {
		fmt.Fprintf(w, "recorded %s\n", path)
	}
}
