package demo

import (
	"slices"
	"time"
)

// Summary is what became of a call. Times are the subscriber's, from the call
// of Connect on. Lost counts what was sent since the first arrival.
type Summary struct {
	DurationMS    float64 `json:"duration_ms"`
	PublishJoinMS float64 `json:"publish_join_ms"`
	JoinMS        float64 `json:"join_ms"`
	FirstFrameMS  float64 `json:"first_frame_ms"`

	VideoCodec     string `json:"video_codec"`
	FramesSent     int64  `json:"frames_sent"`
	FramesReceived int64  `json:"frames_received"`
	FramesLost     int64  `json:"frames_lost"`

	AudioCodec          string `json:"audio_codec"`
	AudioFramesSent     int64  `json:"audio_frames_sent"`
	AudioFramesReceived int64  `json:"audio_frames_received"`
	AudioFramesLost     int64  `json:"audio_frames_lost"`

	PacketsReceived int64 `json:"packets_received"`
	PacketsLost     int64 `json:"packets_lost"`
	BytesReceived   int64 `json:"bytes_received"`

	MessagesSent     int64   `json:"messages_sent"`
	MessagesReceived int64   `json:"messages_received"`
	RoundTripP50US   float64 `json:"round_trip_p50_us"`

	// Recording is the path of the file; empty when there is none.
	Recording      string `json:"recording"`
	RecordingError string `json:"recording_error,omitempty"`
	// Error is what did not work, for whoever reads nothing else.
	Error string `json:"error,omitempty"`
}

// Arrived reports whether video, audio and messages really came through.
func (s *Summary) Arrived() bool {
	return s.FramesReceived > 0 && s.AudioFramesReceived > 0 && s.MessagesReceived > 0
}

func (c *call) summary() Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Summary{
		DurationMS:    ms(time.Since(c.began)),
		PublishJoinMS: ms(c.publishJoin), JoinMS: ms(c.join),
		VideoCodec: string(c.video.Codec()), AudioCodec: string(c.audio.Codec()),
		FramesSent: c.video.count.Load(), FramesReceived: c.inVideo.count,
		AudioFramesSent: c.audio.count.Load(), AudioFramesReceived: c.inAudio.count,
		PacketsReceived: c.stats.packets, PacketsLost: c.stats.lost, BytesReceived: c.stats.bytes,
		MessagesSent: c.sent, MessagesReceived: c.received,
	}
	if c.inVideo.count > 0 {
		s.FirstFrameMS = ms(c.inVideo.first.Sub(c.joinStart))
		s.FramesLost = c.inVideo.missing(c.video)
	}
	if c.inAudio.count > 0 {
		s.AudioFramesLost = c.inAudio.missing(c.audio)
	}
	if n := len(c.roundTrips); n > 0 {
		slices.Sort(c.roundTrips)
		s.RoundTripP50US = float64(c.roundTrips[n/2]) / float64(time.Microsecond)
	}
	if c.files != nil {
		if files := c.files.Files(); len(files) > 0 {
			s.Recording = files[0]
		}
		if err := c.files.Err(); err != nil {
			s.RecordingError = err.Error()
		}
	}
	return s
}

func ms(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}
