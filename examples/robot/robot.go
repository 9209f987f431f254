package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
)

const (
	// patience is how long the robot goes on without being told to.
	patience = 500 * time.Millisecond
	// lateness is how much longer than the quickest a command may have
	// traveled. The lifetime of the messages is not enough: after an outage,
	// SCTP may deliver at once what it tried to send meanwhile, and a robot
	// had better not do then what it was told to seconds ago.
	lateness = 200 * time.Millisecond
	// drift is by what share the clocks of both machines may differ.
	drift = 0.001
)

// command is what the operator wants now: each replaces the one before.
type command struct {
	Number uint64  `json:"number"` // counts from 1
	Time   int64   `json:"time"`   // milliseconds since the operator began
	Speed  float64 `json:"speed"`  // -1 to 1
	Turn   float64 `json:"turn"`   // -1 to 1
}

func (c command) valid() bool {
	return c.Number > 0 && c.Time >= 0 && c.Time < 1<<40 && c.Speed >= -1 && c.Speed <= 1 && c.Turn >= -1 && c.Turn <= 1
}

// serve is in the room as the robot, until that ends or ctx does.
func serve(ctx context.Context, token string, opts *parley.ConnectOptions, eye media.Source) error {
	front, err := parley.NewLocalVideoTrack(eye, &parley.TrackOptions{Name: "front"})
	if err != nil {
		return errors.Join(err, eye.Close())
	}
	defer front.Stop()
	opts.Tracks = []parley.LocalTrack{front}
	room, err := parley.ConnectContext(ctx, token, opts)
	if err != nil {
		return err
	}
	defer room.Disconnect()
	go func() {
		select {
		case <-ctx.Done():
		case <-front.Done(): // the camera is broken for good
		}
		room.Disconnect()
	}()
	fmt.Printf("%s shows %s in %s\n", room.LocalParticipant().Identity(), front.Codec(), room.Name())

	d := newDriver(func(speed, turn float64) { fmt.Printf("motors: speed %+.1f, turn %+.1f\n", speed, turn) })
	d.follow(room.Messages())
	fmt.Printf("%d commands, %d lost, %d too late, %d not understood, stopped %d times\n", d.taken, d.lost, d.late, d.bad, d.stops)
	return errors.Join(front.Err(), room.Err())
}

// driver does what one operator says, and stops the motors when nothing came
// for as long as its patience.
type driver struct {
	motors func(speed, turn float64)

	by          *parley.RemoteDataTrack // who drives; nil: whoever comes first
	speed, turn float64
	ways        map[*parley.RemoteDataTrack]*way

	taken, lost, late, bad, stops uint64
}

func newDriver(motors func(speed, turn float64)) *driver {
	return &driver{motors: motors, ways: map[*parley.RemoteDataTrack]*way{}}
}

// follow drives until the messages end. The watchdog is part of the loop: as
// long as there is something to do, it is looked after.
func (d *driver) follow(messages <-chan parley.TrackMessage) {
	watchdog := time.NewTimer(patience)
	defer watchdog.Stop()
	defer d.halt("the room is over")
	for {
		select {
		case m, ok := <-messages:
			if !ok {
				return
			}
			if m.Track.Name() == "commands" && d.take(m) {
				watchdog.Reset(patience)
			}
		case <-watchdog.C:
			d.halt(fmt.Sprintf("no command for %v", patience))
		}
	}
}

// take obeys a command. It returns false when there is none to obey.
func (d *driver) take(m parley.TrackMessage) bool {
	var c command
	if err := json.Unmarshal(m.Data, &c); err != nil || !c.valid() {
		d.bad++
		return false
	}
	w := d.ways[m.Track]
	if w == nil {
		w = &way{number: c.Number - 1, began: time.Now()}
		d.ways[m.Track] = w
	}
	if c.Number <= w.number {
		return false // overtaken by a newer one, and counted as lost then
	}
	d.lost += c.Number - w.number - 1
	w.number = c.Number
	if w.late(c) {
		d.late++
		return false
	}
	if d.by != nil && d.by != m.Track {
		return false // somebody else drives
	}
	if d.by == nil {
		d.by = m.Track
		fmt.Printf("%s drives\n", m.Participant.Identity())
	}
	d.taken++
	if c.Speed != d.speed || c.Turn != d.turn {
		d.speed, d.turn = c.Speed, c.Turn
		d.motors(c.Speed, c.Turn)
	}
	return true
}

// way is what is known of how an operator's commands come.
type way struct {
	number   uint64 // of the newest
	began    time.Time
	quickest time.Duration // from the operator's clock to ours
	at       time.Time     // when that was so
}

// late compares a command with the quickest, which counts for less as time
// passes: the clocks are not the same.
func (w *way) late(c command) bool {
	now := time.Now()
	took := now.Sub(w.began) - time.Duration(c.Time)*time.Millisecond
	quickest := w.quickest + time.Duration(drift*float64(now.Sub(w.at)))
	if w.at.IsZero() || took < quickest {
		quickest = took
	}
	w.quickest, w.at = quickest, now
	return took-quickest > lateness
}

// halt stops the motors and lets anybody drive.
func (d *driver) halt(why string) {
	if d.by == nil {
		return
	}
	d.by, d.speed, d.turn = nil, 0, 0
	d.stops++
	fmt.Println("stop: " + why)
	d.motors(0, 0)
}
