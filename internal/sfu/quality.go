package sfu

import (
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
)

// Network quality. A client that wants to know sends a measurement, gets the
// levels as an answer, and so on. A level is that of the worst figure of a
// direction, each of which counts as long as it is known:
//
//	level             5        4        3        2        1
//	packets lost   to 1 %      3 %      7 %     15 %    more
//	round trip  to 150 ms   300 ms   500 ms      1 s    more
//	jitter       to 30 ms    60 ms   100 ms   200 ms    more
//	available    the rate    3/4      1/2      1/4     less
//
// Losses and jitter are those that both sides of our connection with the client
// report, packets that were repaired included, in the time since the last
// measurement; half of the loss before that is added where it was more. The
// round trip is ours, or the client's where we have none. What is available is
// what the client says. A participant's level is that of its worst direction.

const qualityChannel = "network_quality"

// qualityAge is how long others are told of a level that is not renewed.
const qualityAge = 15 * time.Second

// qualityLimits are the most that a figure may be for the levels 5 to 2.
var qualityLimits = struct{ loss, rtt, jitter, shortage [4]float64 }{
	loss:     [4]float64{0.01, 0.03, 0.07, 0.15},
	rtt:      [4]float64{0.150, 0.300, 0.500, 1},
	jitter:   [4]float64{0.030, 0.060, 0.100, 0.200},
	shortage: [4]float64{1, 4. / 3, 2, 4}, // the rate in use over what is available
}

// levelOf returns the level for a figure.
func levelOf(v float64, limits [4]float64) int {
	for i, limit := range limits {
		if v <= limit {
			return 5 - i
		}
	}
	return 1
}

// flow is what one direction of one kind of media does.
type flow struct {
	packets, lost, bytes int64   // so far
	rate                 float64 // bits per second
	loss                 float64 // 0 to 1
	jitter, rtt          float64 // seconds
	available            float64 // bits per second; 0: not known
}

func (f *flow) shortage() float64 {
	if f.available <= 0 {
		return 0
	}
	return f.rate / f.available
}

func (f *flow) level() int {
	q := &qualityLimits
	return min(levelOf(f.loss, q.loss), levelOf(f.rtt, q.rtt), levelOf(f.jitter, q.jitter), levelOf(f.shortage(), q.shortage))
}

// advance takes what was counted in a time. Sections that have ended take their
// counts along: then there is less than before.
func (f *flow) advance(now flow, d time.Duration) {
	packets, lost, bytes := max(now.packets-f.packets, 0), max(now.lost-f.lost, 0), max(now.bytes-f.bytes, 0)
	f.packets, f.lost, f.bytes = now.packets, now.lost, now.bytes
	f.jitter, f.rate = now.jitter, 0
	if d > 0 {
		f.rate = float64(bytes) * 8 / d.Seconds()
	}
	loss := 0.0
	if packets > 0 {
		loss = min(float64(lost)/float64(packets), 1)
	}
	if f.loss /= 2; loss > f.loss {
		f.loss = loss
	}
	if f.loss < 0.005 {
		f.loss = 0
	}
}

// mediaQuality is one kind of media, as the client sends and receives it.
type mediaQuality struct{ send, recv flow }

// quality is a participant's. The peer's goroutine makes it anew with each
// measurement and shares it.
type quality struct {
	at           time.Time
	audio, video mediaQuality
}

func (q *quality) level() int {
	return min(q.audio.send.level(), q.audio.recv.level(), q.video.send.level(), q.video.recv.level())
}

// qualities is what a peer has for it.
type qualities struct {
	latest atomic.Pointer[quality] // nil: the client does not measure
}

// What the wire has.

type measurement struct {
	Type string `json:"type"`
	ICE  struct {
		AvailableSend float64 `json:"availableSend"`
		RTT           float64 `json:"rtt"` // seconds
	} `json:"ice"`
	Report       float64 `json:"reportLevel"`
	RemoteReport float64 `json:"remoteReportLevel"`
}

type flowReport struct {
	Bandwidth struct {
		Actual    float64  `json:"actual"`
		Available *float64 `json:"available"`
		Level     int      `json:"level"`
	} `json:"bandwidth"`
	Latency struct {
		Jitter float64 `json:"jitter"`
		RTT    float64 `json:"rtt"`
		Level  int     `json:"level"`
	} `json:"latency"`
	FractionLost struct {
		FractionLost float64 `json:"fractionLost"`
		Level        int     `json:"level"`
	} `json:"fractionLost"`
}

type mediaReport struct {
	Send      int         `json:"send"`
	Recv      int         `json:"recv"`
	SendStats *flowReport `json:"sendStats,omitempty"`
	RecvStats *flowReport `json:"recvStats,omitempty"`
}

type qualityReport struct {
	SID   string       `json:"sid,omitempty"`
	Level int          `json:"level"`
	Audio *mediaReport `json:"audio,omitempty"`
	Video *mediaReport `json:"video,omitempty"`
}

