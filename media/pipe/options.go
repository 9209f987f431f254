package pipe

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/parley-rtc/parley/media"
)

// Format is what a program writes.
type Format string

// The formats. All but the raw ones are recognized by themselves.
const (
	// AnnexB is H.264 or H.265 with start codes.
	AnnexB Format = "annexb"
	// IVF holds VP8, VP9 or AV1.
	IVF Format = "ivf"
	// Ogg holds Opus.
	Ogg Format = "ogg"
	// Matroska, and WebM, hold several tracks of any codec.
	Matroska Format = "matroska"
	// WAV holds G.711, or PCM at 8 kHz, which becomes G.711.
	WAV Format = "wav"
	// PCM is raw sound: 16 bits, little endian, 8 kHz, mono. It becomes PCMU.
	PCM Format = "s16le"
	// MuLaw and ALaw are raw G.711: 8 kHz, mono.
	MuLaw Format = "mulaw"
	ALaw  Format = "alaw"
)

// Options say how a program is run and read. Nil and the zero value start it
// once, find out by themselves what it writes, and take that as it comes.
type Options struct {
	// Env is added to the environment that the program inherits, as
	// "NAME=value".
	Env []string
	// Dir is its working directory; empty: that of this process.
	Dir string

	// Format is what it writes. It is needed for raw sound only.
	Format Format
	// Codec is what it has to write. Anything else is refused with
	// [ErrCodec]; of a container with several tracks only this one is taken.
	Codec media.Codec
	// FrameRate is that of H.264 and H.265, whose streams carry no times. It
	// makes timestamps even; without it they follow the arrival more loosely.
	FrameRate float64
	// Paced is for programs that write faster than the media plays, such as
	// ffmpeg without -re: the stream begins when one of its sources is first
	// read, samples wait until their timestamps say that they are due, and
	// the program waits with them.
	Paced bool
	// FlushAfter takes a pause of this length for the end of a picture. By
	// itself a stream of H.264 or H.265 shows only by the next picture that
	// one is over, so that each comes a frame late. It has to be longer than
	// any pause within a picture: 5 ms do for programs that write pictures
	// whole, but a picture that is cut by mistake is broken, and so are those
	// that follow until the next key frame. It needs a pipe or a socket.
	FlushAfter time.Duration
	// MaxDelay is how old a sample may become before a source that is not
	// read in time throws it away. The default is one second.
	MaxDelay time.Duration

	// Await is for a program that may fail at first, such as one that reads a
	// camera which is still off: it is started again, with the same pauses as
	// later and without a bound of its own, until the first sample is there
	// or the context ends. Each failure is in the log. What starting again
	// cannot mend is an error at once: no such program, another codec, or
	// contents that no track carries. StallTimeout is StartTimeout where it is
	// zero.
	Await bool
	// StartTimeout bounds the wait for the first sample, ten seconds by
	// default, and the silence before the first bytes after each restart.
	// StallTimeout ends a program that wrote nothing for so long later; by
	// default it may be silent. Both need a stream with deadlines, as
	// programs, pipes and sockets are, to end it later than at its start.
	StartTimeout, StallTimeout time.Duration
	// Restarts is how often in a row the program is started again after it
	// ended, whatever its exit status, and after it stalled; negative: for
	// ever. The first start is repeated with Await only. A program that ran
	// for ten seconds counts from zero again.
	Restarts int
	// Backoff is the pause before the first restart, a quarter of a second by
	// default. It doubles up to MaxBackoff, 15 seconds by default, and is
	// varied by chance so that several do not start at once.
	Backoff, MaxBackoff time.Duration
	// Grace is how long the program has between SIGTERM and SIGKILL, two
	// seconds by default.
	Grace time.Duration

	// KeyframeSignal is sent to the program when a key frame is wanted.
	KeyframeSignal os.Signal
	// RequestKeyframe is called when a key frame is wanted, at most twice a
	// second and not twice at the same time. It may block.
	RequestKeyframe func()

	// Logger gets what the program says on its standard error, bounded, and
	// what happens to it. Nil is silent.
	Logger *slog.Logger

	secrets []string // not to be shown
	name    string   // to be shown instead of the program's
}

func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	switch c.Format {
	case "", AnnexB, IVF, Ogg, Matroska, WAV, PCM, MuLaw, ALaw:
	default:
		return c, fmt.Errorf("%w: format %q; known are annexb, ivf, ogg, matroska, wav, s16le, mulaw and alaw", ErrOption, c.Format)
	}
	if c.Codec != "" && c.Codec.Kind() == "" {
		return c, fmt.Errorf("%w: codec %q", ErrOption, c.Codec)
	}
	if c.FrameRate < 0 || c.FrameRate > 1000 || c.FrameRate != c.FrameRate {
		return c, fmt.Errorf("%w: frame rate %v", ErrOption, c.FrameRate)
	}
	for _, d := range []time.Duration{c.FlushAfter, c.MaxDelay, c.StartTimeout, c.StallTimeout, c.Backoff, c.MaxBackoff, c.Grace} {
		if d < 0 {
			return c, fmt.Errorf("%w: duration %v", ErrOption, d)
		}
	}
	c.MaxDelay = or(c.MaxDelay, time.Second)
	c.StartTimeout = or(c.StartTimeout, 10*time.Second)
	if c.Await {
		c.StallTimeout = or(c.StallTimeout, c.StartTimeout)
	}
	c.Backoff = or(c.Backoff, 250*time.Millisecond)
	c.MaxBackoff = max(or(c.MaxBackoff, 15*time.Second), c.Backoff)
	c.Grace = or(c.Grace, 2*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
