// Command publishfile publishes a media file: IVF, Ogg Opus, raw H.264 or H.265,
// or WAV. It leaves the room when the file is over, or by Ctrl-C.
//
//	go run ./examples/publishfile -url ws://127.0.0.1:7880/signaling -token "$TOKEN" talk.ivf
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/file"
)

func main() {
	log.SetFlags(0)
	url := flag.String("url", os.Getenv("PARLEY_URL"), "signaling endpoint of the server (or PARLEY_URL)")
	token := flag.String("token", os.Getenv("PARLEY_TOKEN"), "access token (or PARLEY_TOKEN)")
	loop := flag.Bool("loop", false, "play the file over and over")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("publishfile: name one file to publish")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := publish(ctx, *url, *token, flag.Arg(0), *loop); err != nil {
		log.Fatalf("publishfile: %v", err)
	}
}

func publish(ctx context.Context, url, token, path string, loop bool) error {
	src, err := file.Open(path, &file.Options{Loop: loop})
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }() // it was only read
	track, ended, err := newTrack(src)
	if err != nil {
		return err
	}
	room, err := parley.ConnectContext(ctx, token, &parley.ConnectOptions{URL: url, Tracks: []parley.LocalTrack{track}})
	if err != nil {
		return err
	}
	defer room.Disconnect()
	me := room.LocalParticipant()
	if len(me.Tracks()) == 0 {
		return errors.New("the server refused the track")
	}
	pub := me.Tracks()[0]
	fmt.Printf("%s publishes %s in %s as %s\n", me.Identity(), src.Codec(), room.Name(), pub.TrackSID())

	select {
	case <-ended.Done():
		err = ended.Err()
	case <-room.Done():
		err = room.Err()
	case <-ctx.Done():
	}
	fmt.Printf("sent %d samples\n", pub.Stats().Samples)
	return err
}

// ending is what audio and video tracks tell about their end.
type ending interface {
	Done() <-chan struct{}
	Err() error
}

func newTrack(src media.Source) (parley.LocalTrack, ending, error) {
	switch src.Codec().Kind() {
	case media.Audio:
		t, err := parley.NewLocalAudioTrack(src, nil)
		return t, t, err
	case media.Video:
		t, err := parley.NewLocalVideoTrack(src, nil)
		return t, t, err
	}
	return nil, nil, errors.New("neither audio nor video")
}
