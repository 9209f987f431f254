package sfu

import "github.com/parley-rtc/parley/signaling"

// A publisher that sends one size is asked not to send more of it than the
// largest place takes in which somebody shows it: its encoder spends fewer bits,
// or makes the picture smaller. One that sends several sizes is told which of
// them are needed; see hint. As long as one subscriber did not say how large it
// shows the picture, or nobody gets it, there is no bound.
const (
	demandPixel = 6       // bits per second for each pixel of a place
	demandLeast = 150_000 // bits per second of any video
	demandSound = 150_000 // of any sound, with the repairs of everything
)

// boundMedia bounds what the client sends in all: a connection has one bound.
func (p *peer) boundMedia() {
	if p.ended || p.link == nil {
		return
	}
	sum, bounded := 0, false
	for _, t := range p.tracks {
		switch {
		case t.up == nil:
		case t.kind == signaling.KindAudio:
			sum += demandSound
		default:
			demand := t.up.demand()
			if demand == 0 {
				p.link.pc.Bound(0)
				return
			}
			sum, bounded = sum+demand, true
		}
	}
	if !bounded {
		sum = 0
	}
	p.link.pc.Bound(sum)
}

// demand returns how much of a video is needed, in bits per second; 0: there is
// no bound.
func (u *uplink) demand() (bitrate int) {
	if len(*u.layers.Load()) > 1 {
		return 0
	}
	for _, s := range *u.slots.Load() {
		width, height, shows := s.place()
		switch {
		case !shows:
		case width <= 0 || height <= 0:
			return 0
		default:
			bitrate = max(bitrate, demandLeast, width*height*demandPixel)
		}
	}
	return bitrate
}

// place returns how large the subscriber shows the picture, 0, 0 being the best;
// shows is false where it does not get it at present.
func (s *slot) place() (width, height int, shows bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.width, s.height, s.from != nil && !s.paused
}
