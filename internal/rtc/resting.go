package rtc

import (
	"regexp"
	"strings"

	"github.com/pion/webrtc/v4"
)

var (
	midLine      = regexp.MustCompile(`(?m)^a=mid:(\S+)`)
	inactiveLine = regexp.MustCompile(`(?m)^a=inactive\b`)
)

// resting lets pion see that the other side receives in sections that both sides
// have ended, which changes nothing for them: nobody sends. Pion stops the
// receiver of a section with every offer that says inactive, and makes a new one
// only where the old one had a stream. The second such offer would end the
// section for good, while it may still be used again.
func (p *Peer) resting(offer string) string {
	if !inactiveLine.MatchString(offer) {
		return offer
	}
	ended := map[string]bool{}
	for _, t := range p.pc.GetTransceivers() {
		s, r := t.Sender(), t.Receiver()
		ended[t.Mid()] = t.Direction() == webrtc.RTPTransceiverDirectionInactive &&
			(s == nil || s.Track() == nil) && r != nil && len(r.Tracks()) == 0
	}
	sections := strings.SplitAfter(offer, "\nm=")
	for i, section := range sections {
		if mid := midLine.FindStringSubmatch(section); mid != nil && ended[mid[1]] {
			sections[i] = inactiveLine.ReplaceAllString(section, "a=recvonly")
		}
	}
	return strings.Join(sections, "")
}
