// Command quickstart is the program with which people learn a JavaScript SDK for
// rooms, line by line in Go: each step has the JavaScript above it. What every
// other name becomes is in docs/events.md.
//
//	go run ./examples/quickstart -url ws://127.0.0.1:7880/signaling -token "$TOKEN"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/file"
	"github.com/parley-rtc/parley/media/synth"
)

func main() {
	log.SetFlags(0)
	url := flag.String("url", os.Getenv("PARLEY_URL"), "signaling endpoint of the server (or PARLEY_URL)")
	token := flag.String("token", os.Getenv("PARLEY_TOKEN"), "access token (or PARLEY_TOKEN)")
	dir := flag.String("dir", ".", "where received tracks are written")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := call(ctx, *url, *token, *dir); err != nil {
		log.Fatalf("quickstart: %v", err)
	}
}

func call(ctx context.Context, url, token, dir string) error {
	//	const tracks = await createLocalTracks({ audio: true, video: { width: 640 } });
	audio, err := parley.NewLocalAudioTrack(synth.Tone(), nil)
	if err != nil {
		return err
	}
	video, err := parley.NewLocalVideoTrack(synth.Video(), nil)
	if err != nil {
		return err
	}

	//	const chat = new LocalDataTrack();
	chat, err := parley.NewLocalDataTrack(nil)
	if err != nil {
		return err
	}

	//	const room = await connect(token, { tracks: [...tracks, chat], logLevel: "warn" });
	//	console.log(`in room ${room.name} as ${room.localParticipant.identity}`);
	room, err := parley.ConnectContext(ctx, token, &parley.ConnectOptions{
		URL:    url,
		Tracks: []parley.LocalTrack{audio, video, chat},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	fmt.Printf("in room %s as %s\n", room.Name(), room.LocalParticipant().Identity())

	//	window.onbeforeunload = () => room.disconnect();
	defer room.Disconnect()
	context.AfterFunc(ctx, func() { room.Disconnect() })

	//	room.participants.forEach(participantConnected);
	//	room.on("participantConnected", participantConnected);
	//	room.on("participantDisconnected", participantDisconnected);
	//	room.on("trackSubscribed", trackSubscribed);
	//	room.on("trackUnsubscribed", trackUnsubscribed);
	//	room.on("trackDisabled", (publication, participant) => …);
	// One loop has them all, in order, and begins with who is there already.
	for ev := range room.Events() {
		switch ev := ev.(type) {
		case parley.ParticipantConnected:
			fmt.Printf("%s is here\n", ev.Participant.Identity())
			//	chat.send("hello, " + participant.identity);
			// Who has not subscribed yet does not get it, here as there.
			if err := chat.SendText(ctx, "hello, "+ev.Participant.Identity()); err != nil {
				return err
			}
		case parley.ParticipantDisconnected:
			fmt.Printf("%s has left\n", ev.Participant.Identity())
		case parley.TrackSubscribed:
			trackSubscribed(ev.Track, ev.Participant)
		case parley.TrackStarted:
			if err := attach(dir, ev.Track); err != nil {
				return err
			}
		case parley.TrackUnsubscribed:
			if err := trackUnsubscribed(ev.Track); err != nil {
				return err
			}
		case parley.TrackDisabled:
			fmt.Printf("%s pauses %s\n", ev.Participant.Identity(), ev.Publication.Kind())
		}
	}

	//	room.once("disconnected", (room, error) => {
	//	  room.localParticipant.tracks.forEach(publication => publication.track.stop());
	//	  if (error && error.code === 53205) console.log("somebody else has this identity");
	//	});
	audio.Stop()
	video.Stop()
	if errors.Is(room.Err(), parley.ErrDuplicateIdentity) {
		fmt.Println("somebody else has this identity")
	}
	return room.Err()
}

// trackSubscribed is, there:
//
//	function trackSubscribed(track, publication, participant) {
//	  if (track.kind === "data")
//	    track.on("message", data => console.log(`${participant.identity}: ${data}`));
func trackSubscribed(track parley.RemoteTrack, participant *parley.RemoteParticipant) {
	chat, ok := track.(*parley.RemoteDataTrack) // its type tells the kind
	if !ok {
		return // see attach
	}
	go func() {
		for {
			msg, err := chat.Receive(context.Background())
			if err != nil {
				return // the track has ended
			}
			fmt.Printf("%s: %s\n", participant.Identity(), msg.Data)
		}
	}()
}

// attachable is what audio and video tracks have in common.
type attachable interface {
	Codec() media.Codec
	Attach(media.Sink) error
	DetachAll() []media.Sink
}

// attach is, there:
//
//	  else document.body.appendChild(track.attach());
//	}
//
// A file takes the place of the element. Its format depends on the codec, which
// is known once the track has started.
func attach(dir string, track parley.RemoteTrack) error {
	t := track.(attachable) // data tracks never start
	w, err := file.Create(filepath.Join(dir, fmt.Sprintf("%s.%s", track.SID(), t.Codec())), t.Codec())
	if err != nil {
		return err
	}
	fmt.Printf("%s sends %s\n", track.Publication().Participant().Identity(), t.Codec())
	return t.Attach(w)
}

// trackUnsubscribed is, there:
//
//	function trackUnsubscribed(track) {
//	  track.detach().forEach(element => element.remove());
//	}
func trackUnsubscribed(track parley.RemoteTrack) error {
	t, ok := track.(attachable)
	if !ok {
		return nil
	}
	var err error
	for _, sink := range t.DetachAll() {
		err = errors.Join(err, sink.(*file.Writer).Close())
	}
	return err
}
