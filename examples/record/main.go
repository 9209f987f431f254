// Command record records everybody in a room, into one Matroska file for each
// participant, until the room ends or Ctrl-C.
//
//	go run ./examples/record -url ws://127.0.0.1:7880/signaling -token "$TOKEN" -dir .
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
	"github.com/parley-rtc/parley/media/record"
)

func main() {
	log.SetFlags(0)
	url := flag.String("url", os.Getenv("PARLEY_URL"), "signaling endpoint of the server (or PARLEY_URL)")
	token := flag.String("token", os.Getenv("PARLEY_TOKEN"), "access token (or PARLEY_TOKEN)")
	dir := flag.String("dir", ".", "directory for the recordings")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := recordRoom(ctx, *url, *token, *dir); err != nil {
		log.Fatalf("record: %v", err)
	}
}

func recordRoom(ctx context.Context, url, token, dir string) error {
	room, err := parley.ConnectContext(ctx, token, &parley.ConnectOptions{URL: url})
	if err != nil {
		return err
	}
	defer room.Disconnect()
	context.AfterFunc(ctx, func() { room.Disconnect() })
	fmt.Printf("recording %s\n", room.Name())

	files := map[*parley.RemoteParticipant]*recording{}
	for ev := range room.Events() {
		switch ev := ev.(type) {
		case parley.TrackStarted: // from here on the codec is known
			if files[ev.Participant] == nil {
				if files[ev.Participant], err = newRecording(dir, ev.Participant); err != nil {
					return err
				}
			}
			if err := files[ev.Participant].add(ev.Track); err != nil {
				return err
			}
		case parley.ParticipantDisconnected:
			err = errors.Join(err, files[ev.Participant].close())
			delete(files, ev.Participant)
		}
	}
	for _, f := range files { // of those who are there at the end
		err = errors.Join(err, f.close())
	}
	return errors.Join(err, room.Err())
}

// recording is the file of one participant.
type recording struct {
	who    string
	file   *record.Recorder
	tracks []track
}

// track is what audio and video tracks have in common.
type track interface {
	Codec() media.Codec
	Name() string
	Attach(media.Sink) error
	DetachAll() []media.Sink
}

func newRecording(dir string, p *parley.RemoteParticipant) (*recording, error) {
	// Matroska takes every codec, also those of tracks that come later.
	rec, err := record.New(dir, p.SID(), &record.Options{Matroska: true})
	if err != nil {
		return nil, err
	}
	return &recording{who: p.Identity(), file: rec}, nil
}

func (r *recording) add(remote parley.RemoteTrack) error {
	t := remote.(track) // data tracks never start
	sink, err := r.file.AddTrack(t.Codec(), t.Name())
	if err != nil {
		return err
	}
	r.tracks = append(r.tracks, t)
	fmt.Printf("%s: %s %s\n", r.who, remote.Kind(), t.Codec())
	return t.Attach(sink)
}

// close completes the file once its tracks have given their last samples.
func (r *recording) close() error {
	if r == nil {
		return nil // nothing was to be recorded
	}
	for _, t := range r.tracks {
		t.DetachAll()
	}
	err := r.file.Close()
	fmt.Printf("%s is in %s\n", r.who, r.file.File())
	return err
}
