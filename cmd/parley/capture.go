package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/device"
)

// camera publishes a camera. One that encodes H.264 itself is passed on as it is
// where that is asked for, and where this build has no encoder.
func (s *spec) camera(ctx context.Context, opts *openOptions) (*opened, error) {
	o := &device.VideoOptions{
		Device: s.value, Name: s.name, Width: s.width, Height: s.height, FrameRate: s.fps, Codec: cmp.Or(s.codec, media.VP8),
		Bitrate: s.bitrate, Reopen: opts.reopen, MutedAfter: mutedAfter,
	}
	asItIs := *o
	asItIs.Codec, asItIs.Passthrough = media.H264, true
	if s.codec == media.H264 {
		t, err := device.VideoTrack(ctx, &asItIs)
		if err == nil {
			return s.captured(t), nil
		}
		if !errors.Is(err, device.ErrUnsatisfiable) {
			return nil, err
		}
	}
	t, err := device.VideoTrack(ctx, o)
	if err != nil && s.codec == "" && (errors.Is(err, codec.ErrUnavailable) || errors.Is(err, device.ErrUnsatisfiable)) {
		if t, err := device.VideoTrack(ctx, &asItIs); err == nil {
			return s.captured(t), nil
		}
	}
	if err != nil {
		return nil, err
	}
	return s.captured(t), nil
}

// mic publishes a microphone.
func (s *spec) mic(ctx context.Context, opts *openOptions) (*opened, error) {
	t, err := device.AudioTrack(ctx, &device.AudioOptions{
		Device: s.value, Name: s.name, Bitrate: s.bitrate, Reopen: opts.reopen, MutedAfter: mutedAfter,
	})
	if err != nil {
		return nil, err
	}
	return s.captured(t), nil
}

// captured tells what a device really gives.
func (s *spec) captured(t localTrack) *opened {
	d, audio, video, _ := device.Of(t)
	var granted string
	if t.Kind() == parley.KindAudio {
		granted = fmt.Sprintf("%d Hz, %s", audio.Rate, plural(audio.Channels, "channel"))
	} else {
		granted = fmt.Sprintf("%dx%d", video.Width, video.Height)
		if video.FrameRate > 0 {
			granted += " at " + strconv.FormatFloat(video.FrameRate, 'f', -1, 64) + " a second"
		}
		granted += ", " + cmp.Or(string(video.Format), string(video.Codec)+" as it is")
	}
	return &opened{spec: s, track: t, granted: d.String() + ", " + granted}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
