package v4l2_test

import (
	"context"
	"fmt"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/v4l2"
)

func ExampleOpen() {
	ctx := context.Background()
	camera, err := v4l2.Open(ctx, "", v4l2.Options{Width: 1280, Height: 720, Nearest: true, Reopen: true})
	if err != nil {
		fmt.Println(err) // says what there is instead
		return
	}
	defer camera.Close()
	fmt.Println(camera.Device(), camera.Config())
	var frame media.VideoFrame
	for camera.ReadFrame(ctx, &frame) == nil {
		fmt.Println(frame.Format, frame.Width, frame.Height, frame.Captured)
	}
}

func ExampleCamera_Source() {
	camera, err := v4l2.Open(context.Background(), "", v4l2.Options{Format: v4l2.Format(media.H264)})
	if err != nil {
		fmt.Println(err)
		return
	}
	source := camera.Source() // for parley.NewLocalVideoTrack
	defer source.Close()
	for {
		sample, err := source.Next(context.Background())
		if err != nil {
			return
		}
		fmt.Println(sample.Keyframe, len(sample.Data))
	}
}

func ExampleWatch() {
	for event, err := range v4l2.Watch(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(event.Added, event.Device)
	}
}
