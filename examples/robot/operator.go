package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rtc/parley"
)

// lifetime is after how long a command is better lost than late. Lost ones are
// not sent again then, and none waits for another.
const lifetime = 100 * time.Millisecond

// operate drives the robot in the room, in a circle, and looks through its
// front camera only.
func operate(ctx context.Context, token string, opts *parley.ConnectOptions, drive time.Duration) error {
	limit := lifetime
	commands, err := parley.NewLocalDataTrack(&parley.DataTrackOptions{
		Name: "commands", Unordered: true, MaxPacketLifeTime: &limit,
	})
	if err != nil {
		return err
	}
	opts.ManualSubscribe, opts.Tracks = true, []parley.LocalTrack{commands}
	room, err := parley.ConnectContext(ctx, token, opts)
	if err != nil {
		return err
	}
	defer room.Disconnect()
	context.AfterFunc(ctx, func() { room.Disconnect() })

	for ev := range room.Events() {
		switch ev := ev.(type) {
		case parley.TrackPublished:
			if ev.Publication.TrackName() == "front" {
				go look(ctx, ev.Publication)
			}
		case parley.TrackStarted:
			fmt.Printf("the front camera of %s is on\n", ev.Participant.Identity())
			go steer(ctx, room, commands, drive)
		}
	}
	return room.Err()
}

// look subscribes to the camera, and tells when the first picture has come.
func look(ctx context.Context, pub *parley.RemoteTrackPublication) {
	asked := time.Now()
	if err := pub.SetSubscribed(ctx, true); err != nil {
		return // it was withdrawn again, or the room has ended
	}
	front, ok := pub.Track().(*parley.RemoteVideoTrack)
	if !ok {
		return
	}
	for s, err := range front.Samples(ctx) {
		if err == nil && s.Keyframe {
			fmt.Printf("first picture after %d ms: %s, %d x %d\n", time.Since(asked).Milliseconds(), s.Codec, s.Width, s.Height)
			return
		}
	}
}

// steer says twenty times a second what the robot is to do, while its picture
// comes.
func steer(ctx context.Context, room *parley.Room, commands *parley.LocalDataTrack, drive time.Duration) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	var end <-chan time.Time
	if drive > 0 {
		timer := time.NewTimer(drive)
		defer timer.Stop()
		end = timer.C
	}
	for n := uint64(1); ; n++ {
		text, err := json.Marshal(command{Number: n, Time: time.Since(began).Milliseconds(), Speed: 0.5, Turn: 0.2})
		if err == nil {
			err = send(ctx, commands, string(text))
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return // the room has ended
		}
		select {
		case <-tick.C:
		case <-end:
			fmt.Printf("let go after %d commands\n", n)
			return
		case <-room.Done():
			return
		}
	}
}

// send gives a command up that waits for longer than it is good for.
func send(ctx context.Context, commands *parley.LocalDataTrack, text string) error {
	ctx, cancel := context.WithTimeout(ctx, lifetime)
	defer cancel()
	return commands.SendText(ctx, text)
}
