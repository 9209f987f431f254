// Package codec holds what the encoders and decoders below it share: options
// and errors. Package media/codec/all picks one by the name of its encoding:
//
//	enc, err := all.NewVideoEncoder(media.VP8, codec.VideoOptions{Bitrate: 1_000_000})
//
// The video codecs and the Opus encoder are C libraries. They are part of
// programs built with cgo and with the build tag "codecs", which needs the
// Debian packages libvpx-dev, libopenh264-dev and libopus-dev; the tag "x264"
// besides it takes libx264-dev for H.264 (GPL). In any other build the same
// constructors are there and return [ErrUnavailable].
package codec

import (
	"errors"
	"fmt"
	"time"
)

// The errors of all codecs, wrapped with the codec and what is wrong.
// After Close there is media.ErrClosed besides them.
var (
	// ErrUnavailable says that the program was built without a codec. The text
	// names the build tags and packages that it takes.
	ErrUnavailable = errors.New("not in this build")
	// ErrUnsupported says that no build has an encoder or decoder for an
	// encoding. The text names those that there are.
	ErrUnsupported = errors.New("not supported")
	// ErrFrame says that a picture or a piece of sound cannot be encoded: the
	// format is wrong, or a plane is too short. The encoder goes on with the next.
	ErrFrame = errors.New("unsuitable frame")
	// ErrBitstream says that a sample cannot be decoded. The decoder goes on:
	// with the next key frame for video, with the next sample for audio.
	ErrBitstream = errors.New("broken bitstream")
	// ErrLost says that samples are missing before a sample of video, which so
	// cannot be decoded. The decoder goes on with the next key frame.
	ErrLost = errors.New("samples lost before")
)

// OptionError says that an option is out of its range.
type OptionError struct {
	Option string // the name of the field
	Value  any
	Want   string // what it may be
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("option %s is %v, want %s", e.Option, e.Value, e.Want)
}

// VideoOptions are the options of video encoders. The zero value is good for
// live pictures of any size.
type VideoOptions struct {
	// Width and Height are the size of the pictures, in pixels. Encoders follow
	// the pictures that they get: these only set the default bitrate and let a
	// size that cannot be encoded fail early. 16 to 8192; both may be zero.
	Width, Height int
	// FrameRate is how many pictures a second to expect: 1 to 240, 30 by
	// default. The timestamps of the pictures overrule it.
	FrameRate float64
	// Bitrate is what to aim for, in bits per second: 30 000 to 100 000 000.
	// The default is a tenth of a bit per pixel, such as 691 200 for 640x360
	// at 30 pictures a second, and 1 000 000 while the size is not known.
	Bitrate int
	// KeyframeInterval is the longest time between key frames, by the
	// pictures' timestamps. Zero means none but the first, those asked for and
	// those of a new size; anything else is at least 100 ms.
	KeyframeInterval time.Duration
	// Threads is how many threads to encode with: 1 to 4. By default there is
	// one below 1280x720, two from there and four from 1920x1080, but no more
	// than half the processors that Go uses.
	Threads int
	// Speed trades quality for time: from 1, the slowest, to 16. The default
	// and what the steps mean are the codec's own.
	Speed int
	// DropFrames lets the encoder leave pictures out when the bitrate cannot
	// be held with the coarsest picture either. By default each picture is
	// encoded, and the bitrate overshoots instead. x264 has no such thing and
	// ignores it.
	DropFrames bool
}

// Limits of options.
const (
	MinSide    = 16
	MaxSide    = 8192
	MinBitrate = 30_000      // of video
	MaxBitrate = 100_000_000 // of video
)

