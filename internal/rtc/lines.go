package rtc

import (
	"slices"
	"strings"
)

// description is a session description, line by line.
type description struct {
	head     lines
	sections []lines
}

// lines are those of one section, or of what comes before the first, without
// their ends.
type lines []string

func parseLines(sdp string) *description {
	d := &description{}
	to := &d.head
	for line := range strings.Lines(sdp) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "m=") {
			d.sections = append(d.sections, nil)
			to = &d.sections[len(d.sections)-1]
		}
		if line != "" {
			*to = append(*to, line)
		}
	}
	return d
}

// String returns the description with the line ends that RFC 8866 asks for.
func (d *description) String() string {
	var b strings.Builder
	for _, part := range append([]lines{d.head}, d.sections...) {
		for _, line := range part {
			b.WriteString(line)
			b.WriteString("\r\n")
		}
	}
	return b.String()
}

// section returns the one with the mid, or nil.
func (d *description) section(mid string) lines {
	for _, s := range d.sections {
		if s.value("a=mid:") == mid {
			return s
		}
	}
	return nil
}

const bundleGroup = "a=group:BUNDLE"

// bundle adds a mid to the bundle that holds another one.
func (d *description) bundle(with, mid string) {
	for i, line := range d.head {
		if rest, ok := strings.CutPrefix(line, bundleGroup); ok && slices.Contains(strings.Fields(rest), with) {
			d.head[i] = line + " " + mid
			return
		}
	}
}

// unbundle takes the virtual sections out of all bundles.
func (d *description) unbundle() {
	for i, line := range d.head {
		rest, ok := strings.CutPrefix(line, bundleGroup)
		if !ok || !strings.Contains(rest, virtualMark) {
			continue
		}
		line = bundleGroup
		for _, mid := range strings.Fields(rest) {
			if !strings.HasPrefix(mid, virtualMark) {
				line += " " + mid
			}
		}
		d.head[i] = line
	}
}

// value returns the rest of the first line with the prefix, or "".
func (s lines) value(prefix string) string {
	for _, line := range s {
		if v, ok := strings.CutPrefix(line, prefix); ok {
			return v
		}
	}
	return ""
}

func (s lines) has(line string) bool { return slices.Contains(s, line) }

func (s lines) is(kind string) bool { return strings.HasPrefix(s[0], "m="+kind+" ") }

// sends reports whether media goes out of the section, in the eyes of who wrote
// it.
func (s lines) sends() bool { return !s.has("a=recvonly") && !s.has("a=inactive") && !s.rejected() }

// rejected reports port 0.
func (s lines) rejected() bool {
	f := strings.Fields(s[0])
	return len(f) > 1 && f[1] == "0"
}

// firstSSRC returns the first that the section describes, which is no repair
// flow in what pion writes.
func (s lines) firstSSRC() string {
	ssrc, _, _ := strings.Cut(s.value("a=ssrc:"), " ")
	return ssrc
}

// virtual returns a copy of the section under another mid, without SSRCs and
// candidates.
func (s lines) virtual(mid, direction string) lines {
	out := make(lines, 0, len(s)+1)
	for _, line := range s {
		switch {
		case line == "a=sendrecv", line == "a=sendonly", line == "a=recvonly", line == "a=inactive", line == "a=end-of-candidates":
		case strings.HasPrefix(line, "a=candidate:"), strings.HasPrefix(line, "a=ssrc"),
			strings.HasPrefix(line, "a=rid:"), strings.HasPrefix(line, "a=simulcast:"):
		case strings.HasPrefix(line, "a=mid:"):
			out = append(out, "a=mid:"+mid, direction)
		default:
			out = append(out, line)
		}
	}
	return out
}
