package rtc

import (
	"github.com/pion/rtcp"

	"github.com/parley-rtc/parley/media"
)

// noBound is what lifts a bound: more than anybody sends.
const noBound = 1_000_000_000

// boundRepeats is how often it is said that there is no bound any more, since
// what is said can get lost.
const boundRepeats = 3

// Bound asks the other side to send at most so much in all, in bits per second;
// 0, as in the beginning: as much as it likes. It is told with the reports, each
// second; browsers obey it.
func (p *Peer) Bound(bitrate int) { p.bound.Store(int64(bitrate)) }

// boundReport returns what there is to tell about the bound; nil: nothing. Only
// the reporting goroutine calls it.
func (p *Peer) boundReport(inlets []*Inlet) rtcp.Packet {
	bitrate := p.bound.Load()
	switch {
	case bitrate > 0:
		p.boundTold = boundRepeats
	case p.boundTold > 0:
		p.boundTold--
		bitrate = noBound
	default:
		return nil
	}
	remb := &rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: float32(bitrate)}
	for _, in := range inlets {
		if in.kind == media.Video && len(remb.SSRCs) < 255 { // the most a packet can hold
			remb.SSRCs = append(remb.SSRCs, in.ssrc)
		}
	}
	if len(remb.SSRCs) == 0 {
		return nil
	}
	return remb
}
