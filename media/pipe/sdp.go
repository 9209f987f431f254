package pipe

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/parley-rtc/parley/media"
)

// maxSDP bounds a session description.
const maxSDP = 64 << 10

// ParseSDP reads a session description, as ffmpeg writes one with -sdp_file
// and as stands in the documents of cameras, for [RTP]. Streams of codecs that
// tracks cannot carry are left out; none that can be is an error.
//
// The streams are received on the ports that the description names. Its
// addresses are those that the sender sends to: unspecified and multicast ones
// become loopback.
func ParseSDP(text []byte) ([]RTPStream, error) {
	if len(text) > maxSDP {
		return nil, fmt.Errorf("media/pipe: %w: session description of %d bytes", ErrMalformed, len(text))
	}
	var d sdp.SessionDescription
	if err := d.Unmarshal(trimSDP(text)); err != nil {
		return nil, fmt.Errorf("media/pipe: %w: session description: %w", ErrMalformed, err)
	}
	var out []RTPStream
	var names []string
	for _, m := range d.MediaDescriptions {
		s, name, ok := rtpStream(m)
		names = append(names, name)
		if !ok {
			continue
		}
		host := connection(m.ConnectionInformation)
		if host == "" {
			host = connection(d.ConnectionInformation)
		}
		if addr, err := netip.ParseAddr(host); err != nil || addr.IsUnspecified() || addr.IsMulticast() {
			host = "127.0.0.1"
		}
		if m.MediaName.Port.Value < 0 || m.MediaName.Port.Value > 65535 {
			return nil, fmt.Errorf("media/pipe: %w: port %d", ErrMalformed, m.MediaName.Port.Value)
		}
		s.Addr = net.JoinHostPort(host, strconv.Itoa(m.MediaName.Port.Value))
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("media/pipe: %w: the session description has %q", ErrUnsupported, names)
	}
	return out, nil
}

// trimSDP leaves out what programs print before the description, such as
// ffmpeg's "SDP:".
func trimSDP(text []byte) []byte {
	s := strings.TrimSpace(strings.TrimPrefix(string(text), "\ufeff"))
	if _, rest, ok := strings.Cut(s, "SDP:"); ok {
		s = strings.TrimSpace(rest)
	}
	return []byte(s + "\n")
}

func connection(c *sdp.ConnectionInformation) string {
	if c == nil || c.Address == nil {
		return ""
	}
	host, _, _ := strings.Cut(c.Address.Address, "/") // a TTL
	return host
}

// rtpStream finds a payload type that a track can carry.
func rtpStream(m *sdp.MediaDescription) (s RTPStream, name string, ok bool) {
	name = m.MediaName.Media
	if !strings.HasPrefix(strings.Join(m.MediaName.Protos, "/"), "RTP/AVP") {
		return s, name + " over " + strings.Join(m.MediaName.Protos, "/"), false
	}
	for _, format := range m.MediaName.Formats {
		pt, err := strconv.Atoi(format)
		if err != nil || pt < 0 || pt > 127 {
			continue
		}
		codec, rate, channels := mapping(m, format)
		name = codec
		var known bool
		if s.Codec, known = media.ParseCodec(codec); !known || string(s.Codec.Kind()) != m.MediaName.Media {
			continue
		}
		if rate != s.Codec.ClockRate() || channels > 1 && s.Codec != media.Opus {
			name = fmt.Sprintf("%s at %d Hz with %d channels", codec, rate, channels)
			continue
		}
		s.PayloadType = pt
		s.ParameterSets = parameterSets(s.Codec, fmtp(m, format))
		return s, codec, true
	}
	return s, name, false
}

// mapping returns what a payload type stands for.
func mapping(m *sdp.MediaDescription, format string) (codec string, rate, channels int) {
	for _, a := range m.Attributes {
		pt, value, found := strings.Cut(a.Value, " ")
		if a.Key != "rtpmap" || !found || pt != format {
			continue
		}
		parts := strings.Split(strings.TrimSpace(value), "/")
		codec, channels = parts[0], 1
		if len(parts) > 1 {
			rate, _ = strconv.Atoi(parts[1])
		}
		if len(parts) > 2 {
			channels, _ = strconv.Atoi(parts[2])
		}
		return codec, rate, channels
	}
	switch format { // RFC 3551, table 4
	case "0":
		return "PCMU", 8000, 1
	case "8":
		return "PCMA", 8000, 1
	}
	return "payload type " + format, 0, 0
}

func fmtp(m *sdp.MediaDescription, format string) map[string]string {
	out := map[string]string{}
	for _, a := range m.Attributes {
		pt, value, found := strings.Cut(a.Value, " ")
		if a.Key != "fmtp" || !found || pt != format {
			continue
		}
		for p := range strings.SplitSeq(value, ";") {
			k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
			out[strings.ToLower(k)] = v
		}
	}
	return out
}

// parameterSets reads sprop-parameter-sets (RFC 6184, 8.1) and sprop-vps, -sps
// and -pps (RFC 7798, 7.1). Broken ones are left out: the stream may have them.
func parameterSets(codec media.Codec, params map[string]string) [][]byte {
	var list []string
	switch codec {
	case media.H264:
		list = strings.Split(params["sprop-parameter-sets"], ",")
	case media.H265:
		for _, key := range []string{"sprop-vps", "sprop-sps", "sprop-pps"} {
			list = append(list, strings.Split(params[key], ",")...)
		}
	}
	var sets [][]byte
	for _, s := range list {
		if b, err := base64.StdEncoding.DecodeString(s); err == nil && len(b) > 2 && len(sets) < maxSets {
			sets = append(sets, b)
		}
	}
	return sets
}
