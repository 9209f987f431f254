package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/play"
	"github.com/parley-rtc/parley/media/play/speaker"
	"github.com/parley-rtc/parley/media/play/window"
	"github.com/spf13/cobra"
)

// errNoSpeaker says that what sound went to is no more.
var errNoSpeaker = errors.New("the speaker is gone")

// playFlags say where sound and pictures go.
type playFlags struct {
	play             bool
	speaker          string
	window, noWindow bool
}

func (p *playFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&p.play, "play", false, "hear what is received, and see it where there is a display")
	f.StringVar(&p.speaker, "speaker", "", "where to hear it: an id or a part of a label, or FILE.wav (default the system's choice)")
	f.BoolVar(&p.window, "window", false, "see what is received in a window, without --play silently")
	f.BoolVar(&p.noWindow, "no-window", false, "with --play, only hear it")
}

// stage is where what is received is heard and seen. It may be nowhere.
type stage struct {
	player *play.Player // nil: nowhere
	sound  bool
	screen bool
	closed <-chan struct{} // when somebody closed the window
	silent <-chan struct{} // when the speaker is gone
}

// open opens the speaker and the window that were asked for.
func (p *playFlags) open(title string, logger *slog.Logger) (*stage, error) {
	if p.window && p.noWindow {
		return nil, usagef("--window and --no-window exclude each other")
	}
	p.play = p.play || p.speaker != ""
	if !p.play && !p.window {
		return &stage{}, nil
	}
	s := &stage{}
	opts := &play.Options{Logger: logger}
	if p.play {
		if err := s.openSound(p.speaker, opts); err != nil {
			return nil, usagef("--play: %w", err)
		}
	}
	if p.window || p.play && !p.noWindow && os.Getenv("DISPLAY") != "" {
		w, err := window.Open(&window.Options{Title: title})
		if err != nil {
			return nil, usagef("--window: %w", errors.Join(err, closeAll(opts.Sound)))
		}
		opts.Screen, s.screen, s.closed = w, true, w.Done()
	}
	player, err := play.New(opts)
	if err != nil {
		return nil, usagef("--play: %w", err) // what it was given is closed
	}
	s.player = player
	return s, nil
}

// openSound opens what sound goes to: a device, or a file.
func (s *stage) openSound(name string, opts *play.Options) error {
	s.sound = true
	if strings.HasSuffix(name, ".wav") {
		f, err := play.CreateWAV(name)
		if err == nil {
			opts.Sound = f
		}
		return err
	}
	out, err := speaker.Open(&speaker.Options{Device: name})
	if err != nil {
		return err
	}
	opts.Sound, s.silent = out, out.Done()
	return nil
}

func closeAll(c io.Closer) error {
	if c == nil {
		return nil
	}
	return c.Close()
}

// add plays a track, if there is something to play it on.
func (s *stage) add(r *received) error {
	if s.player == nil || r.track.Codec().Kind() == media.Audio && !s.sound || r.track.Codec().Kind() == media.Video && !s.screen {
		return nil
	}
	t, ok := r.track.(play.Track)
	if !ok {
		return nil
	}
	return s.player.Add(r.who, t)
}

// close ends the playing. It is idempotent.
func (s *stage) close() error {
	if s == nil || s.player == nil {
		return nil
	}
	return s.player.Close()
}

// played is how the playing of a track went.
type played struct {
	Kind        string  `json:"kind"`
	DelayMS     float64 `json:"delay_ms"`
	PlayedMS    float64 `json:"played_ms,omitempty"`
	ConcealedMS float64 `json:"concealed_ms,omitempty"`
	Shown       int64   `json:"shown,omitempty"`
	Skipped     int64   `json:"skipped,omitempty"`
	SkewMS      float64 `json:"skew_ms,omitempty"`
	Failed      int64   `json:"failed,omitempty"`
}

// measure takes note of how it goes.
func (s *stage) measure(tracks []*received) {
	if s.player == nil {
		return
	}
	for _, st := range s.player.Stats() {
		for _, r := range tracks {
			if play.Track(r.track) == st.Track {
				r.played = played{
					Kind: string(st.Kind), DelayMS: ms(st.Target), PlayedMS: ms(st.Played), ConcealedMS: ms(st.Concealed),
					Shown: st.Shown, Skipped: st.Skipped, SkewMS: ms(st.Skew), Failed: st.Failed,
				}
			}
		}
	}
}

// line is what a person wants to know of it.
func (p *played) line() string {
	switch media.Kind(p.Kind) {
	case media.Audio:
		return fmt.Sprintf(" delay %.0f ms concealed %.0f ms", p.DelayMS, p.ConcealedMS)
	case media.Video:
		return fmt.Sprintf(" delay %.0f ms shown %d skew %.0f ms", p.DelayMS, p.Shown, p.SkewMS)
	}
	return ""
}
