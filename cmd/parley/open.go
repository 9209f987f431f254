package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/all"
	"github.com/parley-rtc/parley/media/file"
	"github.com/parley-rtc/parley/media/screen"
	"github.com/parley-rtc/parley/media/synth"
)

const (
	// syntheticTone stands for our tone where a file could be named.
	syntheticTone = "tone"
	// mutedAfter is how long a source may give nothing before that is told.
	mutedAfter = 2 * time.Second
)

// openOptions are those of all sources.
type openOptions struct {
	loop, reopen bool
	await        bool // what is not there yet, until it is
	logger       *slog.Logger
	names        map[string]bool // of tracks
}

// opened is a source that has begun, and its track.
type opened struct {
	spec    *spec
	track   localTrack
	granted string    // what the device gives
	closer  io.Closer // what is behind the source, or nil
}

// localTrack is what local audio and video tracks have in common.
type localTrack interface {
	parley.LocalTrack
	Codec() media.Codec
	IsEnabled() bool
	IsMuted() bool
	IsStopped() bool
}

var (
	_ localTrack = (*parley.LocalAudioTrack)(nil)
	_ localTrack = (*parley.LocalVideoTrack)(nil)
)

// check refuses what cannot be opened anywhere.
func (s *spec) check() error {
	switch s.kind {
	case fromCamera, fromScreen:
		switch s.codec {
		case "", media.VP8, media.VP9, media.H264:
		default:
			return usagef("%s --codec %s: pictures can be encoded as vp8, vp9 or h264", s, s.codec)
		}
	case fromExec:
		if _, ok := execFormats[s.format]; !ok {
			return usagef("%s --format %s: a program can print %s", s, s.format, execFormatNames)
		}
	case fromRTP:
		if s.codec == "" {
			return usagef("%s: what does it carry? pass --codec: vp8, vp9, h264, h265, av1, opus, pcmu or pcma", s)
		}
		if _, port, err := net.SplitHostPort(s.value); err != nil || port == "" {
			return usagef("%s: it has to be an address and a port, as in 127.0.0.1:5004", s)
		}
	case fromRTSP:
		if u, err := url.Parse(s.value); err != nil || (u.Scheme != "rtsp" && u.Scheme != "rtsps") || u.Host == "" {
			return usagef("--rtsp: it has to be like rtsp://camera.example/stream")
		}
	}
	return nil
}

// begun is what a source on the command line gives.
type begun struct {
	sources []media.Source
	granted string
	closer  io.Closer
}

func one(src media.Source, granted string) begun {
	return begun{sources: []media.Source{src}, granted: granted}
}

// open begins the source, which may give several tracks. What is wrong is told
// with what there is instead.
func (s *spec) open(ctx context.Context, opts *openOptions) (list []*opened, err error) {
	switch s.kind {
	case fromCamera:
		list, err = alone(s.camera(ctx, opts))
	case fromMic:
		list, err = alone(s.mic(ctx, opts))
	default:
		var b begun
		if b, err = s.begin(ctx, opts); err == nil {
			list, err = s.publish(b, opts)
		}
	}
	if err != nil {
		return nil, usagef("%s: %w", s, err)
	}
	return list, nil
}

func alone(o *opened, err error) ([]*opened, error) {
	if err != nil {
		return nil, err
	}
	return []*opened{o}, nil
}

func (s *spec) begin(ctx context.Context, opts *openOptions) (begun, error) {
	switch s.kind {
	case fromScreen:
		return s.screen(ctx)
	case fromExec:
		return s.exec(ctx, opts)
	case fromRTP:
		return s.rtp(ctx, opts)
	case fromRTSP:
		return s.rtsp(ctx, opts)
	}
	return s.file(opts)
}

// publish makes the tracks of what a source gives.
func (s *spec) publish(b begun, opts *openOptions) ([]*opened, error) {
	var list []*opened
	for i, src := range b.sources {
		o, err := s.track(src, opts, len(b.sources) > 1)
		if err != nil {
			for _, rest := range b.sources[i:] {
				err = errors.Join(err, rest.Close())
			}
			for _, o := range list {
				o.stop()
			}
			return nil, err
		}
		o.granted = b.granted
		if i == 0 {
			o.closer = b.closer
		}
		list = append(list, o)
	}
	return list, nil
}

// track makes the track of a source. Of several of a command, each but the
// picture has what it carries in its name.
func (s *spec) track(src media.Source, opts *openOptions, several bool) (*opened, error) {
	kind := src.Codec().Kind()
	name := s.name
	if several && kind == media.Audio {
		name += "-audio"
	}
	if name == s.name && !s.used {
		s.used = true
	} else {
		base := name
		for n := 2; opts.names[name]; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		opts.names[name] = true
	}
	o := &parley.TrackOptions{Name: name, MutedAfter: mutedAfter}
	var t localTrack
	var err error
	if kind == media.Audio {
		t, err = parley.NewLocalAudioTrack(src, o)
	} else {
		t, err = parley.NewLocalVideoTrack(src, o)
	}
	if err != nil {
		return nil, err
	}
	return &opened{spec: s, track: t}, nil
}

// stop ends the track and what is behind it.
func (o *opened) stop() {
	o.track.Stop()
	if o.closer != nil {
		_ = o.closer.Close() // it was only read
	}
}

func (s *spec) file(opts *openOptions) (begun, error) {
	switch s.value {
	case synthetic:
		return one(synth.Video(), ""), nil
	case syntheticTone:
		return one(synth.Tone(), ""), nil
	}
	src, err := file.Open(s.value, &file.Options{Loop: opts.loop, FrameRate: s.fps})
	if err != nil {
		return begun{}, err
	}
	return one(src, ""), nil
}

func (s *spec) screen(ctx context.Context) (begun, error) {
	display := s.value
	if display == ownDefault {
		display = ""
	}
	r, err := screen.Open(ctx, &screen.Options{Display: display, FrameRate: s.fps})
	if err != nil {
		if there := displays(); errors.Is(err, screen.ErrDisplay) && len(there) > 0 {
			err = fmt.Errorf("%w; there are %v", err, there)
		}
		return begun{}, err
	}
	return s.encode(r, 0, 0, cmp.Or(s.fps, screen.DefaultFrameRate), fmt.Sprintf("%v pictures a second", cmp.Or(s.fps, screen.DefaultFrameRate)))
}

// encode makes a source of pictures.
func (s *spec) encode(r media.VideoReader, width, height int, rate float64, granted string) (begun, error) {
	enc, err := all.NewVideoEncoder(cmp.Or(s.codec, media.VP8), codec.VideoOptions{
		Width: width, Height: height, FrameRate: rate, Bitrate: s.bitrate,
	})
	if err != nil {
		return begun{}, errors.Join(err, r.Close())
	}
	opts := &media.VideoSourceOptions{MaxWidth: s.width, MaxHeight: s.height, FrameRate: s.fps}
	return one(media.NewVideoSource(r, enc, opts), granted), nil
}
