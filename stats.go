package parley

import (
	"context"
	"iter"
	"time"

	"github.com/parley-rtc/parley/media"
)

// Stats says how a room's media connection does.
type Stats struct {
	RoundTrip     time.Duration // to the server; zero until measured
	CandidatePair string        // the ICE candidate pair in use, or ""
	// AvailableOutgoingBitrate is how much video the connection takes beside
	// what else is sent, in bits per second of payload; zero where it has shown
	// no limit. Sources that are media.BitrateSetters follow it by themselves.
	AvailableOutgoingBitrate int

	Sent     map[*LocalTrackPublication]SentStats
	Received map[*RemoteTrackPublication]TrackStats
}

// SentStats counts what was sent for a publication. The figures about losses
// are those of the server's last report.
type SentStats struct {
	Codec          media.Codec
	SSRC           uint32 // of the first layer; zero in peer-to-peer rooms, where each connection has its own
	Samples        int64
	Packets, Bytes int64
	Resent         int64 // packets sent again on request
	Nacks          int64 // requests for that
	Keyframes      int64 // requests for key frames
	Lost           int64 // packets the server missed
	FractionLost   float64
	RoundTrip      time.Duration
	Jitter         time.Duration
	Unsent         int64 // samples that could not be sent

	Width, Height int     // of video, in pixels, zero until known
	FrameRate     float64 // of video: pictures in the last second or so, of the layer that has most
	AudioLevel    int     // of the last sample: see media.Sample

	// CaptureWidth and CaptureHeight are the size of the pictures that the
	// source captures, in pixels: those of a media.CaptureReporter, of others
	// the size that is sent.
	CaptureWidth, CaptureHeight int
	// QualityLimitation is why video is not as good as its source could make
	// it; "" for audio.
	QualityLimitation QualityLimitation
}

// QualityLimitation is a reason why video is worse than it could be: what the
// statistics of browsers call qualityLimitationReason.
type QualityLimitation string

const (
	// QualityLimitationNone says that the source does what it can.
	QualityLimitationNone QualityLimitation = "none"
	// QualityLimitationBandwidth says that the connection takes no more.
	QualityLimitationBandwidth QualityLimitation = "bandwidth"
	// QualityLimitationCPU says that the machine encodes no more.
	QualityLimitationCPU QualityLimitation = "cpu"
)

// Stats returns the counters of the connection and its audio and video tracks.
func (r *Room) Stats(ctx context.Context) (*Stats, error) {
	s := &Stats{Sent: map[*LocalTrackPublication]SentStats{}, Received: map[*RemoteTrackPublication]TrackStats{}}
	err := r.do(ctx, func() {
		c := r.loop.engine.Connection()
		s.RoundTrip, s.CandidatePair = c.RTT, c.Pair
		s.AvailableOutgoingBitrate, _ = r.loop.engine.MediaLimit()
		for _, pub := range r.loop.publications {
			if w := pub.sender.layers[0].media.Load(); w != nil {
				s.Sent[pub] = pub.Stats()
			}
		}
		for _, p := range r.remotes {
			for _, pub := range p.tracks {
				if pub.track != nil && pub.track.media() != nil {
					s.Received[pub] = pub.track.media().Stats()
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// StatsEvery yields the statistics again and again, first after the interval,
// until ctx or the room ends.
func (r *Room) StatsEvery(ctx context.Context, interval time.Duration) iter.Seq[*Stats] {
	return func(yield func(*Stats) bool) {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-r.Done():
				return
			case <-ctx.Done():
				return
			}
			s, err := r.Stats(ctx)
			if err != nil || !yield(s) {
				return
			}
		}
	}
}

// Stats returns what was sent for an audio or video track, since the last full
// reconnect: the sum of its layers, and the worst of what cannot be summed.
func (p *LocalTrackPublication) Stats() SentStats {
	var s SentStats
	if m := p.track.local(); m != nil {
		s.Codec = m.codec
	}
	if video, ok := p.track.(*LocalVideoTrack); ok {
		s.Width, s.Height = video.Dimensions()
		s.CaptureWidth, s.CaptureHeight, s.QualityLimitation = video.captured()
		if s.QualityLimitation == QualityLimitationNone && p.sender.part.Load() != 0 {
			s.QualityLimitation = QualityLimitationBandwidth
		}
	}
	for i := range p.sender.layers {
		w := p.sender.layers[i].media.Load()
		if w == nil {
			break
		}
		o := w.Stats()
		if i == 0 {
			s.SSRC = o.SSRC
		}
		s.FrameRate, s.AudioLevel = max(s.FrameRate, o.FrameRate), o.Level
		s.Samples += o.Samples
		s.Packets += o.Packets
		s.Bytes += o.Bytes
		s.Resent += o.Resent
		s.Nacks += o.Nacks
		s.Keyframes += o.Keyframes
		s.Lost += o.Lost
		s.FractionLost = max(s.FractionLost, o.FractionLost)
		s.RoundTrip = max(s.RoundTrip, o.RTT)
		s.Jitter = max(s.Jitter, o.Jitter)
		s.Unsent = p.sender.failed.Load()
	}
	return s
}

// captured returns the size of the pictures that the track's source captures,
// and whether the machine is too slow for them.
func (t *LocalVideoTrack) captured() (width, height int, limit QualityLimitation) {
	width, height = t.Dimensions()
	limit = QualityLimitationNone
	for _, l := range t.layers() {
		src, ok := l.src.(media.CaptureReporter)
		if !ok {
			continue
		}
		c := src.CaptureStats()
		if c.Width > 0 && c.Height > 0 {
			width, height = c.Width, c.Height
		}
		if c.Overloaded {
			limit = QualityLimitationCPU
		}
	}
	return width, height, limit
}
