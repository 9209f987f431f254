// Package device captures cameras and microphones.
//
//	tracks, err := device.Tracks(ctx, nil) // the default microphone and camera
//	if err != nil {
//		return err
//	}
//	room, err := parley.Connect(token, &parley.ConnectOptions{Tracks: tracks})
//
// On Linux, cameras and microphones are read from the kernel, without cgo;
// only where PulseAudio or PipeWire has the microphones, a program built with
// cgo (a C compiler and nothing more) shares them with others, and one without
// has to find them free. Cameras and microphones of macOS and Windows, and
// microphones of other systems, need cgo; without, they fail with
// codec.ErrUnavailable. Encoding needs codecs, see package media/codec.
//
// Devices are named by their id, by their label, by a part of one of them that
// fits only one device, or "default".
package device

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-rtc/parley/media"
)

// Default is the name of the device that the system, or this package where the
// system says nothing, prefers. The empty name means the same.
const Default = "default"

// Device is a camera or a microphone.
type Device struct {
	// ID stays the same when the device is plugged in again and when the
	// machine starts again.
	ID string
	// Label is for people. Devices may share one.
	Label string
	// Kind is media.Audio for a microphone, media.Video for a camera.
	Kind media.Kind
	// Default is true for the device that is taken where none is named.
	Default bool
	// Video is what a camera gives, in its driver's order, as far as it can be
	// read.
	Video []VideoFormat
	// Audio is what a microphone gives by itself; other rates and numbers of
	// channels are made from it. It is empty when another program has the
	// device to itself.
	Audio []AudioFormat

	alias []string // other names that it goes by
	place any      // for the backend
}

// String returns the label and the id.
func (d Device) String() string { return fmt.Sprintf("%q (%s)", d.Label, d.ID) }

// VideoFormat is a format of pictures that a camera gives, in one size or in a
// range of sizes.
type VideoFormat struct {
	// Name is what the driver calls the format, such as "YUYV" or "MJPG".
	Name string
	// Pixels is the same as a raw format or MJPEG; empty for others.
	Pixels media.PixelFormat
	// Codec is the same as an encoding that can be passed on as it is; empty
	// for others.
	Codec media.Codec
	// Width and Height are the size, or the smallest.
	Width, Height int
	// MaxWidth and MaxHeight are the largest size, in steps of StepWidth and
	// StepHeight.
	MaxWidth, MaxHeight, StepWidth, StepHeight int
	// FrameRates are the rates at the largest size, the highest first, or the
	// highest and the lowest of a range. It is empty when they are not known.
	FrameRates []float64
}

func (f VideoFormat) String() string {
	s := fmt.Sprintf("%s %dx%d", f.Name, f.Width, f.Height)
	if f.MaxWidth > f.Width || f.MaxHeight > f.Height {
		s += fmt.Sprintf("–%dx%d", f.MaxWidth, f.MaxHeight)
	}
	if len(f.FrameRates) > 0 {
		s += fmt.Sprintf(" at %v/s", f.FrameRates)
	}
	return s
}

// AudioFormat is a format of sound that a microphone gives.
type AudioFormat struct {
	Rate     int // samples a second; 0: any
	Channels int // 0: any
}

// Devices lists the microphones and cameras. Where this build or system has no
// way to list one kind, there are none of it in the list; only where it has no
// way to list either is it an error. A device that may not be used is not
// listed, and if that leaves none of a kind it is an [ErrPermission] besides the
// list of the others.
func Devices(ctx context.Context) ([]Device, error) {
	mics, micErr := list(ctx, media.Audio, true)
	cameras, cameraErr := list(ctx, media.Video, true)
	all := slices.Concat(mics, cameras)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	switch {
	case unavailable(micErr) && unavailable(cameraErr):
		return nil, cameraErr
	case micErr != nil && !unavailable(micErr):
		return all, micErr
	case cameraErr != nil && !unavailable(cameraErr):
		return all, cameraErr
	}
	return all, nil
}

// list lists the devices of a kind, the default one first. Without detail,
// microphones come without their formats, to ask for which takes opening them.
func list(ctx context.Context, kind media.Kind, detail bool) (all []Device, err error) {
	err = guarded(kind, "", func() (err error) {
		if kind == media.Audio {
			all, err = microphones(ctx, detail)
		} else {
			all, err = cameras(ctx)
		}
		return err
	})
	slices.SortStableFunc(all, func(a, b Device) int {
		rank := map[bool]int{true: 0, false: 1}
		return cmp.Compare(rank[a.Default], rank[b.Default])
	})
	return all, err
}

// find finds the device that name means.
func find(all []Device, kind media.Kind, name string) (Device, error) {
	miss := &Error{Kind: kind, Device: name, Err: ErrNotFound, Devices: all}
	if name == "" || name == Default {
		if len(all) == 0 {
			return Device{}, miss
		}
		return all[0], nil
	}
	lower := strings.ToLower(name)
	for _, fits := range []func(d Device) bool{
		func(d Device) bool { return d.ID == name },
		func(d Device) bool { return slices.Contains(d.alias, name) },
		func(d Device) bool { return strings.EqualFold(d.Label, name) },
		func(d Device) bool {
			return strings.Contains(strings.ToLower(d.Label), lower) || strings.Contains(strings.ToLower(d.ID), lower)
		},
	} {
		var found []Device
		for _, d := range all {
			if fits(d) {
				found = append(found, d)
			}
		}
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			miss.Devices, miss.Cause = found, fmt.Errorf("%d devices are called like this", len(found))
			return Device{}, miss
		}
	}
	return Device{}, miss
}
