// Command robot is a robot with a camera that is driven from afar, and, with
// -operator, who drives it.
//
// The camera encodes H.264 itself, so that nothing is encoded here, and the
// program needs no C: CGO_ENABLED=0 GOARCH=arm64 go build ./examples/robot
//
//	go run ./examples/robot -url ws://127.0.0.1:7880/signaling -token "$ROBOT" -camera default
//	go run ./examples/robot -url ws://127.0.0.1:7880/signaling -token "$OPERATOR" -operator -drive 10s
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/file"
	"github.com/parley-rtc/parley/media/v4l2"
)

func main() {
	log.SetFlags(0)
	url := flag.String("url", os.Getenv("PARLEY_URL"), "signaling endpoint of the server (or PARLEY_URL)")
	token := flag.String("token", os.Getenv("PARLEY_TOKEN"), "access token (or PARLEY_TOKEN)")
	camera := flag.String("camera", "default", "H.264 camera: an id, a path or a label")
	clip := flag.String("file", "", "H.264 file to show over and over instead of a camera")
	operator := flag.Bool("operator", false, "drive the robot instead of being it")
	drive := flag.Duration("drive", 0, "operator: how long to drive before letting go; 0: until the end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	opts := &parley.ConnectOptions{URL: *url}
	var err error
	if *operator {
		err = operate(ctx, *token, opts, *drive)
	} else {
		var eye media.Source
		if eye, err = open(ctx, *camera, *clip); err == nil {
			err = serve(ctx, *token, opts, eye)
		}
	}
	if err != nil {
		log.Fatalf("robot: %v", err)
	}
}

// open takes the H.264 of the camera as it is. A camera that is unplugged is
// waited for.
func open(ctx context.Context, camera, clip string) (media.Source, error) {
	if clip != "" {
		return file.Open(clip, &file.Options{Loop: true})
	}
	if camera == "default" {
		camera = ""
	}
	c, err := v4l2.Open(ctx, camera, v4l2.Options{
		Format: "H264", Nearest: true, Width: 1280, Height: 720, FrameRate: 30, Reopen: true, StallTimeout: 2 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	return c.Source(), nil
}
