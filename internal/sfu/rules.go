package sfu

import "github.com/parley-rtc/parley/signaling"

// Offer is a track as subscribe rules see it.
type Offer struct {
	SID, Name                       string
	Kind                            signaling.Kind
	PublisherSID, PublisherIdentity string
}

// Evaluate applies the rules in order, from the empty set, to the tracks, and
// reports which of them the participant with the SID self receives. Its own
// tracks are never among them.
func Evaluate(rules []signaling.Rule, tracks []Offer, self string) []bool {
	wanted := make([]bool, len(tracks))
	for i := range tracks {
		t := &tracks[i]
		if t.PublisherSID == self {
			continue
		}
		// The last rule that matches decides.
		for j := len(rules) - 1; j >= 0; j-- {
			if matches(&rules[j], t) {
				wanted[i] = !rules[j].Exclude
				break
			}
		}
	}
	return wanted
}

// matches reports whether all filters of the rule that are set fit. A rule
// without any filter says nothing.
func matches(r *signaling.Rule, t *Offer) bool {
	if r.All {
		return true
	}
	if r.Kind == "" && r.Publisher == "" && r.Track == "" {
		return false
	}
	return (r.Kind == "" || r.Kind == t.Kind) &&
		(r.Publisher == "" || r.Publisher == t.PublisherSID || r.Publisher == t.PublisherIdentity) &&
		(r.Track == "" || r.Track == t.SID || r.Track == t.Name)
}

// checkRules refuses rules that contradict themselves.
func checkRules(rules []signaling.Rule) *signaling.Error {
	for i, r := range rules {
		filtered := r.Kind != "" || r.Publisher != "" || r.Track != ""
		switch {
		case r.All && filtered:
			return signaling.Errorf(signaling.CodeSubscribeRulesInvalid, "subscribe rule %d has filters beside all", i)
		case !r.All && !filtered:
			return signaling.Errorf(signaling.CodeSubscribeRulesInvalid, "subscribe rule %d is empty", i)
		}
		switch r.Kind {
		case "", signaling.KindAudio, signaling.KindVideo, signaling.KindData:
		default:
			return signaling.Errorf(signaling.CodeSubscribeRulesInvalid, "subscribe rule %d names an unknown kind", i)
		}
	}
	return nil
}
