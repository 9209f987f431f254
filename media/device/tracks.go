package device

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/all"
)

// Options say which tracks [Tracks] makes. The zero value is both, of the
// default devices.
type Options struct {
	// Audio is how to make a track of a microphone. There is none when it is
	// nil and Video is not.
	Audio *AudioOptions
	// Video is how to make a track of a camera. There is none when it is nil
	// and Audio is not.
	Video *VideoOptions
}

// AudioOptions say how a track is made of a microphone. The zero value is good
// for speech.
type AudioOptions struct {
	// Device is the microphone's id or label; empty means the default one.
	Device string
	// Name is the track's name, see parley.TrackOptions.
	Name string
	// Disabled makes the track begin disabled.
	Disabled bool
	// Channels is 1, the default, or 2.
	Channels int
	// Codec is media.Opus, the default, media.PCMU or media.PCMA.
	Codec media.Codec
	// Bitrate is what to aim for, in bits per second. The default is the
	// codec's.
	Bitrate int
	// NoFEC leaves out what helps a receiver to make good a lost packet. Opus
	// only.
	NoFEC bool
	// DTX sends next to nothing during silence. Opus only.
	DTX bool
	// Reopen makes the track wait, muted, while its microphone is unplugged.
	// Without it, that ends the track with [ErrUnplugged].
	Reopen bool
	// MutedAfter is how long the microphone may give nothing before the track
	// counts as muted. The default is a second; negative: it never does.
	MutedAfter time.Duration
}

// VideoOptions say how a track is made of a camera. The zero value is VP8 of
// what the camera gives that is closest to 640x480 at 30 pictures a second.
type VideoOptions struct {
	// Device is the camera's id or label; empty means the default one.
	Device string
	// Name is the track's name, see parley.TrackOptions.
	Name string
	// Disabled makes the track begin disabled.
	Disabled bool
	// Width, Height, FrameRate, Format and Nearest are as in [CameraOptions].
	Width, Height int
	FrameRate     float64
	Format        media.PixelFormat
	Nearest       bool
	// Codec is media.VP8, the default, media.H264 or another that there is an
	// encoder for.
	Codec media.Codec
	// Passthrough sends what the camera encodes itself, as it is, without an
	// encoder. The default Codec is media.H264 then.
	Passthrough bool
	// Bitrate is what to aim for, in bits per second. The default depends on
	// size and rate. A camera that encodes may not listen.
	Bitrate int
	// Reopen makes the track wait, muted, while its camera is unplugged.
	// Without it, that ends the track with [ErrUnplugged].
	Reopen bool
	// MutedAfter is how long the camera may give nothing before the track
	// counts as muted. The default is a second; negative: it never does.
	MutedAfter time.Duration
}

// Tracks opens a microphone and a camera, or one of them, and makes tracks of
// them to publish: audio before video. Either all are made or none, and then
// no device stays open; so it is when ctx ends before the last one is made.
// opts may be nil.
//
// A track closes its device when it is stopped.
func Tracks(ctx context.Context, opts *Options) ([]parley.LocalTrack, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Audio == nil && o.Video == nil {
		o = Options{Audio: &AudioOptions{}, Video: &VideoOptions{}}
	}
	var tracks []parley.LocalTrack
	var err error
	if o.Audio != nil {
		var t *parley.LocalAudioTrack
		if t, err = AudioTrack(ctx, o.Audio); err == nil {
			tracks = append(tracks, t)
		}
	}
	if err == nil && o.Video != nil {
		var t *parley.LocalVideoTrack
		if t, err = VideoTrack(ctx, o.Video); err == nil {
			tracks = append(tracks, t)
		}
	}
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("device: %w", ctx.Err())
	}
	if err != nil {
		for _, t := range tracks {
			stop(t)
		}
		return nil, err
	}
	return tracks, nil
}

func stop(t parley.LocalTrack) {
	if t, ok := t.(interface{ Stop() }); ok {
		t.Stop()
	}
}

// AudioTrack opens a microphone and makes a track of it. opts may be nil.
func AudioTrack(ctx context.Context, opts *AudioOptions) (*parley.LocalAudioTrack, error) {
	var o AudioOptions
	if opts != nil {
		o = *opts
	}
	if o.Codec == "" {
		o.Codec = media.Opus
	}
	enc, err := all.NewAudioEncoder(o.Codec, codec.AudioOptions{
		Rate: o.Codec.ClockRate(), Channels: o.Channels, Bitrate: o.Bitrate,
		FEC: o.Codec == media.Opus && !o.NoFEC, DTX: o.Codec == media.Opus && o.DTX,
	})
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	mic, err := OpenMicrophone(ctx, o.Device, o.microphone())
	if err != nil {
		return nil, errors.Join(err, enc.Close())
	}
	src := &audioSource{AudioSource: media.NewAudioSource(mic, enc, nil)}
	t, err := parley.NewLocalAudioTrack(src, trackOptions(o.Name, o.Disabled, o.MutedAfter))
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	src.forget = remember(t, mic)
	return t, nil
}

