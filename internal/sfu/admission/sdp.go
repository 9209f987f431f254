// Package admission judges what clients send before anything expensive sees
// it: session descriptions, candidates, names, publications and rates. Its
// checks are functions of their arguments alone, cost little also for hostile
// input, and refuse with the error that goes to the client.
package admission

import (
	"cmp"
	"strings"

	"github.com/parley-rtc/parley/signaling"
)

// Limits bounds session descriptions. A zero field has the default.
type Limits struct {
	Bytes    int // of the whole description; 384 KiB
	Sections int // media sections; 256
	Lines    int // per section, without candidates; 512
	SSRCs    int // per section; 16
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Bytes:    cmp.Or(l.Bytes, 384<<10),
		Sections: cmp.Or(l.Sections, 256),
		Lines:    cmp.Or(l.Lines, 512),
		SSRCs:    cmp.Or(l.SSRCs, 16),
	}
}

// Offer is the summary of a session description, offer or answer. Its strings
// are parts of the description.
type Offer struct {
	// Ufrag is the ICE user fragment of the transport that all sections
	// share; empty only when there are no sections.
	Ufrag    string
	Sections []Section // in the order of the description
}

// Section is the summary of one media section.
type Section struct {
	Mid       string // unique; empty only when Rejected
	Kind      SectionKind
	Direction Direction
	// Rejected says that the section has port 0 and waits for no bundle.
	Rejected bool
	// MsidTrack is the track part of a=msid, or empty.
	MsidTrack string
	SSRCs     []uint32 // each once, in order
	// SIM is the group of primary SSRCs of simulcast layers, lowest first,
	// when the section has one.
	SIM []uint32
	// RIDs are the layers of simulcast by id, as far as they are sent.
	RIDs []string
	// Candidates counts the candidates that stand in the section.
	Candidates int
}

// HasSimulcastSIM reports whether the section groups SSRCs as simulcast.
func (s *Section) HasSimulcastSIM() bool { return len(s.SIM) > 0 }

// SectionKind is the media of a section.
type SectionKind string

// The kinds of sections that are admitted.
const (
	SectionAudio       SectionKind = "audio"
	SectionVideo       SectionKind = "video"
	SectionApplication SectionKind = "application"
)

// Direction of a section, in the eyes of who wrote the description.
type Direction string

// The directions.
const (
	SendRecv Direction = "sendrecv"
	SendOnly Direction = "sendonly"
	RecvOnly Direction = "recvonly"
	Inactive Direction = "inactive"
)

// Sends reports whether media goes out.
func (d Direction) Sends() bool { return d == SendRecv || d == SendOnly }

// Section returns the section with the mid, or nil.
func (o *Offer) Section(mid string) *Section {
	for i := range o.Sections {
		if mid != "" && o.Sections[i].Mid == mid {
			return &o.Sections[i]
		}
	}
	return nil
}

// CheckSDP reads a client's description and returns its summary. It refuses
// what is too large, what is malformed in the parts that a server acts upon,
// and what two readers could understand differently. Sizes and counts come
// before anything is allocated for them. Its errors are [*signaling.Error] with
// [signaling.CodeServerRemoteDescription].
//
// Candidates are counted and not judged; see [FilterSDPCandidates].
func CheckSDP(sdp string, limits Limits) (*Offer, error) {
	limits = limits.withDefaults()
	if len(sdp) > limits.Bytes {
		return nil, refuse("%d bytes, at most %d are allowed", len(sdp), limits.Bytes)
	}
	sections := strings.Count(sdp, "\nm=")
	if sections > limits.Sections {
		return nil, refuse("%d media sections, at most %d are allowed", sections, limits.Sections)
	}
	r := reader{limits: limits, offer: &Offer{Sections: make([]Section, 0, sections)}}
	r.details = make([]details, 0, sections)
	if err := r.read(sdp); err != nil {
		return nil, err
	}
	if err := r.checkWhole(); err != nil {
		return nil, err
	}
	return r.offer, nil
}

func refuse(format string, args ...any) error {
	return signaling.Errorf(signaling.CodeServerRemoteDescription, "session description refused: "+format, args...)
}
