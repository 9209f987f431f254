// Command window shows a room on the desktop: everybody's picture in a window,
// and everybody's sound, mixed and in step with the lips.
//
// It is built with the codecs: apt-get install libvpx-dev libopus-dev
// libopenh264-dev pkg-config, and a C compiler. It needs an X display.
//
//	go run -tags codecs ./examples/window -url ws://127.0.0.1:7880/signaling -token "$TOKEN"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media/play"
	"github.com/parley-rtc/parley/media/play/speaker"
	"github.com/parley-rtc/parley/media/play/window"
)

func main() {
	log.SetFlags(0)
	url := flag.String("url", os.Getenv("PARLEY_URL"), "signaling endpoint of the server (or PARLEY_URL)")
	token := flag.String("token", os.Getenv("PARLEY_TOKEN"), "access token (or PARLEY_TOKEN)")
	sound := flag.String("speaker", "default", "where to hear it: a device, or a WAV file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := watch(ctx, *token, &parley.ConnectOptions{URL: *url}, *sound); err != nil {
		log.Fatalf("window: %v", err)
	}
}

// watch shows the room until that ends, ctx does, or the window is closed.
func watch(ctx context.Context, token string, opts *parley.ConnectOptions, sound string) error {
	speaker, err := openSpeaker(sound)
	if err != nil {
		return err
	}
	win, err := window.Open(&window.Options{Title: "parley"})
	if err != nil {
		return errors.Join(err, speaker.Close())
	}
	player, err := play.New(&play.Options{Sound: speaker, Screen: win})
	if err != nil {
		return err // it has closed both
	}
	defer func() { _ = player.Close() }() // a WAV file that could not be completed is no reason to fail

	room, err := parley.ConnectContext(ctx, token, opts)
	if err != nil {
		return err
	}
	defer room.Disconnect()
	go func() {
		select {
		case <-ctx.Done():
		case <-win.Done():
		}
		room.Disconnect()
	}()
	fmt.Printf("watching %s\n", room.Name())
	for ev := range room.Events() {
		switch ev := ev.(type) {
		case parley.TrackSubscribed:
			if t, ok := ev.Track.(play.Track); ok { // which data tracks are not
				if err := player.Add(ev.Participant.Identity(), t); err != nil {
					return err
				}
			}
		case parley.TrackDimensionsChanged:
			fmt.Printf("%s is seen, %d x %d\n", ev.Participant.Identity(), ev.Width, ev.Height)
		case parley.ParticipantDisconnected:
			fmt.Printf("%s has left\n", ev.Participant.Identity())
		}
	}
	return room.Err()
}

// openSpeaker opens what sound goes to.
func openSpeaker(name string) (play.Sound, error) {
	if strings.HasSuffix(name, ".wav") {
		return play.CreateWAV(name)
	}
	return speaker.Open(&speaker.Options{Device: name})
}
