//go:build linux && devicevm

// The robot with a camera that encodes H.264, in the device VM:
//
//	go test -tags devicevm -exec "$PWD/internal/devicevm/run" ./examples/robot
package main

import (
	"bytes"
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/roomtest"
)

func TestTheCameraIsPassedOn(t *testing.T) {
	const path = "/dev/video20"
	camera := exec.Command("ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=15",
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "15", "-f", "v4l2", path)
	var said bytes.Buffer
	camera.Stderr = &said
	if err := camera.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = camera.Process.Kill()
		_ = camera.Wait()
		if t.Failed() {
			t.Log("ffmpeg said:", said.String())
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	eye := openWhenThere(ctx, t, path)

	srv := roomtest.NewServer(t)
	operator, err := parley.Connect(srv.Token("operator", "lab"), &parley.ConnectOptions{URL: srv.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer operator.Disconnect()
	ended := make(chan error, 1)
	serving, leave := context.WithCancel(ctx)
	go func() {
		ended <- serve(serving, srv.Token("robot", "lab"), &parley.ConnectOptions{URL: srv.URL()}, eye)
	}()
	front := roomtest.Next[parley.TrackSubscribed](t, operator.Events()).Track.(*parley.RemoteVideoTrack)
	frames := 0
	for s, err := range front.Samples(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if s.Codec != media.H264 || s.Keyframe && (s.Width != 320 || s.Height != 240) {
			t.Fatalf("%s, %d x %d", s.Codec, s.Width, s.Height)
		}
		if frames++; frames == 20 {
			break
		}
	}
	leave()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// openWhenThere waits for ffmpeg to have made a camera of the device.
func openWhenThere(ctx context.Context, t *testing.T, path string) media.Source {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		eye, err := open(ctx, path, "")
		if err == nil {
			return eye
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(err)
		}
	}
}
