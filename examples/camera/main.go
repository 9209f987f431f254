// Command camera sends a camera and a microphone into a room.
//
// It is built with the codecs: apt-get install libvpx-dev libopus-dev
// libopenh264-dev pkg-config, and a C compiler.
//
//	go run -tags codecs ./examples/camera -url ws://127.0.0.1:7880/signaling -token "$TOKEN"
//	go run -tags codecs ./examples/camera -camera front -width 1280 -height 720 -mic none
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/device"
)

func main() {
	log.SetFlags(0)
	url := flag.String("url", os.Getenv("PARLEY_URL"), "signaling endpoint of the server (or PARLEY_URL)")
	token := flag.String("token", os.Getenv("PARLEY_TOKEN"), "access token (or PARLEY_TOKEN)")
	var video device.VideoOptions
	flag.StringVar(&video.Device, "camera", "default", "the camera: an id, or a part of a label")
	flag.IntVar(&video.Width, "width", 0, "width of the picture; 0: the camera's choice")
	flag.IntVar(&video.Height, "height", 0, "height of the picture; 0: the camera's choice")
	flag.Float64Var(&video.FrameRate, "fps", 0, "pictures a second; 0: the camera's choice")
	codec := flag.String("codec", "vp8", "vp8 or h264")
	mic := flag.String("mic", "default", "the microphone: an id, or a part of a label; none: no sound")
	flag.Parse()
	video.Codec, _ = media.ParseCodec(*codec) // another one is refused below
	opts := &device.Options{Video: &video}
	if *mic != "none" {
		opts.Audio = &device.AudioOptions{Device: *mic}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := publish(ctx, *url, *token, opts); err != nil {
		log.Fatalf("camera: %v", err)
	}
}

// publish is in the room with what was captured, until that ends or ctx does.
func publish(ctx context.Context, url, token string, opts *device.Options) error {
	tracks, err := device.Tracks(ctx, opts)
	if err != nil {
		return err
	}
	room, err := parley.ConnectContext(ctx, token, &parley.ConnectOptions{URL: url, Tracks: tracks})
	defer stop(tracks) // the room leaves them open
	if err != nil {
		return err
	}
	defer room.Disconnect()
	context.AfterFunc(ctx, func() { room.Disconnect() })
	for _, t := range tracks {
		fmt.Println("sending", describe(t))
	}
	for ev := range room.LocalParticipant().Events() {
		if ended, ok := ev.(parley.LocalTrackStopped); ok && ended.Err != nil {
			return ended.Err // the device was unplugged, for example
		}
	}
	return room.Err()
}

func stop(tracks []parley.LocalTrack) {
	for _, t := range tracks {
		t.Stop()
	}
}

// describe tells which device it is, and what it really gives.
func describe(t parley.LocalTrack) string {
	from, audio, video, _ := device.Of(t)
	if t.Kind() == parley.KindAudio {
		return fmt.Sprintf("%s: %d Hz, %d channel(s)", from.Label, audio.Rate, audio.Channels)
	}
	return strings.TrimSpace(fmt.Sprintf("%s: %d x %d, %v a second, %s%s",
		from.Label, video.Width, video.Height, video.FrameRate, video.Format, video.Codec))
}
