package engine

import (
	"fmt"
	"strings"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/signaling"
)

// What a description may hold, in either direction. A room of 50 with audio and
// video needs 100 sections.
const (
	maxDescription = 384 << 10 // bytes
	maxSections    = 256
	maxCandidates  = 100 // of one generation; more is no honest list
)

// checkRemote refuses what no honest server says, before anything expensive
// sees it: descriptions that are too large, and answers that do not fit their
// offer, of which pion takes missing and surplus sections in silence.
func checkRemote(d signaling.Description, offer string) error {
	if len(d.SDP) > maxDescription {
		return fmt.Errorf("%d bytes, at most %d are taken", len(d.SDP), maxDescription)
	}
	if n := strings.Count(d.SDP, "\nm="); n > maxSections {
		return fmt.Errorf("%d sections, at most %d are taken", n, maxSections)
	}
	for section := range strings.SplitSeq(d.SDP, "\nm=") {
		if n := strings.Count(section, "\na=candidate:"); n > maxCandidates {
			return fmt.Errorf("%d candidates, at most %d are taken", n, maxCandidates)
		}
	}
	if d.Type != signaling.DescriptionAnswer {
		return nil
	}
	got, want := rtc.Sections(d.SDP), rtc.Sections(offer)
	if len(got) != len(want) {
		return fmt.Errorf("%d sections answer an offer of %d", len(got), len(want))
	}
	for i, s := range got {
		if s.Kind != want[i].Kind || (s.Mid != "" && s.Mid != want[i].Mid) {
			return fmt.Errorf("section %d, %s %q, answers %s %q", i, s.Kind, s.Mid, want[i].Kind, want[i].Mid)
		}
	}
	return nil
}
