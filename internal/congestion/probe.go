package congestion

import "time"

const (
	probePause   = 3 * time.Second // between a probe that failed and the next
	probeLongest = 8 * time.Second
	probeRegret  = 30 * time.Second // the most, after one that promised too much
	probeAgain   = 300 * time.Millisecond
	probeAnswer  = time.Second // how long its reports are waited for
	probeLength  = 80 * time.Millisecond
	probeTick    = 10 * time.Millisecond
	probeFewest  = 12
	probeMost    = 160
	probeGrowth  = 2
	probeEnough  = 1.35 // of what is wanted
)

// FillerSize is the payload of a packet of a probe: the most that RTP's padding
// can be.
const FillerSize = 255

// probe finds out whether the path takes more than the limit where there is not
// enough to send for that: a short train of packets, sent as fast as is hoped
// for. How fast they arrive is how much it takes.
type probe struct {
	next time.Duration // not before
	wait time.Duration // after the next that fails

	total, done int // packets; total 0: there is none at present
	rate        float64
	from        uint32 // number of the first packet
	to          uint32 // number after the last, once all are sent
	began, over time.Duration
	good        time.Duration // when one promised more; 0: none did

	got struct {
		packets, bytes int // without the first
		first, last    time.Duration
		sent           [2]time.Duration
	}
}

func (p *probe) covers(number uint32) bool {
	return p.done > 0 && int32(number-p.from) >= 0 && (p.over == 0 || int32(number-p.to) < 0)
}

func (p *probe) arrived(e *sentPacket, at time.Duration) {
	g := &p.got
	if g.packets++; g.packets == 1 {
		g.first, g.last, g.sent = at, at, [2]time.Duration{e.at, e.at}
		return
	}
	g.bytes += int(e.size)
	g.last, g.sent[1] = max(g.last, at), max(g.sent[1], e.at)
}

// Probe says how many packets with a payload of FillerSize should be sent now
// to find out what the path takes, each a Filler, and when to ask
// again; zero: when something is sent or reported next.
func (s *Sender) Probe(now time.Duration) (packets int, again time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, c := &s.probe, &s.control
	c.rest(now)
	if p.total == 0 {
		if c.limit == 0 || s.want <= 0 {
			return 0, 0
		}
		wanted := min((s.want+s.others.rate(now))*probeEnough, MaxLimit)
		busy := c.draining || c.queued > 0 || now < c.quiet || c.holds || c.trial.until != 0
		grows := now-c.grown < restTime && growBeyond*s.path.delivered()+growSpare > c.limit
		if c.limit >= wanted || busy || grows {
			return 0, 0
		}
		if p.next == 0 {
			p.next = now + probePause
		}
		if now < p.next {
			return 0, p.next
		}
		rate := min(probeGrowth*c.limit, wanted)
		total := int(rate * probeLength.Seconds() / 8 / (FillerSize + Overhead))
		*p = probe{
			wait: p.wait, good: p.good, rate: rate, total: min(max(total, probeFewest), probeMost),
			from: s.next, began: now,
		}
	}
	if p.done == p.total {
		if p.judge(now, c); p.total == 0 {
			return 0, p.next
		}
		return 0, p.over + probeAnswer
	}
	due := 1 + int(p.rate*(now-p.began).Seconds()/8/(FillerSize+Overhead))
	packets = min(max(due-p.done, 0), p.total-p.done)
	if packets > 0 && p.done == 0 {
		p.from = s.next
	}
	if p.done += packets; p.done == p.total {
		p.over, p.to = now, s.next+uint32(packets)
		return packets, now + probeAnswer
	}
	return packets, now + probeTick
}

// judge ends a probe when its packets have been told of.
func (p *probe) judge(now time.Duration, c *control) {
	if p.total == 0 || p.over == 0 {
		return
	}
	g := &p.got
	whole := g.packets >= p.total-p.total/8
	if !whole && now < p.over+probeAnswer {
		return
	}
	if p.wait == 0 {
		p.wait = probePause
	}
	took, gave := (g.last - g.first).Seconds(), (g.sent[1] - g.sent[0]).Seconds()
	if whole && took > 0 && gave > 0 && !c.draining {
		bits := float64(8 * g.bytes)
		sent, arrived := bits/gave, bits/took
		if arrived >= 0.8*sent {
			if more := min(arrived, sent, p.rate); more > c.limit {
				c.set(more)
				p.good, p.wait = now, probePause
				p.total, p.done, p.next, p.got = 0, 0, now+probeAgain, probe{}.got
				return
			}
		}
	}
	p.total, p.done, p.got = 0, 0, probe{}.got
	p.next = now + p.wait
	p.wait = min(p.wait*3/2, max(probeLongest, p.wait))
}

// regret notes that there is a queue: what a probe has just promised was too
// much.
func (p *probe) regret(now time.Duration) {
	if p.wait == 0 {
		p.wait = probePause
	}
	if p.good != 0 && now-p.good < 5*time.Second {
		p.wait = min(2*p.wait, probeRegret)
		p.good = 0
	}
	p.total, p.done, p.got = 0, 0, probe{}.got
	p.next = now + p.wait
}
