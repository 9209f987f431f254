package pipe

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RTSPOptions say how a network camera is read. Nil is the default.
type RTSPOptions struct {
	// Audio says what becomes of the camera's sound.
	Audio RTSPAudio
	// UDP lets the camera send by UDP, where packets can be lost, even if it
	// could send within the RTSP connection.
	UDP bool
	// Timeout is how long the camera may be silent, ten seconds by default.
	Timeout time.Duration
	// FFmpeg is the program to use, "ffmpeg" by default. It has to be version
	// 5 or later.
	FFmpeg string
	// Args are given to it before the camera's address.
	Args []string
	// Options are those of the program. Restarts is "for ever" where it is
	// zero.
	Options
}

// RTSPAudio is what becomes of the sound of a camera.
type RTSPAudio string

const (
	// AudioCopy publishes Opus and G.711 as they are, and leaves out other
	// sound. It is the default.
	AudioCopy RTSPAudio = ""
	// AudioOpus has ffmpeg encode Opus of whatever the camera sends, such as
	// AAC. That costs a few percent of a processor.
	AudioOpus RTSPAudio = "opus"
	// AudioNone leaves the sound out.
	AudioNone RTSPAudio = "none"
)

// RTSP reads a network camera by ffmpeg, without decoding its video: address is
// like "rtsp://user:password@camera/stream1". The camera's H.264 or H.265
// reaches the room as it is; when the camera goes away it is asked for again and
// again, and the tracks stay. One that is not there at the start is an error,
// unless Options.Await is set: then it is asked for until ctx ends.
//
// User and password are kept out of errors and logs, but they are in ffmpeg's
// arguments, which everybody on this machine can list.
//
// Pictures come one packet late, for so long does ffmpeg keep them.
func RTSP(ctx context.Context, address string, opts *RTSPOptions) (*Pipe, error) {
	args, o, err := rtspCommand(address, opts)
	if err != nil {
		return nil, fmt.Errorf("media/pipe: %w", err)
	}
	return Command(ctx, args, o)
}

// rtspCommand makes the command and its options.
func rtspCommand(address string, opts *RTSPOptions) (args []string, o *Options, err error) {
	var c RTSPOptions
	if opts != nil {
		c = *opts
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "rtsp" && u.Scheme != "rtsps" || u.Host == "" {
		// The parser's own error would show the password.
		return nil, nil, fmt.Errorf("%w: not an address like rtsp://camera/stream", ErrOption)
	}
	if c.Timeout < 0 {
		return nil, nil, fmt.Errorf("%w: duration %v", ErrOption, c.Timeout)
	}
	timeout := or(c.Timeout, 10*time.Second)
	ffmpeg := c.FFmpeg
	if ffmpeg == "" {
		ffmpeg = "ffmpeg"
	}
	transport := []string{"-rtsp_flags", "prefer_tcp"}
	if c.UDP {
		transport = []string{"-rtsp_transport", "udp"}
	}
	args = append([]string{ffmpeg, "-hide_banner", "-nostdin", "-nostats", "-loglevel", "warning"}, transport...)
	args = append(args, "-timeout", strconv.FormatInt(timeout.Microseconds(), 10),
		"-fflags", "nobuffer", "-analyzeduration", "3000000")
	args = append(args, c.Args...)
	args = append(args, "-i", address, "-map", "0:v:0?")
	switch c.Audio {
	case AudioCopy:
		args = append(args, "-map", "0:a:0?", "-c", "copy")
	case AudioOpus:
		args = append(args, "-map", "0:a:0?", "-c:v", "copy", "-c:a", "libopus", "-application", "lowdelay", "-ac", "2")
	case AudioNone:
		args = append(args, "-c", "copy")
	default:
		return nil, nil, fmt.Errorf("%w: audio %q", ErrOption, c.Audio)
	}
	args = append(args, "-flush_packets", "1", "-cluster_time_limit", "0", "-f", "matroska", "pipe:1")

	run := c.Options
	run.Format = Matroska
	if run.Restarts == 0 {
		run.Restarts = -1
	}
	run.StallTimeout = or(run.StallTimeout, 2*timeout)
	run.StartTimeout = or(run.StartTimeout, 2*timeout)
	run.name = u.Scheme + "://" + u.Host // Host has no user
	run.secrets = secrets(address, u)
	return args, &run, nil
}

// secrets lists what of an address must not be shown, the longest first. Many
// cameras take the password in the path or the query.
func secrets(address string, u *url.URL) []string {
	out := []string{address, u.String()}
	add := func(s string) {
		if len(s) > 2 {
			out = append(out, s)
		}
	}
	if u.RawQuery != "" || strings.Contains(strings.ToLower(u.Path), "passw") {
		add(u.RequestURI())
		add(u.RawQuery)
	}
	if u.User != nil {
		add(u.User.String())
		if password, ok := u.User.Password(); ok {
			add(password)
			add(url.QueryEscape(password))
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return len(b) - len(a) })
	return out
}
