package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/parley-rtc/parley"
)

// sent is a track that goes out, and what was counted of it.
type sent struct {
	*opened
	pub   *parley.LocalTrackPublication
	err   error // why the source ended
	last  parley.SentStats
	total parley.SentStats // over full reconnects, which begin to count anew
	since parley.SentStats // of the last second
}

// count adds what the publication has sent since the last time.
func (t *sent) count(now parley.SentStats) {
	if now.Samples < t.last.Samples || now.Packets < t.last.Packets {
		t.last = parley.SentStats{}
	}
	t.since = parley.SentStats{
		Samples: now.Samples - t.last.Samples, Packets: now.Packets - t.last.Packets, Bytes: now.Bytes - t.last.Bytes,
		Resent: now.Resent - t.last.Resent, Nacks: now.Nacks - t.last.Nacks, Keyframes: now.Keyframes - t.last.Keyframes,
		Lost: now.Lost - t.last.Lost, Unsent: now.Unsent - t.last.Unsent,
	}
	t.last = now
	t.total.Samples += t.since.Samples
	t.total.Packets += t.since.Packets
	t.total.Bytes += t.since.Bytes
	t.total.Resent += t.since.Resent
	t.total.Nacks += t.since.Nacks
	t.total.Keyframes += t.since.Keyframes
	t.total.Lost += t.since.Lost
	t.total.Unsent += t.since.Unsent
}

// measure counts what was sent since the last time.
func (c *sending) measure() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	stats, err := c.room.Stats(ctx)
	if err != nil {
		return // the room has ended: what was counted stays
	}
	if stats.RoundTrip > 0 {
		c.trip = stats.RoundTrip
	}
	for _, t := range c.tracks {
		if now, ok := stats.Sent[t.pub]; ok {
			t.count(now)
		}
	}
}

// progress prints how the last second went, on one line.
func (c *sending) progress() {
	c.measure()
	parts := []string{fmt.Sprintf("%4v", time.Since(c.began).Round(time.Second)), "rtt " + roundTrip(c.trip)}
	for _, t := range c.tracks {
		parts = append(parts, t.line())
	}
	fmt.Fprintln(c.talk, strings.Join(parts, "  "))
}

// line is the last second of a track.
func (t *sent) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%s %s", plain(t.track.Name()), t.track.Codec())
	if w, h := t.dimensions(); w > 0 {
		fmt.Fprintf(&b, " %dx%d", w, h)
	}
	fmt.Fprintf(&b, " %d fps %d kbit/s loss %.1f %%", t.since.Samples, t.since.Bytes*8/1000, 100*t.last.FractionLost)
	if t.pub.Kind() == parley.KindVideo {
		fmt.Fprintf(&b, " keyframe requests %d", t.total.Keyframes)
	}
	if t.track.IsStopped() {
		b.WriteString(" ended")
	} else if t.track.IsMuted() {
		b.WriteString(" muted")
	}
	b.WriteString("]")
	return b.String()
}

func (t *sent) dimensions() (width, height int) {
	if v, ok := t.track.(*parley.LocalVideoTrack); ok {
		return v.Dimensions()
	}
	return 0, 0
}

func roundTrip(d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f ms", ms(d))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// publishSummary is what became of it all, for scripts too.
type publishSummary struct {
	Room        string      `json:"room"`
	Identity    string      `json:"identity"`
	Participant string      `json:"participant"`
	DurationMS  float64     `json:"duration_ms"`
	JoinMS      float64     `json:"join_ms"`
	RoundTripMS float64     `json:"round_trip_ms"`
	Tracks      []sentTrack `json:"tracks"`
	// Error is what did not work, for whoever reads nothing else.
	Error string `json:"error,omitempty"`
}

// sentTrack is one track of the summary.
type sentTrack struct {
	Name             string  `json:"name"`
	Source           string  `json:"source"`
	Granted          string  `json:"granted,omitempty"`
	Kind             string  `json:"kind"`
	Codec            string  `json:"codec"`
	SID              string  `json:"sid,omitempty"`
	Width            int     `json:"width,omitempty"`
	Height           int     `json:"height,omitempty"`
	FramesSent       int64   `json:"frames_sent"`
	PacketsSent      int64   `json:"packets_sent"`
	BytesSent        int64   `json:"bytes_sent"`
	PacketsLost      int64   `json:"packets_lost"`
	PacketsResent    int64   `json:"packets_resent"`
	KeyframeRequests int64   `json:"keyframe_requests"`
	FPS              float64 `json:"fps"`
	BitsPerS         float64 `json:"bits_per_s"`
	Error            string  `json:"error,omitempty"`
}

func (c *sending) summary(total time.Duration) publishSummary {
	s := publishSummary{
		Room: c.room.Name(), Identity: c.room.LocalParticipant().Identity(), Participant: c.room.LocalParticipant().SID(),
		DurationMS: ms(total), JoinMS: ms(c.join), RoundTripMS: ms(c.trip), Tracks: []sentTrack{},
	}
	seconds := time.Since(c.began).Seconds()
	for _, t := range c.tracks {
		one := sentTrack{
			Name: t.track.Name(), Source: t.spec.String(), Granted: t.granted, Kind: string(t.track.Kind()), Codec: string(t.track.Codec()),
			FramesSent: t.total.Samples, PacketsSent: t.total.Packets, BytesSent: t.total.Bytes, PacketsLost: t.total.Lost,
			PacketsResent: t.total.Resent, KeyframeRequests: t.total.Keyframes,
		}
		if t.pub != nil {
			one.SID = t.pub.TrackSID()
		}
		one.Width, one.Height = t.dimensions()
		if !c.began.IsZero() && seconds > 0 {
			one.FPS = float64(t.total.Samples) / seconds
			one.BitsPerS = float64(t.total.Bytes*8) / seconds
		}
		if t.err != nil {
			one.Error = oneLine(t.err)
		}
		s.Tracks = append(s.Tracks, one)
	}
	return s
}

func (s *publishSummary) print(w io.Writer) {
	fmt.Fprintf(w, "joined in %.1f ms, round trip %.1f ms\n", s.JoinMS, s.RoundTripMS)
	for _, t := range s.Tracks {
		size := ""
		if t.Width > 0 {
			size = fmt.Sprintf(" %dx%d", t.Width, t.Height)
		}
		fmt.Fprintf(w, "%s (%s%s)  frames %d (%.1f a second), %.0f kbit/s, packets %d, lost %d, sent again %d, key frame requests %d\n",
			plain(t.Name), t.Codec, size, t.FramesSent, t.FPS, t.BitsPerS/1000, t.PacketsSent, t.PacketsLost, t.PacketsResent, t.KeyframeRequests)
	}
}
