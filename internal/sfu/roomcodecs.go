package sfu

import (
	"slices"
	"strings"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
)

// keepCodecs takes the video codecs that the room does not allow, with their
// retransmission formats, out of a description. A video section that has none
// left is an error. The description was checked before.
func keepCodecs(sdp string, allowed []media.Codec) (string, *signaling.Error) {
	if allowed == nil {
		return sdp, nil
	}
	lines := slices.Collect(strings.Lines(sdp))
	var out strings.Builder
	for len(lines) > 0 {
		end := 1
		for end < len(lines) && !strings.HasPrefix(lines[end], "m=") {
			end++
		}
		section := lines[:end]
		lines = lines[end:]
		if strings.HasPrefix(section[0], "m=video ") {
			var ok bool
			if section, ok = keepFormats(section, allowed); !ok {
				return "", signaling.NewError(signaling.CodeNoSupportedCodec)
			}
		}
		for _, line := range section {
			out.WriteString(line)
		}
	}
	return out.String(), nil
}

// keepFormats does so for one section, and reports whether a codec is left.
func keepFormats(section []string, allowed []media.Codec) (kept []string, ok bool) {
	keep := map[string]bool{}
	names := map[string]string{}
	for _, line := range section {
		if pt, codec, found := attribute(line, "a=rtpmap:"); found {
			name, _, _ := strings.Cut(codec, "/")
			names[pt] = name
			c, known := media.ParseCodec("video/" + name)
			keep[pt] = known && slices.Contains(allowed, c)
			ok = ok || keep[pt]
		}
	}
	for _, line := range section {
		if pt, params, found := attribute(line, "a=fmtp:"); found && strings.EqualFold(names[pt], "rtx") {
			for p := range strings.SplitSeq(params, ";") {
				if apt, isAPT := strings.CutPrefix(strings.TrimSpace(p), "apt="); isAPT {
					keep[pt] = keep[apt]
				}
			}
		}
	}
	for i, line := range section {
		if i == 0 {
			kept = append(kept, keepPayloads(line, keep))
			continue
		}
		pt, _, about := attribute(line, "a=rtpmap:", "a=fmtp:", "a=rtcp-fb:")
		if !about || keep[pt] || pt == "*" {
			kept = append(kept, line)
		}
	}
	return kept, ok
}

// attribute splits a line that begins with one of the names into the payload
// type and the rest.
func attribute(line string, names ...string) (payload, rest string, ok bool) {
	line = strings.TrimRight(line, "\r\n")
	for _, name := range names {
		if value, is := strings.CutPrefix(line, name); is {
			payload, rest, ok = strings.Cut(value, " ")
			return payload, rest, ok
		}
	}
	return "", "", false
}

func keepPayloads(mline string, keep map[string]bool) string {
	f := strings.Fields(mline)
	out := slices.Clone(f[:min(3, len(f))])
	for _, pt := range f[len(out):] {
		if keep[pt] {
			out = append(out, pt)
		}
	}
	return strings.Join(out, " ") + "\r\n"
}
