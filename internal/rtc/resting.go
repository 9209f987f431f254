package rtc

import (
	"regexp"
	"slices"
	"strings"

	"github.com/pion/webrtc/v4"
)

var (
	midLine      = regexp.MustCompile(`(?m)^a=mid:(\S+)`)
	inactiveLine = regexp.MustCompile(`(?m)^a=inactive\b`)
	sendonlyLine = regexp.MustCompile(`(?m)^a=sendonly\b`)
)

// resting lets pion see that the other side receives in sections that it calls
// inactive, where that changes nothing for them. Pion stops what is in a section
// with every offer that says inactive: for good where it has
//
//   - a receiver that waits for its next stream, as the second such offer finds it;
//   - a sender of which the other side has not heard yet. The answer must not tell
//     of it, RFC 3264 section 6.1, so hushed takes it out; our next offer will.
func (p *Peer) resting(offer string) string {
	p.hush = p.hush[:0]
	if !inactiveLine.MatchString(offer) {
		return offer
	}
	rest := map[string]bool{}
	for _, t := range p.pc.GetTransceivers() {
		mid, s, r := t.Mid(), t.Sender(), t.Receiver()
		switch t.Direction() {
		case webrtc.RTPTransceiverDirectionInactive, webrtc.RTPTransceiverDirectionRecvonly:
			rest[mid] = (s == nil || s.Track() == nil) && r != nil && len(r.Tracks()) == 0
		default:
			rest[mid] = p.unheard(t)
		}
	}
	return eachSection(offer, func(mid, section string) string {
		if !rest[mid] || !inactiveLine.MatchString(section) {
			return section
		}
		p.hush = append(p.hush, mid)
		return inactiveLine.ReplaceAllString(section, "a=recvonly")
	})
}

// unheard reports whether the section has a sender that was never negotiated.
func (p *Peer) unheard(t *webrtc.RTPTransceiver) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.outlets, func(o *Outlet) bool { return o.transceiver == t && !o.Negotiated() })
}

// hushed calls the sections inactive that are so in the offer which the answer
// answers.
func (p *Peer) hushed(answer string) string {
	if len(p.hush) == 0 {
		return answer
	}
	return eachSection(answer, func(mid, section string) string {
		if !slices.Contains(p.hush, mid) {
			return section
		}
		return sendonlyLine.ReplaceAllString(section, "a=inactive")
	})
}

func eachSection(sdp string, f func(mid, section string) string) string {
	sections := strings.SplitAfter(sdp, "\nm=")
	for i, section := range sections {
		if mid := midLine.FindStringSubmatch(section); mid != nil {
			sections[i] = f(mid[1], section)
		}
	}
	return strings.Join(sections, "")
}
