// Command headless is in a room without a screen: it says who joins and what
// arrives, until the room ends or Ctrl-C.
//
//	go run ./examples/headless -url ws://127.0.0.1:7880/signaling -token "$TOKEN"
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"

	"github.com/parley-rtc/parley"
)

func main() {
	log.SetFlags(0)
	url := flag.String("url", os.Getenv("PARLEY_URL"), "signaling endpoint of the server (or PARLEY_URL)")
	token := flag.String("token", os.Getenv("PARLEY_TOKEN"), "access token (or PARLEY_TOKEN)")
	flag.Parse()
	if err := attend(*url, *token); err != nil {
		log.Fatalf("headless: %v", err)
	}
}

func attend(url, token string) error {
	room, err := parley.Connect(token, &parley.ConnectOptions{URL: url})
	if err != nil {
		return err
	}
	defer room.Disconnect()
	leaveOnInterrupt(room)
	for ev := range room.Events() {
		switch ev := ev.(type) {
		case parley.ParticipantConnected:
			log.Printf("%s joined", ev.Participant.Identity())
		case parley.TrackSubscribed:
			go watch(ev.Track)
		}
	}
	return room.Err()
}

// leaveOnInterrupt makes Ctrl-C leave the room, so that the others are told at
// once.
func leaveOnInterrupt(room *parley.Room) {
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt)
	go func() {
		select {
		case <-interrupt:
			room.Disconnect()
		case <-room.Done():
		}
	}()
}

// watch says what arrives on a track until that ends.
func watch(track parley.RemoteTrack) {
	who := track.Publication().Participant().Identity()
	ctx := context.Background() // the track's end is the reader's
	switch track := track.(type) {
	case *parley.RemoteVideoTrack:
		for frame, err := range track.Samples(ctx) {
			if err == nil && frame.Keyframe {
				log.Printf("%s shows %s, %d x %d", who, frame.Codec, frame.Width, frame.Height)
				return
			}
		}
	case *parley.RemoteAudioTrack:
		for packet, err := range track.Samples(ctx) {
			if err == nil {
				log.Printf("%s is heard in %s", who, packet.Codec)
				return
			}
		}
	case *parley.RemoteDataTrack:
		for {
			msg, err := track.Receive(ctx)
			if err != nil {
				return
			}
			log.Printf("%s writes %q", who, msg.Data)
		}
	}
}
