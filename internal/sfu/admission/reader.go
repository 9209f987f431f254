package admission

import (
	"slices"
	"strconv"
	"strings"
)

const (
	maxMid     = 32  // characters of a mid
	maxID      = 128 // characters of a track's wire id
	maxFormats = 128 // payload types of a section
	maxRIDs    = 16  // layers of a section
	maxFingers = 4   // fingerprints of a section
	maxLine    = 16 << 10
	maxSession = 64 // lines before the first section
)

// reader takes a description apart in one pass over its lines.
type reader struct {
	limits  Limits
	offer   *Offer
	session details
	details []details // of offer.Sections
	bundle  string    // the mids behind a=group:BUNDLE
	bundled bool      // whether there was such a line
	// direction of the session, which sections inherit
	direction Direction
}

// details is what the checks need of a section, or of the session, and the
// summary does not tell.
type details struct {
	lines        int
	ufrag, pwd   string
	fingerprints []string
	port         int
	bundleOnly   bool
	directed     bool // a direction was given
	named        bool // a mid was given
}

func (r *reader) read(sdp string) error {
	if !strings.HasPrefix(sdp, "v=0\r\n") && !strings.HasPrefix(sdp, "v=0\n") {
		return refuse("it does not begin with v=0")
	}
	for line := range strings.Lines(sdp) {
		line = strings.TrimSuffix(line, "\n")
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			continue
		}
		if err := checkLine(line); err != nil {
			return err
		}
		var err error
		switch line[0] {
		case 'm':
			err = r.media(line[2:])
		case 'a':
			err = r.attribute(line[2:])
		default:
			err = r.count()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkLine refuses what other readers could take for something else: a
// carriage return alone ends a line for some of them.
func checkLine(line string) error {
	if len(line) > maxLine {
		return refuse("a line of %d bytes", len(line))
	}
	if len(line) < 2 || line[1] != '=' || line[0] < 'a' || line[0] > 'z' {
		return refuse("a line that is not type=value")
	}
	for i := range len(line) {
		if c := line[i]; c < ' ' && c != '\t' || c == 0x7f {
			return refuse("a control character")
		}
	}
	return nil
}

// here returns the details of where the reader is: in the session or in the
// newest section, which is nil in the session.
func (r *reader) here() (*details, *Section) {
	if n := len(r.details); n > 0 {
		return &r.details[n-1], &r.offer.Sections[n-1]
	}
	return &r.session, nil
}

func (r *reader) count() error {
	d, s := r.here()
	d.lines++
	if s == nil && d.lines > maxSession || d.lines > r.limits.Lines {
		return refuse("too many lines in one section")
	}
	return nil
}

func (r *reader) media(value string) error {
	kind, rest, _ := strings.Cut(value, " ")
	port, rest, _ := strings.Cut(rest, " ")
	proto, formats, _ := strings.Cut(rest, " ")
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || proto == "" || formats == "" {
		return refuse("a malformed media line")
	}
	if strings.Count(formats, " ") >= maxFormats {
		return refuse("too many formats in one section")
	}
	switch SectionKind(kind) {
	case SectionAudio, SectionVideo, SectionApplication:
	default:
		return refuse("media of an unknown kind")
	}
	direction := r.direction
	if direction == "" {
		direction = SendRecv
	}
	r.details = append(r.details, details{port: int(number)})
	r.offer.Sections = append(r.offer.Sections, Section{Kind: SectionKind(kind), Direction: direction})
	return nil
}

func (r *reader) attribute(value string) error {
	key, value, _ := strings.Cut(value, ":")
	d, s := r.here()
	if key == "candidate" {
		if s != nil {
			s.Candidates++
		}
		return nil
	}
	if err := r.count(); err != nil {
		return err
	}
	switch key {
	case "ice-ufrag":
		return once(&d.ufrag, value, key, iceToken(value, 4, 256))
	case "ice-pwd":
		return once(&d.pwd, value, key, iceToken(value, 22, 256))
	case "fingerprint":
		if !validFingerprint(value) {
			return refuse("a malformed fingerprint, or one of a weak hash")
		}
		if len(d.fingerprints) == maxFingers {
			return refuse("too many fingerprints")
		}
		d.fingerprints = append(d.fingerprints, value)
	case "setup":
		if value != "active" && value != "passive" && value != "actpass" && value != "holdconn" {
			return refuse("an unknown DTLS role")
		}
	case "sendrecv", "sendonly", "recvonly", "inactive":
		if d.directed {
			return refuse("two directions in one section")
		}
		d.directed = true
		if s == nil {
			r.direction = Direction(key)
		} else {
			s.Direction = Direction(key)
		}
	case "group":
		return r.group(s, value)
	default:
		if s != nil {
			return r.sectionAttribute(d, s, key, value)
		}
	}
	return nil
}

func (r *reader) group(s *Section, value string) error {
	mids, ok := strings.CutPrefix(value, "BUNDLE")
	if !ok || s != nil || mids != "" && mids[0] != ' ' {
		return refuse("a group other than BUNDLE")
	}
	if r.bundled {
		return refuse("two BUNDLE groups")
	}
	r.bundled, r.bundle = true, strings.TrimPrefix(mids, " ")
	return nil
}

func (r *reader) sectionAttribute(d *details, s *Section, key, value string) error {
	switch key {
	case "mid":
		if d.named || !token(value, maxMid) {
			return refuse("a malformed or repeated mid")
		}
		d.named, s.Mid = true, value
	case "bundle-only":
		d.bundleOnly = true
	case "msid":
		_, track, _ := strings.Cut(value, " ")
		if track == "" {
			return nil
		}
		if !wireID(track) || s.MsidTrack != "" && s.MsidTrack != track {
			return refuse("a malformed msid, or two tracks in one section")
		}
		s.MsidTrack = track
	case "ssrc":
		number, _, _ := strings.Cut(value, " ")
		ssrc, ok := parseSSRC(number)
		if !ok {
			return refuse("a malformed SSRC")
		}
		if slices.Contains(s.SSRCs, ssrc) {
			return nil
		}
		if len(s.SSRCs) == r.limits.SSRCs {
			return refuse("more than %d SSRCs in one section", r.limits.SSRCs)
		}
		s.SSRCs = append(s.SSRCs, ssrc)
	case "ssrc-group":
		return r.ssrcGroup(s, value)
	case "rid":
		id, rest, _ := strings.Cut(value, " ")
		way, _, _ := strings.Cut(rest, " ")
		if way != "send" {
			return nil
		}
		if !token(id, maxMid) || slices.Contains(s.RIDs, id) || len(s.RIDs) == maxRIDs {
			return refuse("a malformed or repeated rid, or too many")
		}
		s.RIDs = append(s.RIDs, id)
	}
	return nil
}

// ssrcGroup reads a group of any semantics and keeps the one of simulcast.
func (r *reader) ssrcGroup(s *Section, value string) error {
	semantics, list, _ := strings.Cut(value, " ")
	if strings.Count(list, " ") >= r.limits.SSRCs {
		return refuse("too many SSRCs in one group")
	}
	sim := semantics == "SIM"
	if sim && s.SIM != nil {
		return refuse("two simulcast groups in one section")
	}
	for number := range strings.SplitSeq(list, " ") {
		ssrc, ok := parseSSRC(number)
		if !ok || sim && slices.Contains(s.SIM, ssrc) {
			return refuse("a malformed group of SSRCs")
		}
		if sim {
			s.SIM = append(s.SIM, ssrc)
		}
	}
	return nil
}

// once stores a value that a section may have one time only.
func once(field *string, value, key string, ok bool) error {
	if !ok {
		return refuse("a malformed %s", key)
	}
	if *field != "" {
		return refuse("two values of %s in one section", key)
	}
	*field = value
	return nil
}
