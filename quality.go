package parley

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/parley-rtc/parley/internal/engine"
	"github.com/parley-rtc/parley/signaling"
)

// NetworkQuality says how much the server is to tell about the quality of
// connections: 0 nothing, 1 the level, 2 those of sound and picture too, and 3
// the figures behind them.
type NetworkQuality struct {
	Local  int // about the program's own connection; 0 is 1
	Remote int // about those of others who want to know theirs; 0
}

// NetworkQualityStats is what is behind a level.
type NetworkQualityStats struct {
	Audio, Video MediaQuality
}

// MediaQuality is the quality of the sound or the picture of a participant, as
// it sends and receives it, from 1 to 5, which is best. The figures are nil
// unless they were asked for.
type MediaQuality struct {
	Send, Recv           int
	SendStats, RecvStats *FlowQuality
}

// FlowQuality is one direction of a MediaQuality.
type FlowQuality struct {
	Bitrate      float64 // bits per second in use
	Available    float64 // bits per second; zero when unknown
	RoundTrip    time.Duration
	Jitter       time.Duration
	FractionLost float64 // 0 to 1
}

// The server is asked again qualityPause after its answer; without one first
// after qualityPatience, and then half as long again each time.
const (
	qualityPause    = time.Second
	qualityPatience = 5 * time.Second
	qualityTries    = 10 // after these the patience grows no more
)

// measuring is the exchange of measurements. The loop owns it.
type measuring struct {
	timer *time.Timer
	due   bool // the next flush sends one
	tries int  // since the last answer
}

// measure begins to ask, if the program and the server want it.
func (r *Room) measure() {
	m := &r.loop.measuring
	if r.opts.NetworkQuality == nil || !slices.Contains(r.loop.caps.Channels, channelQuality) {
		return
	}
	m.due, m.tries = true, 0
	r.measureAfter(0)
}

// measureAfter sets when the next measurement is due; 0: now.
func (r *Room) measureAfter(d time.Duration) {
	m := &r.loop.measuring
	if m.timer != nil {
		m.timer.Stop()
	}
	if d > 0 {
		m.timer = r.after(d, func() { m.due = true })
	}
}

// measurements returns the message that is due.
func (r *Room) measurements() []signaling.Channel {
	l := &r.loop
	m := &l.measuring
	if !m.due {
		return nil
	}
	m.due = false
	wait := qualityPatience
	for range min(m.tries, qualityTries) {
		wait += wait / 2
	}
	m.tries++
	r.measureAfter(wait)
	var out struct {
		Type string `json:"type"`
		ICE  struct {
			RTT float64 `json:"rtt"`
		} `json:"ice"`
		Report       int `json:"reportLevel"`
		RemoteReport int `json:"remoteReportLevel"`
	}
	out.Type, out.ICE.RTT = channelQuality, l.engine.Connection().RTT.Seconds()
	out.Report, out.RemoteReport = max(r.opts.NetworkQuality.Local, 1), r.opts.NetworkQuality.Remote
	payload, err := json.Marshal(out)
	if err != nil {
		return nil // never: they are numbers
	}
	return []signaling.Channel{{Name: channelQuality, Payload: payload}}
}

// What the wire has.

type flowWire struct {
	Bandwidth struct {
		Actual    float64 `json:"actual"`
		Available float64 `json:"available"`
	} `json:"bandwidth"`
	Latency struct {
		Jitter float64 `json:"jitter"`
		RTT    float64 `json:"rtt"`
	} `json:"latency"`
	FractionLost struct {
		FractionLost float64 `json:"fractionLost"`
	} `json:"fractionLost"`
}

func (w *flowWire) quality() *FlowQuality {
	if w == nil {
		return nil
	}
	seconds := func(s float64) time.Duration { return time.Duration(min(max(s, 0), 3600) * float64(time.Second)) }
	return &FlowQuality{
		Bitrate: w.Bandwidth.Actual, Available: w.Bandwidth.Available,
		RoundTrip: seconds(w.Latency.RTT), Jitter: seconds(w.Latency.Jitter), FractionLost: w.FractionLost.FractionLost,
	}
}

