package admission

import (
	"cmp"

	"github.com/parley-rtc/parley/signaling"
)

// CandidateBudget takes the candidates of one peer connection out of the
// cumulative lists in which clients send them: each once, only those of the
// current ICE generation, and no more than are allowed. The zero value has the
// default limits. It is used by one goroutine.
type CandidateBudget struct {
	PerGeneration int // 50
	PerMessage    int // new ones in one message; 20

	ufrag   string
	seen    int // how far into the current list
	waiting signaling.ICE
	dropped int
}

// Begin starts the generation with the ufrag, when a description brings it, and
// returns the candidates for it that came early. The current ufrag again
// changes nothing.
func (b *CandidateBudget) Begin(ufrag string, policy AddressPolicy) []signaling.Candidate {
	if ufrag == b.ufrag {
		return nil
	}
	b.ufrag, b.seen = ufrag, 0
	early := b.waiting
	b.waiting = signaling.ICE{}
	if early.Ufrag != ufrag {
		return nil
	}
	return b.Take(early, policy)
}

// Take returns the candidates of a message that are new and allowed. A list
// for another generation than the current one is kept until Begin, only the
// newest.
func (b *CandidateBudget) Take(ice signaling.ICE, policy AddressPolicy) []signaling.Candidate {
	most := cmp.Or(b.PerGeneration, 50)
	if b.ufrag == "" || ice.Ufrag != b.ufrag {
		if iceToken(ice.Ufrag, 4, 256) {
			ice.Candidates = append([]signaling.Candidate(nil), ice.Candidates[:min(len(ice.Candidates), most)]...)
			b.waiting = ice
		}
		return nil
	}
	if len(ice.Candidates) <= b.seen {
		return nil
	}
	fresh := ice.Candidates[b.seen:]
	room := max(0, min(most-b.seen, cmp.Or(b.PerMessage, 20)))
	b.seen = len(ice.Candidates)
	if len(fresh) > room {
		b.dropped += len(fresh) - room
		fresh = fresh[:room]
	}
	var taken []signaling.Candidate
	for _, c := range fresh {
		if CheckCandidate(c, policy) != nil {
			b.dropped++
			continue
		}
		taken = append(taken, c)
	}
	return taken
}

// Dropped returns how many candidates were not taken, over all generations.
func (b *CandidateBudget) Dropped() int { return b.dropped }
