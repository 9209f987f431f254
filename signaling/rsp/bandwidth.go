package rsp

import (
	"math"

	"github.com/parley-rtc/parley/signaling"
)

type bandwidthProfile struct {
	Video *videoBandwidth `json:"video,omitempty"`
}

// videoBandwidth has numbers as browsers write them: any number goes.
type videoBandwidth struct {
	Mode            string            `json:"mode,omitempty"`
	MaxBitrate      float64           `json:"max_subscription_bandwidth,omitempty"`
	MaxTracks       float64           `json:"max_tracks,omitempty"`
	SpeakerPriority string            `json:"active_speaker_priority,omitempty"`
	SwitchOff       string            `json:"track_switch_off,omitempty"`
	Render          *renderDimensions `json:"render_dimensions,omitempty"`
}

type renderDimensions struct {
	High     *dimensions `json:"high,omitempty"`
	Standard *dimensions `json:"standard,omitempty"`
	Low      *dimensions `json:"low,omitempty"`
}

type dimensions struct {
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
}

// What is beyond these counts as these.
const (
	mostBitrate = 1_000_000_000_000
	mostTracks  = 1_000_000
	mostPixels  = 65535
)

func (c *check) profile(p *bandwidthProfile) {
	if p == nil || p.Video == nil {
		return
	}
	c.text("bandwidth mode", p.Video.Mode)
	c.text("speaker priority", p.Video.SpeakerPriority)
	c.text("switch-off mode", p.Video.SwitchOff)
}

func profileToWire(p *signaling.BandwidthProfile) *bandwidthProfile {
	if p == nil {
		return nil
	}
	w := &videoBandwidth{
		Mode: string(p.Mode), MaxBitrate: float64(p.MaxBitrate), MaxTracks: float64(p.MaxTracks),
		SpeakerPriority: string(p.SpeakerPriority), SwitchOff: string(p.SwitchOff),
	}
	if r := p.RenderDimensions; r != nil {
		w.Render = &renderDimensions{
			High: dimensionsToWire(r.High), Standard: dimensionsToWire(r.Standard), Low: dimensionsToWire(r.Low),
		}
	}
	return &bandwidthProfile{Video: w}
}

func profileFromWire(w *bandwidthProfile) *signaling.BandwidthProfile {
	if w == nil {
		return nil
	}
	p := &signaling.BandwidthProfile{}
	if v := w.Video; v != nil {
		*p = signaling.BandwidthProfile{
			Mode: signaling.BandwidthMode(v.Mode), SwitchOff: signaling.SwitchOffMode(v.SwitchOff),
			SpeakerPriority: signaling.Priority(v.SpeakerPriority),
			MaxBitrate:      whole(v.MaxBitrate, mostBitrate), MaxTracks: whole(v.MaxTracks, mostTracks),
		}
		if r := v.Render; r != nil {
			p.RenderDimensions = &signaling.RenderDimensions{
				High: dimensionsFromWire(r.High), Standard: dimensionsFromWire(r.Standard), Low: dimensionsFromWire(r.Low),
			}
		}
	}
	return p
}

func dimensionsToWire(d signaling.Dimensions) *dimensions {
	if d.Width <= 0 {
		return nil
	}
	return &dimensions{float64(d.Width), float64(d.Height)}
}

func dimensionsFromWire(w *dimensions) signaling.Dimensions {
	if w == nil {
		return signaling.Dimensions{}
	}
	return signaling.Dimensions{Width: whole(w.Width, mostPixels), Height: whole(w.Height, mostPixels)}
}

// whole makes a number of the wire one from 0 to most. A fraction is rounded
// up: next to nothing is not the same as no bound.
func whole(v, most float64) int { return int(math.Ceil(min(max(v, 0), most))) }