// WithDefaults returns the options with defaults in place of zeros, or an
// [*OptionError].
func (o VideoOptions) WithDefaults() (VideoOptions, error) {
	if o.Width != 0 || o.Height != 0 {
		if o.Width < MinSide || o.Width > MaxSide {
			return o, &OptionError{"Width", o.Width, "16 to 8192"}
		}
		if o.Height < MinSide || o.Height > MaxSide {
			return o, &OptionError{"Height", o.Height, "16 to 8192"}
		}
	}
	if o.FrameRate == 0 {
		o.FrameRate = 30
	}
	if !(o.FrameRate >= 1 && o.FrameRate <= 240) {
		return o, &OptionError{"FrameRate", o.FrameRate, "1 to 240"}
	}
	if o.Bitrate == 0 {
		o.Bitrate = o.defaultBitrate()
	}
	if o.Bitrate < MinBitrate || o.Bitrate > MaxBitrate {
		return o, &OptionError{"Bitrate", o.Bitrate, "30000 to 100000000 bit/s"}
	}
	if o.KeyframeInterval != 0 && o.KeyframeInterval < 100*time.Millisecond {
		return o, &OptionError{"KeyframeInterval", o.KeyframeInterval, "0 or at least 100ms"}
	}
	if o.Threads < 0 || o.Threads > 4 {
		return o, &OptionError{"Threads", o.Threads, "1 to 4, or 0"}
	}
	if o.Speed < 0 || o.Speed > 16 {
		return o, &OptionError{"Speed", o.Speed, "1 to 16, or 0"}
	}
	return o, nil
}

func (o VideoOptions) defaultBitrate() int {
	if o.Width == 0 {
		return 1_000_000
	}
	bps := float64(o.Width) * float64(o.Height) * o.FrameRate / 10
	return int(min(max(bps, MinBitrate), MaxBitrate))
}

// AudioOptions are the options of audio encoders. The zero value is good for
// speech from one microphone.
type AudioOptions struct {
	// Rate is how many samples a second there are: 8000, 12 000, 16 000,
	// 24 000 or, by default, 48 000. G.711 has 8000 only.
	Rate int
	// Channels is 1, the default, or 2. G.711 has one only.
	Channels int
	// Frame is the length of each piece of sound: 10, 20, 40 or 60 ms, 20 ms
	// by default.
	Frame time.Duration
	// Bitrate is what to aim for, in bits per second: 6000 to 510 000. The
	// default is 32 000 for one channel and 64 000 for two. G.711 ignores it.
	Bitrate int
	// FEC repeats each piece of speech, coarsely, in the packet after it, so
	// that a lost one can be had from there. Opus only.
	FEC bool
	// DTX sends next to nothing during silence: most of its pieces give a
	// sample without data, which is not to be sent. Opus only.
	DTX bool
	// Loss is the share of packets that is expected to be lost, 0 to 1: the
	// more, the more FEC is worth to the encoder. The default is 0.1 with FEC
	// and none without. Opus only.
	Loss float64
}

// Limits of options.
const (
	MinAudioBitrate = 6_000
	MaxAudioBitrate = 510_000
)

// WithDefaults returns the options with defaults in place of zeros, or an
// [*OptionError].
func (o AudioOptions) WithDefaults() (AudioOptions, error) {
	if o.Rate == 0 {
		o.Rate = 48000
	}
	if o.Channels == 0 {
		o.Channels = 1
	}
	if o.Frame == 0 {
		o.Frame = 20 * time.Millisecond
	}
	if err := CheckAudioFormat(o.Rate, o.Channels); err != nil {
		return o, err
	}
	switch o.Frame {
	case 10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond, 60 * time.Millisecond:
	default:
		return o, &OptionError{"Frame", o.Frame, "10ms, 20ms, 40ms or 60ms"}
	}
	if o.Bitrate == 0 {
		o.Bitrate = 32_000 * o.Channels
	}
	if o.Bitrate < MinAudioBitrate || o.Bitrate > MaxAudioBitrate {
		return o, &OptionError{"Bitrate", o.Bitrate, "6000 to 510000 bit/s"}
	}
	if o.Loss == 0 && o.FEC {
		o.Loss = 0.1
	}
	if !(o.Loss >= 0 && o.Loss <= 1) {
		return o, &OptionError{"Loss", o.Loss, "0 to 1"}
	}
	return o, nil
}

// CheckAudioFormat returns an [*OptionError] unless Opus has the rate and the
// number of channels.
func CheckAudioFormat(rate, channels int) error {
	switch rate {
	case 8000, 12000, 16000, 24000, 48000:
	default:
		return &OptionError{"Rate", rate, "8000, 12000, 16000, 24000 or 48000 Hz"}
	}
	if channels != 1 && channels != 2 {
		return &OptionError{"Channels", channels, "1 or 2"}
	}
	return nil
}
