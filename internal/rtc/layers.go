package rtc

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Browsers send simulcast without RIDs as several SSRCs in one section, named
// by a=ssrc-group:SIM, lowest layer first (the RTP side is RFC 5576). Pion takes
// such a section for Plan B and refuses it. So it is shown one section per
// layer: the first keeps its mid, the others are virtual, with mids that are
// derived from it. The other side never sees them: they are put into the
// descriptions that come, and taken out of those that go; what we send
// ourselves in virtual sections is joined into one on the way out.
//
// A virtual section stays for as long as the connection, as every section
// does, and follows its first one, which may be used for other tracks meanwhile.

// ErrLayers says that the simulcast layers of a description make no sense.
var ErrLayers = errors.New("malformed simulcast layers")

// MaxLayers is how many layers one section can have.
const MaxLayers = 3

// maxLayered is how many sections of a connection can have layers; of those
// beyond it only the lowest layer is taken.
const maxLayered = 16

// LayerMid returns the mid of a layer of the section with the mid. The lowest
// layer is the section itself.
func LayerMid(mid string, layer int) string {
	if layer == 0 {
		return mid
	}
	return virtualMark + strconv.Itoa(layer) + virtualMark + mid
}

// SplitMid is the inverse of LayerMid.
func SplitMid(mid string) (first string, layer int) {
	if rest, ok := strings.CutPrefix(mid, virtualMark); ok {
		if number, first, ok := strings.Cut(rest, virtualMark); ok {
			if layer, err := strconv.Atoi(number); err == nil {
				return first, layer
			}
		}
	}
	return mid, 0
}

const virtualMark = "~"

// layers rewrites the descriptions of one connection.
type layers struct {
	virtual []virtualSection // ordered as they began
}

type virtualSection struct {
	of    string // mid of the first section
	layer int
}

func (v virtualSection) mid() string { return LayerMid(v.of, v.layer) }

// layered counts the sections that have virtual ones.
func (l *layers) layered() (n int) {
	for _, v := range l.virtual {
		if v.layer == 1 {
			n++
		}
	}
	return n
}

func (l *layers) has(v virtualSection) bool { return slices.Contains(l.virtual, v) }

// add notes n layers of a section.
func (l *layers) add(mid string, n int) {
	for i := 1; i < n; i++ {
		if v := (virtualSection{mid, i}); !l.has(v) {
			l.virtual = append(l.virtual, v)
		}
	}
}

// in turns a description of the other side into what pion is shown. The result
// is the same string where there are no layers.
func (l *layers) in(sdp string, answer bool) (string, error) {
	if strings.Contains(sdp, "a=mid:"+virtualMark) {
		return "", fmt.Errorf("%w: a mid begins with %q", ErrLayers, virtualMark)
	}
	if len(l.virtual) == 0 && !strings.Contains(sdp, simGroup) {
		return sdp, nil
	}
	d := parseLines(sdp)
	groups := map[string]*ssrcGroups{} // by mid
	for i, s := range d.sections {
		g, err := s.groups()
		if err != nil {
			return "", err
		}
		if g == nil {
			continue
		}
		mid := s.value("a=mid:")
		n := len(g.layers)
		if mid == "" || !s.is("video") || !s.sends() || (!l.has(virtualSection{mid, 1}) && l.layered() >= maxLayered) {
			n = 1
		}
		l.add(mid, n)
		if n > 1 {
			groups[mid] = g
		}
		d.sections[i] = g.only(s, 0)
	}
	for _, v := range l.virtual {
		first := d.section(v.of)
		if first == nil {
			continue // whatever pion makes of a description that forgets sections
		}
		g := groups[v.of]
		if g != nil && v.layer < len(g.layers) {
			d.sections = append(d.sections, g.only(first.virtual(v.mid(), "a=sendonly"), v.layer))
		} else {
			direction := "a=recvonly"
			if answer && first.has("a=inactive") {
				direction = "a=inactive"
			}
			d.sections = append(d.sections, first.virtual(v.mid(), direction))
		}
		if !first.rejected() {
			d.bundle(v.of, v.mid())
		}
	}
	return d.String(), nil
}