func (o *AudioOptions) microphone() *MicrophoneOptions {
	return &MicrophoneOptions{Channels: o.Channels, Reopen: o.Reopen}
}

// VideoTrack opens a camera and makes a track of it. opts may be nil.
func VideoTrack(ctx context.Context, opts *VideoOptions) (*parley.LocalVideoTrack, error) {
	var o VideoOptions
	if opts != nil {
		o = *opts
	}
	if o.Codec == "" {
		if o.Codec = media.VP8; o.Passthrough {
			o.Codec = media.H264
		}
	}
	w := cameraWant{CameraOptions: *o.camera(), name: o.Device}
	if o.Passthrough {
		w.codec = o.Codec
	}
	cam, err := openCameraSlot(ctx, w)
	if err != nil {
		return nil, err
	}
	var src interface {
		media.Source
		remembered(forget func())
	}
	if o.Passthrough {
		src = newPassthrough(cam, o.Codec, o.Bitrate)
	} else {
		got := cam.Settings()
		enc, err := all.NewVideoEncoder(o.Codec, codec.VideoOptions{
			Width: got.Width, Height: got.Height, FrameRate: got.FrameRate, Bitrate: o.Bitrate,
		})
		if err != nil {
			return nil, fmt.Errorf("device: %w", errors.Join(err, cam.Close()))
		}
		src = &videoSource{VideoSource: media.NewVideoSource(cam, enc, nil)}
	}
	t, err := parley.NewLocalVideoTrack(src, trackOptions(o.Name, o.Disabled, o.MutedAfter))
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	src.remembered(remember(t, cam))
	return t, nil
}

func (o *VideoOptions) camera() *CameraOptions {
	return &CameraOptions{
		Width: o.Width, Height: o.Height, FrameRate: o.FrameRate, Format: o.Format, Nearest: o.Nearest, Reopen: o.Reopen,
	}
}

func trackOptions(name string, disabled bool, mutedAfter time.Duration) *parley.TrackOptions {
	if mutedAfter == 0 {
		mutedAfter = time.Second
	}
	return &parley.TrackOptions{Name: name, Disabled: disabled, MutedAfter: max(mutedAfter, 0)}
}

// Restart makes the track go on with another device, or the same with other
// constraints, without publishing it again: of the options for the track's
// kind, Device (empty means the same), Channels, Width, Height, FrameRate,
// Format and Nearest count. Without options for its kind, or with nil, the
// device is opened anew as it was. When that fails, what was open goes on.
//
// It is for tracks that this package has made and that are not stopped; others
// are an error that wraps parley.ErrTrackStopped.
func Restart(ctx context.Context, t parley.LocalTrack, opts *Options) error {
	var o Options
	if opts != nil {
		o = *opts
	}
	d, _ := opened.Load(t)
	switch d := d.(type) {
	case *Microphone:
		w := d.slot.wanted()
		if o.Audio != nil {
			w.MicrophoneOptions, w.name = *o.Audio.microphone(), named(o.Audio.Device, w.name)
		}
		return d.restart(ctx, w)
	case *Camera:
		w := d.slot.wanted()
		if o.Video != nil {
			w.CameraOptions, w.name = *o.Video.camera(), named(o.Video.Device, w.name)
		}
		return d.restart(ctx, w)
	}
	return fmt.Errorf("device: restart: %w", parley.ErrTrackStopped)
}

func named(name, before string) string {
	if name == "" {
		return before
	}
	return name
}

// Of returns the device that the track captures, and what it really gives. The
// settings of the other kind are zero, and all are while the device is
// unplugged. ok is false for tracks that this package has not made or that are
// stopped.
func Of(t parley.LocalTrack) (d Device, audio AudioSettings, video VideoSettings, ok bool) {
	opened, _ := opened.Load(t)
	switch o := opened.(type) {
	case *Microphone:
		return o.Device(), o.Settings(), VideoSettings{}, true
	case *Camera:
		return o.Device(), AudioSettings{}, o.Settings(), true
	}
	return Device{}, AudioSettings{}, VideoSettings{}, false
}

// opened holds the device of each track until it is closed.
var opened sync.Map

func remember(t parley.LocalTrack, device any) (forget func()) {
	opened.Store(t, device)
	return func() { opened.Delete(t) }
}

// audioSource and videoSource are sources whose end is noted.
type audioSource struct {
	*media.AudioSource
	forget func()
}

func (s *audioSource) Close() error {
	if s.forget != nil {
		s.forget()
	}
	return s.AudioSource.Close()
}

type videoSource struct {
	*media.VideoSource
	forget func()
}

func (s *videoSource) remembered(forget func()) { s.forget = forget }

func (s *videoSource) Close() error {
	if s.forget != nil {
		s.forget()
	}
	return s.VideoSource.Close()
}
