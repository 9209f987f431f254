package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/parley-rtc/parley/internal/demo"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/file"
	"github.com/spf13/cobra"
)

// demoFlags are those of parley demo.
type demoFlags struct {
	listen, video, audio, dir string
	duration                  time.Duration
	json                      bool
	log                       logFlags
}

func newDemo() *cobra.Command {
	var d demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Hold a call on this machine, from end to end",
		Long: "Starts the server on a loopback address, joins a publisher with video, audio and messages, and a\n" +
			"subscriber that records. Prints a page to watch at, how it goes each second, and at the end a summary.\n" +
			"The exit status is 0 only if media really arrived and the recording is whole.",
		Example: "  parley demo --duration 10s\n  parley demo --video talk.ivf --audio talk.ogg --record ./recordings --json",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return d.run(cmd) },
	}
	f := cmd.Flags()
	f.DurationVar(&d.duration, "duration", 0, "how long; 0: until Ctrl-C")
	f.StringVar(&d.video, "video", "", "a file to send: IVF with VP8, VP9 or AV1, or Annex B H.264 or H.265")
	f.StringVar(&d.audio, "audio", "", "a file to send: Ogg Opus, or WAV with G.711")
	f.StringVar(&d.dir, "record", "", "where recordings go (default a new directory for temporary files)")
	f.StringVar(&d.listen, "listen", "127.0.0.1:0", "where the server listens: a loopback address; port 0: any")
	f.BoolVar(&d.json, "json", false, "print the summary as JSON on the standard output, all else on the standard error")
	d.log.register(cmd, "off")
	return cmd
}

func (d *demoFlags) run(cmd *cobra.Command) error {
	cfg, err := d.config(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	talk := cmd.OutOrStdout()
	if d.json {
		talk = cmd.ErrOrStderr()
	}
	cfg.Started = func(url string) { fmt.Fprintf(talk, "watch at %s\n", url) }
	cfg.Progress = func(p demo.Progress) { printProgress(talk, p) }
	cfg.RecordingFailed = func(err error) { fmt.Fprintf(talk, "the call goes on, but is not recorded: %s\n", oneLine(err)) }
	ctx := cmd.Context()
	if d.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.duration)
		defer cancel()
	}
	sum, err := demo.Run(ctx, cfg)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = usagef("%w; choose another --listen, or leave it out for any free port", err)
	}
	if err != nil {
		if !d.json && sum == (demo.Summary{}) {
			return err // it never began
		}
		sum.Error = oneLine(err)
	}
	if d.json {
		return errors.Join(err, json.NewEncoder(cmd.OutOrStdout()).Encode(sum))
	}
	printSummary(talk, sum)
	return err
}

// config opens what is to be played.
func (d *demoFlags) config(stderr io.Writer) (cfg demo.Config, err error) {
	if d.duration < 0 {
		return cfg, usagef("--duration %v: it cannot be negative", d.duration)
	}
	host, err := checkAddress("listen", d.listen, "127.0.0.1:7880")
	if err != nil {
		return cfg, err
	}
	if ip := net.ParseIP(host); !strings.EqualFold(host, "localhost") && (ip == nil || !ip.IsLoopback()) {
		return cfg, usagef("--listen %q: the demo stays on this machine; use 127.0.0.1, or 'parley serve'", d.listen)
	}
	cfg = demo.Config{Listen: d.listen, Dir: d.dir}
	if cfg.Logger, err = d.log.logger(stderr); err != nil {
		return cfg, err
	}
	if cfg.Video, err = openMedia("video", d.video, media.Video, true); err != nil {
		return cfg, err
	}
	if cfg.Audio, err = openMedia("audio", d.audio, media.Audio, true); err != nil {
		return cfg, errors.Join(err, closeSource(cfg.Video))
	}
	if d.dir == "" {
		if cfg.Dir, err = os.MkdirTemp("", "parley-demo-"); err != nil {
			return cfg, errors.Join(fmt.Errorf("making a directory for the recording: %w; choose one with --record", err),
				closeSource(cfg.Video), closeSource(cfg.Audio))
		}
	}
	return cfg, nil
}

// openMedia opens a file for publishing; nil without a path.
func openMedia(flag, path string, kind media.Kind, loop bool) (media.Source, error) {
	if path == "" {
		return nil, nil
	}
	src, err := file.Open(path, &file.Options{Loop: loop})
	if err != nil {
		return nil, usagef("--%s: %w", flag, err)
	}
	if got := src.Codec(); got.Kind() != kind {
		_ = src.Close() // it was only read
		return nil, usagef("--%s %s: it holds %s, which is %s; pass it with --%s", flag, path, got, got.Kind(), got.Kind())
	}
	return src, nil
}

func closeSource(src media.Source) error {
	if src == nil {
		return nil
	}
	return src.Close()
}

func printProgress(w io.Writer, p demo.Progress) {
	loss := 0.0
	if all := p.Packets + p.Lost; all > 0 {
		loss = 100 * float64(p.Lost) / float64(all)
	}
	trip := "-"
	if p.RoundTrip > 0 {
		trip = p.RoundTrip.Round(10 * time.Microsecond).String()
	}
	fmt.Fprintf(w, "%4v  participants %d  tracks %d  bitrate %.0f kbit/s  loss %.1f %%  round trip %s\n",
		p.At, p.Participants, p.Tracks, p.BitsPerS/1000, loss, trip)
}

func printSummary(w io.Writer, s demo.Summary) {
	fmt.Fprintf(w, "\njoin             %.1f ms\n", s.JoinMS)
	fmt.Fprintf(w, "first frame      %.1f ms after the call to join\n", s.FirstFrameMS)
	fmt.Fprintf(w, "video (%s)  frames sent %d, received %d, lost %d\n", s.VideoCodec, s.FramesSent, s.FramesReceived, s.FramesLost)
	fmt.Fprintf(w, "audio (%s)  frames sent %d, received %d, lost %d\n", s.AudioCodec, s.AudioFramesSent, s.AudioFramesReceived, s.AudioFramesLost)
	fmt.Fprintf(w, "packets          received %d, lost %d\n", s.PacketsReceived, s.PacketsLost)
	fmt.Fprintf(w, "messages         sent %d, received %d, round trip %.0f µs\n", s.MessagesSent, s.MessagesReceived, s.RoundTripP50US)
	switch {
	case s.RecordingError != "":
		fmt.Fprintf(w, "recording        %s %s\n", s.Recording, s.RecordingError)
	case s.Recording != "":
		fmt.Fprintf(w, "recording        %s\n", s.Recording)
	}
}
