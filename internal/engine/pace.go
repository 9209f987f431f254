package engine

import "time"

// pace measures how many pictures come in a second.
type pace struct {
	since time.Time
	n     int
	last  float64
}

func (p *pace) count(now time.Time) {
	switch d := now.Sub(p.since); {
	case d > 3*time.Second: // a beginning
		p.since, p.n, p.last = now, 0, 0
	case d >= time.Second:
		p.last = float64(p.n+1) / d.Seconds()
		p.since, p.n = now, 0
	default:
		p.n++
	}
}

// rate is what was measured last, zero until then and when nothing comes.
func (p *pace) rate(now time.Time) float64 {
	if now.Sub(p.since) > 3*time.Second {
		return 0
	}
	return p.last
}
