package main

import (
	"context"
	"net"
	"net/netip"
	"regexp"
	"strings"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/pipe"
)

// execFormats are what a program may print, by the name of the codec or of the
// container. What is not said is found out.
var execFormats = map[string]struct {
	format pipe.Format
	codec  media.Codec
}{
	"":         {},
	"h264":     {pipe.AnnexB, media.H264},
	"h265":     {pipe.AnnexB, media.H265},
	"annexb":   {pipe.AnnexB, ""},
	"vp8":      {pipe.IVF, media.VP8},
	"vp9":      {pipe.IVF, media.VP9},
	"av1":      {pipe.IVF, media.AV1},
	"ivf":      {pipe.IVF, ""},
	"opus":     {pipe.Ogg, media.Opus},
	"ogg":      {pipe.Ogg, ""},
	"matroska": {pipe.Matroska, ""},
	"mkv":      {pipe.Matroska, ""},
	"webm":     {pipe.Matroska, ""},
	"wav":      {pipe.WAV, ""},
	"s16le":    {pipe.PCM, ""},
	"mulaw":    {pipe.MuLaw, ""},
	"pcmu":     {pipe.MuLaw, ""},
	"alaw":     {pipe.ALaw, ""},
	"pcma":     {pipe.ALaw, ""},
}

const execFormatNames = "h264, h265, vp8, vp9, av1 (in IVF), opus (in Ogg), matroska, webm, wav, s16le, mulaw or alaw (8 kHz, mono)"

// simple is a command that needs no shell.
var simple = regexp.MustCompile(`^[\w@%+:,./-][\w@%+=:,./ -]*$`)

// arguments splits a command line. What is more than words goes to a shell.
func arguments(line string) []string {
	if first, _, _ := strings.Cut(line, " "); simple.MatchString(line) && !strings.Contains(first, "=") {
		return strings.Fields(line)
	}
	return []string{"/bin/sh", "-c", line}
}

// exec publishes what a program prints.
func (s *spec) exec(ctx context.Context, opts *openOptions) (begun, error) {
	f := execFormats[s.format]
	o := &pipe.Options{Format: f.format, Codec: f.codec, FrameRate: s.fps, Logger: opts.logger}
	if opts.reopen {
		o.Restarts = -1
	}
	return piped(pipe.Command(ctx, arguments(s.value), o))
}

// rtp publishes what arrives on a port. An address of this machine that others
// reach is meant for others.
func (s *spec) rtp(ctx context.Context, opts *openOptions) (begun, error) {
	host, port, err := net.SplitHostPort(s.value)
	if err != nil {
		return begun{}, err
	}
	if host == "" || host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return begun{}, err
	}
	stream := pipe.RTPStream{Addr: net.JoinHostPort(host, port), Codec: s.codec}
	return piped(pipe.RTP(ctx, []pipe.RTPStream{stream}, &pipe.RTPOptions{AllowRemote: !ip.IsLoopback(), Logger: opts.logger}))
}

// rtsp publishes what a camera on the network sends. It is asked for again for
// as long as we run.
func (s *spec) rtsp(ctx context.Context, opts *openOptions) (begun, error) {
	return piped(pipe.RTSP(ctx, s.value, &pipe.RTSPOptions{
		Options: pipe.Options{FrameRate: s.fps, Logger: opts.logger, Await: opts.await},
	}))
}

func piped(p *pipe.Pipe, err error) (begun, error) {
	if err != nil {
		return begun{}, err
	}
	return begun{sources: p.Sources(), closer: p}, nil
}
