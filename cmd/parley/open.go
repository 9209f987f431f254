package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/file"
	"github.com/parley-rtc/parley/media/synth"
)

// syntheticTone stands for our tone where a file could be named.
const syntheticTone = "tone"

// openOptions are those of all sources.
type openOptions struct {
	loop, reopen bool
	logger       *slog.Logger
}

// opened is a source that has begun, and its track.
type opened struct {
	spec    *spec
	track   localTrack
	granted string // what the device gives
}

// localTrack is what local audio and video tracks have in common.
type localTrack interface {
	parley.LocalTrack
	Codec() media.Codec
	IsEnabled() bool
	IsStopped() bool
	Stop()
}

var (
	_ localTrack = (*parley.LocalAudioTrack)(nil)
	_ localTrack = (*parley.LocalVideoTrack)(nil)
)

// check refuses what cannot be opened anywhere.
func (s *spec) check() error {
	switch s.kind {
	case fromCamera, fromScreen:
		if s.codec != "" && s.codec != media.VP8 && s.codec != media.H264 {
			return usagef("%s --codec %s: pictures can be encoded as vp8 or h264", s, s.codec)
		}
	case fromExec:
		if s.format == "" {
			return usagef("%s: what does it print? pass --format", s)
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

// open begins the source. What is wrong is told with what there is instead.
func (s *spec) open(ctx context.Context, opts *openOptions) (*opened, error) {
	src, granted, err := s.source(ctx, opts)
	if err != nil {
		return nil, err
	}
	track, err := newTrack(src, s.name)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return &opened{spec: s, track: track, granted: granted}, nil
}

func (s *spec) source(ctx context.Context, opts *openOptions) (src media.Source, granted string, err error) {
	switch s.kind {
	case fromFile:
		src, err = s.file(opts)
		return src, "", err
	}
	return nil, "", usagef("%s: not yet", s)
}

func (s *spec) file(opts *openOptions) (media.Source, error) {
	switch s.value {
	case synthetic:
		return synth.Video(), nil
	case syntheticTone:
		return synth.Tone(), nil
	}
	return openFile(s.kind, s.value, &file.Options{Loop: opts.loop, FrameRate: s.fps})
}

func newTrack(src media.Source, name string) (localTrack, error) {
	opts := &parley.TrackOptions{Name: name}
	if src.Codec().Kind() == media.Audio {
		return parley.NewLocalAudioTrack(src, opts)
	}
	return parley.NewLocalVideoTrack(src, opts)
}
