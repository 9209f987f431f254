package admission

import (
	"slices"
	"strings"
)

// checkWhole judges what can be judged only when all sections are known.
func (r *reader) checkWhole() error {
	mids := make(map[string]int, len(r.details))
	var applications int
	for i := range r.details {
		d, s := &r.details[i], &r.offer.Sections[i]
		s.Rejected = d.port == 0 && !d.bundleOnly
		if !s.Rejected && s.Mid == "" {
			return refuse("a section without a mid")
		}
		if s.Mid != "" {
			if _, taken := mids[s.Mid]; taken {
				return refuse("two sections with one mid")
			}
			mids[s.Mid] = i
		}
		if s.Kind == SectionApplication && !s.Rejected {
			applications++
		}
		for _, ssrc := range s.SIM {
			if !slices.Contains(s.SSRCs, ssrc) {
				return refuse("a simulcast group of unknown SSRCs")
			}
		}
	}
	if applications > 1 {
		return refuse("two sections for data channels")
	}
	if err := r.checkSSRCs(); err != nil {
		return err
	}
	return r.checkTransport(mids)
}

// checkSSRCs refuses an SSRC that two sections send: whose packet it is could
// be read either way.
func (r *reader) checkSSRCs() error {
	var n int
	for i := range r.offer.Sections {
		n += len(r.offer.Sections[i].SSRCs)
	}
	if n == 0 {
		return nil
	}
	owned := make(map[uint32]struct{}, n)
	for i := range r.offer.Sections {
		s := &r.offer.Sections[i]
		if s.Rejected || !s.Direction.Sends() {
			continue
		}
		for _, ssrc := range s.SSRCs {
			if _, taken := owned[ssrc]; taken {
				return refuse("one SSRC in two sections")
			}
			owned[ssrc] = struct{}{}
		}
	}
	return nil
}

// checkTransport makes sure that all sections share one transport, and that it
// is described once or everywhere alike. The transport is that of the first
// section of the BUNDLE group (RFC 9143, section 7.3).
func (r *reader) checkTransport(mids map[string]int) error {
	tag := -1
	grouped := make([]bool, len(r.details))
	if r.bundle != "" {
		for mid := range strings.SplitSeq(r.bundle, " ") {
			i, known := mids[mid]
			if !known || grouped[i] {
				return refuse("the BUNDLE group names an unknown section, or one twice")
			}
			grouped[i] = true
			if tag < 0 {
				tag = i
			}
		}
	}
	var active int
	for i := range r.offer.Sections {
		if r.offer.Sections[i].Rejected {
			continue
		}
		active++
		if tag < 0 && !r.bundled {
			tag = i // alone, it needs no group
		} else if !grouped[i] && i != tag {
			return refuse("a section outside of the BUNDLE group")
		}
	}
	if active == 0 {
		return nil
	}
	if tag < 0 || r.offer.Sections[tag].Rejected {
		return refuse("the BUNDLE group begins with a rejected section")
	}
	return r.checkCredentials(tag)
}

func (r *reader) checkCredentials(tag int) error {
	transport := r.details[tag]
	if transport.ufrag == "" {
		transport.ufrag = r.session.ufrag
	}
	if transport.pwd == "" {
		transport.pwd = r.session.pwd
	}
	if transport.fingerprints == nil {
		transport.fingerprints = r.session.fingerprints
	}
	switch {
	case transport.ufrag == "":
		return refuse("no ice-ufrag")
	case transport.pwd == "":
		return refuse("no ice-pwd")
	case transport.fingerprints == nil:
		return refuse("no fingerprint")
	}
	conflicts := func(d *details) bool {
		return d.ufrag != "" && d.ufrag != transport.ufrag || d.pwd != "" && d.pwd != transport.pwd ||
			d.fingerprints != nil && !slices.EqualFunc(d.fingerprints, transport.fingerprints, strings.EqualFold)
	}
	if conflicts(&r.session) {
		return refuse("the session and its sections describe two transports")
	}
	for i := range r.details {
		if !r.offer.Sections[i].Rejected && conflicts(&r.details[i]) {
			return refuse("sections of one BUNDLE group describe two transports")
		}
	}
	r.offer.Ufrag = transport.ufrag
	return nil
}
