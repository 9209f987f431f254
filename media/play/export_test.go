package play

import (
	"time"

	"github.com/parley-rtc/parley/media"
)

// Deliver brings a sample to a track at a time of the player's.
func (p *Player) Deliver(t Track, s media.Sample, at time.Duration) error {
	return p.feed(t).take(s, at)
}

// MixAt mixes at a time of the player's.
func (p *Player) MixAt(pcm []int16, at time.Duration) { p.mixer.mix(pcm, at) }
