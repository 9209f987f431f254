// Package play lets a program hear and see what it receives. A [Player] takes
// the tracks of a room and keeps sound even over an uneven network, mixes it,
// and shows pictures when what belongs to them is heard:
//
//	speaker, err := speaker.Open(nil) // media/play/speaker
//	…
//	player, err := play.New(&play.Options{Sound: speaker})
//	…
//	defer player.Close()
//	for e := range room.TrackSubscribed() {
//		if t, ok := e.Track.(play.Track); ok {
//			player.Add(e.Participant.Identity(), t)
//		}
//	}
//
// Sound goes to a speaker (media/play/speaker), to a file ([CreateWAV]), or
// is read by the program ([Player.Mixer]). Pictures go to a window
// (media/play/window) or to a [Screen] of the program's own.
//
// # Delay
//
// Each track waits as long as its packets need to come in time: the share that
// comes later than 99 of 100 is concealed. The wait follows the network, from
// 20 ms up to Options.MaxDelay, and with it the clocks of the two machines, by
// leaving out or repeating short pieces of sound. A participant's tracks wait
// for each other, at most half a second.
package play

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/parley-rtc/parley/media"
)

// The errors of a player, wrapped with what they are about.
var (
	// ErrClosed says that the player, or what it plays on, is closed.
	ErrClosed = errors.New("closed")
	// ErrOption says that an argument or option is out of its range.
	ErrOption = errors.New("invalid option")
)

// Track is a received audio or video track: *parley.RemoteAudioTrack and
// *parley.RemoteVideoTrack are. If it is a media.KeyframeRequester, it is asked
// when pictures cannot be decoded.
type Track interface {
	Attach(sink media.Sink) error
	Detach(sink media.Sink) error
	// Done is closed when the track has ended.
	Done() <-chan struct{}
}

// Sound is where a player's sound goes.
type Sound interface {
	// Start lets the device take its sound from m.Mix, at its own pace, until
	// Close. It is called once.
	Start(m *Mixer) error
	// Latency is the time from Mix until the sound is heard.
	Latency() time.Duration
	// Close ends the sound; nothing is taken from the mixer any more when it
	// returns. It is idempotent.
	Close() error
}

// Screen is where a player's pictures go. It is used from several goroutines.
type Screen interface {
	// Open makes a place for pictures, with the participant's name on it.
	Open(title string) (Pane, error)
	Close() error
}

// Pane is the place of one track's pictures on a [Screen]. It is used by one
// goroutine.
type Pane interface {
	// Show shows the picture, in I420, of which it keeps nothing. It returns
	// soon: the next picture waits for it.
	Show(f *media.VideoFrame) error
	// Close makes the place disappear.
	Close() error
}

// Options are the options of a [Player].
type Options struct {
	// Sound is where sound goes; the player closes it. Without one, the sound
	// waits in Player.Mixer for who reads it.
	Sound Sound
	// Screen is where pictures go; the player closes it. Without one, video
	// tracks are not decoded.
	Screen Screen

	// Mono mixes into one channel instead of two.
	Mono bool
	// MinDelay and MaxDelay bound how long samples are kept to even out the
	// network; 20 ms and 500 ms. MaxDelay is at most 2 s.
	MinDelay, MaxDelay time.Duration

	// Logger gets what cannot be played; nil is silent.
	Logger *slog.Logger

	// AudioDecoder and VideoDecoder make decoders; by default those of package
	// media/codec/all, of which most need the build tag "codecs".
	AudioDecoder func(media.Codec) (media.AudioDecoder, error)
	VideoDecoder func(media.Codec) (media.VideoDecoder, error)
}

func (o *Options) fill() error {
	if o.MinDelay == 0 {
		o.MinDelay = 20 * time.Millisecond
	}
	if o.MaxDelay == 0 {
		o.MaxDelay = max(o.MinDelay, 500*time.Millisecond)
	}
	if o.MinDelay < 0 || o.MaxDelay > 2*time.Second || o.MinDelay > o.MaxDelay {
		return fmt.Errorf("play: %w: a delay of %v to %v, not within 0 and 2s", ErrOption, o.MinDelay, o.MaxDelay)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.AudioDecoder == nil {
		o.AudioDecoder = newAudioDecoder
	}
	if o.VideoDecoder == nil {
		o.VideoDecoder = newVideoDecoder
	}
	return nil
}
