package media_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"log"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/all"
	"github.com/parley-rtc/parley/media/codec/g711"
)

// One camera is sent in two sizes: the picture is captured and converted once.
func ExampleNewVideoFanout_simulcast() {
	camera := media.NewVideoPush(nil) // or a camera of media/v4l2
	fan := media.NewVideoFanout(camera)

	layer := func(maxHeight, bitrate int) (*media.VideoSource, error) {
		enc, err := all.NewVideoEncoder(media.VP8, codec.VideoOptions{Bitrate: bitrate})
		if err != nil {
			return nil, err
		}
		return media.NewVideoSource(fan.Reader(), enc, &media.VideoSourceOptions{MaxHeight: maxHeight}), nil
	}
	large, err := layer(720, 1_500_000)
	if err != nil {
		log.Print(err) // a build without codecs
		return
	}
	defer large.Close() // the last one closes the camera
	small, err := layer(180, 150_000)
	if err != nil {
		log.Print(err)
		return
	}
	defer small.Close()
	// track, err := parley.NewLocalVideoTrack(large, nil) and so on.

	// The link got worse: less of the same track, without publishing it again.
	large.SetSize(640, 360)
	large.SetFrameRate(15)
}

// A program that draws its own pictures sends them as from a camera.
func ExampleVideoPush() {
	ctx := context.Background()
	screen := image.NewRGBA(image.Rect(0, 0, 640, 360))

	push := media.NewVideoPush(nil)
	frame := media.VideoFrame{Format: media.RGBA, Width: 640, Height: 360}
	frame.Planes[0], frame.Strides[0] = screen.Pix, screen.Stride
	for range 3 {
		// … draw …
		if err := push.Write(ctx, &frame); err != nil {
			log.Print(err)
			return
		}
	}
	// Nobody was watching yet: the newest picture is the one that counts.
	var got media.VideoFrame
	if err := push.ReadFrame(ctx, &got); err != nil {
		log.Print(err)
		return
	}
	fmt.Println(got.Format, got.Width, got.Height, got.Captured.IsZero())
	// Output: RGBA 640 360 false
}

// Speech that was synthesized all at once is sent at the pace at which it is
// heard.
func ExampleAudioPush() {
	ctx := context.Background()
	speech := make([]int16, 16000/2) // half a second, as a synthesizer gives it
	for i := range speech {
		speech[i] = int16(i % 100 * 100)
	}

	enc, err := g711.NewEncoder(media.PCMU, codec.AudioOptions{Rate: 8000})
	if err != nil {
		log.Print(err)
		return
	}
	push := media.NewAudioPush(&media.AudioPushOptions{Paced: true})
	src := media.NewAudioSource(push, enc, nil)
	// track, err := parley.NewLocalAudioTrack(src, nil) reads it from here on.

	if err := push.Write(ctx, &media.AudioFrame{Rate: 16000, Channels: 1, Samples: speech}); err != nil {
		log.Print(err)
		return
	}
	_ = push.Close() // it ends behind what was written

	begun, packets := time.Now(), 0
	for {
		if _, err := src.Next(ctx); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			log.Print(err)
			return
		}
		packets++
	}
	fmt.Println(packets, "packets of 20 ms,", time.Since(begun) > 400*time.Millisecond)
	// Output: 25 packets of 20 ms, true
}