func (f *flow) report() *flowReport {
	q, r := &qualityLimits, &flowReport{}
	r.Bandwidth.Actual, r.Bandwidth.Level = f.rate, levelOf(f.shortage(), q.shortage)
	if f.available > 0 {
		r.Bandwidth.Available = &f.available
	}
	r.Latency.Jitter, r.Latency.RTT = f.jitter, f.rtt
	r.Latency.Level = min(levelOf(f.rtt, q.rtt), levelOf(f.jitter, q.jitter))
	r.FractionLost.FractionLost, r.FractionLost.Level = f.loss, levelOf(f.loss, q.loss)
	return r
}

func (m *mediaQuality) report(details bool) *mediaReport {
	r := &mediaReport{Send: m.send.level(), Recv: m.recv.level()}
	if details {
		r.SendStats, r.RecvStats = m.send.report(), m.recv.report()
	}
	return r
}

// report tells as much as the verbosity asks for.
func (q *quality) report(sid string, verbosity int) qualityReport {
	r := qualityReport{SID: sid, Level: q.level()}
	if verbosity > 1 {
		r.Audio, r.Video = q.audio.report(verbosity > 2), q.video.report(verbosity > 2)
	}
	return r
}

// measured takes a measurement of the client and answers it.
func (p *peer) measured(data []byte) {
	var m measurement
	if json.Unmarshal(data, &m) != nil || m.Type != qualityChannel {
		return
	}
	q := p.measure(&m)
	p.quality.latest.Store(q)
	var answer struct {
		Type    string          `json:"type"`
		Local   any             `json:"local"`
		Remotes []qualityReport `json:"remotes"`
	}
	answer.Type, answer.Remotes = qualityChannel, []qualityReport{}
	answer.Local = q.level()
	if m.Report > 1 {
		answer.Local = q.report("", int(min(m.Report, 3)))
	}
	if m.RemoteReport >= 1 {
		for _, other := range p.roster.peers {
			if r := other.quality.latest.Load(); other != p && r != nil && q.at.Sub(r.at) < qualityAge {
				answer.Remotes = append(answer.Remotes, r.report(other.sid, int(min(m.RemoteReport, 3))))
			}
		}
	}
	p.say(qualityChannel, answer)
}

// measure looks at the client's connection.
func (p *peer) measure(m *measurement) *quality {
	q := &quality{}
	var since time.Duration
	now := time.Now()
	if old := p.quality.latest.Load(); old != nil {
		*q, since = *old, now.Sub(old.at)
	}
	q.at = now
	var counted quality
	rtt := 0.0
	if l := p.link; l != nil {
		l.count(&counted)
		rtt = l.pc.RTT().Seconds()
	}
	if rtt == 0 {
		rtt = min(max(m.ICE.RTT, 0), 60)
	}
	for _, f := range []struct{ flow, counted *flow }{
		{&q.audio.send, &counted.audio.send},
		{&q.audio.recv, &counted.audio.recv},
		{&q.video.send, &counted.video.send},
		{&q.video.recv, &counted.video.recv},
	} {
		f.flow.advance(*f.counted, since)
		f.flow.rtt = rtt
	}
	rate := q.audio.send.rate + q.video.send.rate
	if available := min(max(m.ICE.AvailableSend, 0), 1e12); available > 0 && rate > 0 {
		// Each kind has its part of it.
		q.audio.send.available = available * q.audio.send.rate / rate
		q.video.send.available = available * q.video.send.rate / rate
	}
	return q
}

// missed counts the packets of a publication that were lost on their way here,
// repaired or not.
func (u *uplink) missed() (n int64) {
	for _, l := range *u.layers.Load() {
		l.mu.Lock()
		in := l.inlet
		l.mu.Unlock()
		if in != nil {
			s := in.Stats()
			n += max(s.Lost, 0) + s.Repaired
		}
	}
	return n
}

// count adds up the sections of the connection.
func (l *link) count(q *quality) {
	of := func(kind media.Kind) *mediaQuality {
		if kind == media.Kind(signaling.KindVideo) {
			return &q.video
		}
		return &q.audio
	}
	for _, in := range l.inlets {
		s, f := in.Stats(), &of(in.MediaKind()).send
		f.packets += s.Packets + max(s.Lost, 0)
		f.lost += max(s.Lost, 0) + s.Repaired
		f.bytes += s.Bytes
		f.jitter = max(f.jitter, s.Jitter.Seconds())
	}
	for _, slot := range l.slots {
		if slot.out == nil {
			continue
		}
		s, f := slot.out.Stats(), &of(slot.kind).recv
		f.packets += s.Packets
		f.lost += max(s.Lost, s.Resent, 0)
		if slot.used != nil {
			// What never got here, or late, is not lost on this way.
			f.lost -= slot.used.pub.up.missed()
		}
		f.bytes += s.Bytes
		f.jitter = max(f.jitter, s.Jitter.Seconds())
	}
}
