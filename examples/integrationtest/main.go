// Command integrationtest is a bot that answers messages in a room, and an
// example of how to test such a program: see main_test.go.
//
//	go run ./examples/integrationtest -url ws://127.0.0.1:7880/signaling -token "$TOKEN"
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"os"
	"os/signal"
	"strings"

	"github.com/parley-rtc/parley"
)

func main() {
	log.SetFlags(0)
	url := flag.String("url", os.Getenv("PARLEY_URL"), "signaling endpoint of the server (or PARLEY_URL)")
	token := flag.String("token", os.Getenv("PARLEY_TOKEN"), "access token (or PARLEY_TOKEN)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := answer(ctx, *token, &parley.ConnectOptions{URL: *url}); err != nil {
		log.Fatalf("integrationtest: %v", err)
	}
}

// answer is in the room until that ends or ctx does, and repeats in capitals
// what others write.
func answer(ctx context.Context, token string, opts *parley.ConnectOptions) error {
	out, err := parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: "answers"})
	if err != nil {
		return err
	}
	room, err := parley.ConnectContext(ctx, token, opts)
	if err != nil {
		return err
	}
	defer room.Disconnect()
	if _, err := room.LocalParticipant().PublishTrack(ctx, out, nil); err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	context.AfterFunc(ctx, func() { room.Disconnect() })
	for ev := range room.Events() {
		subscribed, _ := ev.(parley.TrackSubscribed)
		if in, ok := subscribed.Track.(*parley.RemoteDataTrack); ok {
			go func() {
				if err := repeat(ctx, in, out); err != nil {
					fail(err)
				}
			}()
		}
	}
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return room.Err()
}

// repeat answers what comes on one track, until that ends.
func repeat(ctx context.Context, in *parley.RemoteDataTrack, out *parley.LocalDataTrack) error {
	// Receive fails when the track is gone, or we are asked to go.
	for msg, err := in.Receive(ctx); err == nil; msg, err = in.Receive(ctx) {
		if err := out.SendText(ctx, strings.ToUpper(string(msg.Data))); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}