type mediaWire struct {
	Send      int       `json:"send"`
	Recv      int       `json:"recv"`
	SendStats *flowWire `json:"sendStats"`
	RecvStats *flowWire `json:"recvStats"`
}

func (w *mediaWire) quality() MediaQuality {
	if w == nil {
		return MediaQuality{}
	}
	return MediaQuality{Send: w.Send, Recv: w.Recv, SendStats: w.SendStats.quality(), RecvStats: w.RecvStats.quality()}
}

type qualityWire struct {
	SID   string     `json:"sid"`
	Level *int       `json:"level"`
	Audio *mediaWire `json:"audio"`
	Video *mediaWire `json:"video"`
}

// UnmarshalJSON takes a level alone, too.
func (w *qualityWire) UnmarshalJSON(data []byte) error {
	var level int
	if json.Unmarshal(data, &level) == nil {
		w.Level = &level
		return nil
	}
	type plain qualityWire
	return json.Unmarshal(data, (*plain)(w))
}

// level is the one that is told, or else the worst of the parts.
func (w *qualityWire) level() (level int, ok bool) {
	switch {
	case w.Level != nil:
		level = *w.Level
	case w.Audio != nil && w.Video != nil:
		level = min(w.Audio.Send, w.Audio.Recv, w.Video.Send, w.Video.Recv)
	default:
		return 0, false
	}
	return min(max(level, 0), 5), true
}

func (w *qualityWire) stats() *NetworkQualityStats {
	if w.Audio == nil && w.Video == nil {
		return nil
	}
	return &NetworkQualityStats{Audio: w.Audio.quality(), Video: w.Video.quality()}
}

// gauged is the quality of a participant's connection. The room's mu guards it.
type gauged struct {
	known bool
	level int
}

// set reports whether the level is another one.
func (g *gauged) set(level int) bool {
	if g.known && g.level == level {
		return false
	}
	g.known, g.level = true, level
	return true
}

// applyQuality takes an answer of the server.
func (r *Room) applyQuality(payload []byte) {
	var answer struct {
		Local   *qualityWire  `json:"local"`
		Remotes []qualityWire `json:"remotes"`
	}
	if json.Unmarshal(payload, &answer) != nil {
		return
	}
	failed := r.loop.engine.Connection().State == engine.StateFailed
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.opts.NetworkQuality != nil && r.loop.measuring.tries > 0 {
		r.loop.measuring.tries = 0
		r.measureAfter(qualityPause)
	}
	if w := answer.Local; w != nil && !failed {
		if level, ok := w.level(); ok && r.local.quality.set(level) {
			r.timeline.Append(NetworkQualityLevelChanged{r.local.sid, level, w.stats()})
		}
	}
	for i := range answer.Remotes {
		w := &answer.Remotes[i]
		p := r.bySID(w.SID)
		if level, ok := w.level(); ok && p != nil && p.quality.set(level) {
			r.timeline.Append(NetworkQualityLevelChanged{p.sid, level, w.stats()})
		}
	}
}

// qualityLost notes that no way for media is left.
func (r *Room) qualityLost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.opts.NetworkQuality != nil && r.local.quality.set(0) {
		r.timeline.Append(NetworkQualityLevelChanged{SID: r.local.sid})
	}
}

// NetworkQualityLevel returns how good the participant's connection is, from 1
// to 5, which is best; ok is false while that is not known. See
// ConnectOptions.NetworkQuality.
func (p *RemoteParticipant) NetworkQualityLevel() (level int, ok bool) {
	p.room.mu.RLock()
	defer p.room.mu.RUnlock()
	return p.quality.level, p.quality.known
}

// NetworkQualityLevel returns how good the program's own connection is, from 0,
// which is none, to 5; ok is false while that is not known. See
// ConnectOptions.NetworkQuality.
func (p *LocalParticipant) NetworkQualityLevel() (level int, ok bool) {
	p.room.mu.RLock()
	defer p.room.mu.RUnlock()
	return p.quality.level, p.quality.known
}