// out turns a description of pion into what the other side is shown.
func (l *layers) out(sdp string) string {
	if len(l.virtual) == 0 {
		return sdp
	}
	d := parseLines(sdp)
	shown := d.sections[:0:0]
	virtual := map[string]lines{}
	for _, s := range d.sections {
		if mid := s.value("a=mid:"); strings.HasPrefix(mid, virtualMark) {
			virtual[mid] = s
		} else {
			shown = append(shown, s)
		}
	}
	for i, s := range shown {
		mid := s.value("a=mid:")
		var more []lines
		for layer := 1; layer < MaxLayers; layer++ {
			if v := virtual[LayerMid(mid, layer)]; v != nil {
				more = append(more, v)
			}
		}
		if s.sends() {
			shown[i] = joinLayers(s, more)
		}
	}
	d.sections = shown
	d.unbundle()
	return d.String()
}

// joinLayers puts what the virtual sections send into the first one.
func joinLayers(first lines, more []lines) lines {
	sim := []string{}
	for _, s := range append([]lines{first}, more...) {
		if ssrc := s.firstSSRC(); ssrc != "" && s.sends() {
			sim = append(sim, ssrc)
		}
	}
	if len(sim) < 2 {
		return first
	}
	out := slices.Clone(first)
	out = append(out, simGroup+strings.Join(sim, " "))
	for _, s := range more {
		if s.sends() {
			for _, line := range s {
				if strings.HasPrefix(line, "a=ssrc") {
					out = append(out, line)
				}
			}
		}
	}
	return out
}

const simGroup = "a=ssrc-group:SIM "

// ssrcGroups is what a section with layers says of its SSRCs.
type ssrcGroups struct {
	layers []string // lowest first
	repair map[string]string
}

// groups reads the layers of a section, nil if it has none.
func (s lines) groups() (*ssrcGroups, error) {
	var g *ssrcGroups
	for _, line := range s {
		list, ok := strings.CutPrefix(line, simGroup)
		if !ok {
			continue
		}
		if g != nil {
			return nil, fmt.Errorf("%w: two groups in one section", ErrLayers)
		}
		g = &ssrcGroups{layers: strings.Fields(list), repair: map[string]string{}}
	}
	if g == nil {
		return nil, nil
	}
	if n := len(g.layers); n == 0 || n > MaxLayers {
		return nil, fmt.Errorf("%w: %d in one section, at most %d are taken", ErrLayers, n, MaxLayers)
	}
	used := map[string]bool{}
	take := func(ssrc string) error {
		if n, err := strconv.ParseUint(ssrc, 10, 32); err != nil || n == 0 || strconv.FormatUint(n, 10) != ssrc {
			return fmt.Errorf("%w: SSRC %q", ErrLayers, ssrc)
		}
		if used[ssrc] {
			return fmt.Errorf("%w: SSRC %s is used twice", ErrLayers, ssrc)
		}
		used[ssrc] = true
		return nil
	}
	for _, ssrc := range g.layers {
		if err := take(ssrc); err != nil {
			return nil, err
		}
	}
	for _, line := range s {
		list, ok := strings.CutPrefix(line, "a=ssrc-group:FID ")
		if !ok {
			continue
		}
		pair := strings.Fields(list)
		if len(pair) != 2 || !slices.Contains(g.layers, pair[0]) || g.repair[pair[0]] != "" {
			return nil, fmt.Errorf("%w: repair flow %q", ErrLayers, list)
		}
		if err := take(pair[1]); err != nil {
			return nil, err
		}
		g.repair[pair[0]] = pair[1]
	}
	for _, ssrc := range g.layers {
		if !slices.ContainsFunc(s, func(line string) bool { return line == "a=ssrc:"+ssrc || strings.HasPrefix(line, "a=ssrc:"+ssrc+" ") }) {
			return nil, fmt.Errorf("%w: SSRC %s is not described", ErrLayers, ssrc)
		}
	}
	return g, nil
}

// only returns s with one layer: virtual sections, which have none, get its
// lines from the section that the groups were read from.
func (g *ssrcGroups) only(s lines, layer int) lines {
	ssrc := g.layers[layer]
	repair := g.repair[ssrc]
	out := make(lines, 0, len(s))
	for _, line := range s {
		if !strings.HasPrefix(line, "a=ssrc") && !strings.HasPrefix(line, "a=rid:") && !strings.HasPrefix(line, "a=simulcast:") {
			out = append(out, line)
		}
	}
	if repair != "" {
		out = append(out, "a=ssrc-group:FID "+ssrc+" "+repair)
	}
	out = append(out, "a=ssrc:"+ssrc+" cname:layers")
	if repair != "" {
		out = append(out, "a=ssrc:"+repair+" cname:layers")
	}
	return out
}
