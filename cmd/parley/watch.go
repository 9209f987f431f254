package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/recording"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/spf13/cobra"
)

// errNothingReceived says that the room had nothing for us.
var errNothingReceived = errors.New("nothing was received")

// watchFlags are those of parley watch.
type watchFlags struct {
	roomFlags
	playFlags
	dir          string
	tracks, from []string
	json         bool
}

func newWatch() *cobra.Command {
	w := watchFlags{roomFlags: roomFlags{role: accesstoken.RoleSubscriber, own: "%s-watch"}}
	cmd := &cobra.Command{
		Use:   "watch --room ROOM",
		Short: "Receive what is in a room: see and hear it, record it, measure it",
		Long: "Subscribes to what others publish and prints once a second how each track arrives. Records it with\n" +
			"--record; with --play it is heard, and seen in a window where there is a display. It ends with the room,\n" +
			"with its window, after --duration, or by Ctrl-C. The exit status is 0 only if media really arrived.",
		Example: "  parley watch --room lab --play\n" +
			"  parley watch --room lab --record ./recordings\n" +
			"  parley watch --room lab --from robot --track front",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return w.run(cmd) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&w.dir, "record", "", "record what is received into this directory")
	w.playFlags.register(cmd)
	f.StringArrayVar(&w.tracks, "track", nil, "subscribe only to tracks of this name; may be given several times")
	f.StringArrayVar(&w.from, "from", nil, "subscribe only to what this participant publishes; may be given several times")
	f.BoolVar(&w.json, "json", false, "print the summary as JSON on the standard output")
	w.roomFlags.register(cmd)
	return cmd
}

func (w *watchFlags) run(cmd *cobra.Command) error {
	if _, err := settle(cmd, roomSettings); err != nil {
		return err
	}
	if err := w.check(); err != nil {
		return err
	}
	opts, err := w.options(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	opts.ManualSubscribe = len(w.tracks)+len(w.from) > 0
	c := &receiving{flags: w, talk: cmd.ErrOrStderr(), attached: make(chan struct{}, 1)}
	if c.stage, err = w.open(w.room, opts.Logger); err != nil {
		return err
	}
	defer func() { _ = c.stage.close() }() // the room has told why it ended by then
	ctx := cmd.Context()
	c.began = time.Now()
	if c.room, err = w.connect(ctx, opts); err != nil {
		return err
	}
	c.join = time.Since(c.began)
	fmt.Fprintf(c.talk, "in room %s as %s\n", plain(c.room.Name()), plain(c.room.LocalParticipant().Identity()))
	err = c.run(ctx)
	sum := c.summary()
	if err == nil && !sum.arrived() {
		err = errNothingReceived
	}
	if err != nil {
		sum.Error = oneLine(err)
	}
	if w.json {
		return errors.Join(err, json.NewEncoder(cmd.OutOrStdout()).Encode(sum))
	}
	sum.print(cmd.OutOrStdout())
	return err
}

// wants reports whether the track is one of those that were asked for.
func (w *watchFlags) wants(pub *parley.RemoteTrackPublication) bool {
	return (len(w.tracks) == 0 || slices.Contains(w.tracks, pub.TrackName())) &&
		(len(w.from) == 0 || slices.Contains(w.from, pub.Participant().Identity()))
}

// receiving is a room from which media comes. It owns the goroutines that
// subscribe; run waits for them.
type receiving struct {
	flags *watchFlags
	talk  io.Writer
	room  *parley.Room
	join  time.Duration
	began time.Time
	files *recording.Room
	stage *stage
	wg    sync.WaitGroup
	trip  time.Duration

	attached chan struct{} // one slot: the recording has a new track

	mu     sync.Mutex
	tracks []*received // in the order in which they came; changed by run alone
}

// run receives until ctx ends, the time is over or the room ends.
func (c *receiving) run(ctx context.Context) error {
	ctx, cancel := c.flags.bound(ctx)
	defer cancel()
	if c.flags.dir != "" {
		c.files = recording.New(c.flags.dir, recording.Options{
			Sample: c.recorded,
			Failed: func(err error) {
				fmt.Fprintf(c.talk, "parley: the call goes on, but is not recorded: %s\n", oneLine(err))
			},
		})
	}
	defer c.wg.Wait()
	defer c.room.Disconnect()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	events := c.room.Events()
	for {
		select {
		case <-ctx.Done():
			c.measure()
			return c.leave(events, nil)
		case <-c.stage.closed:
			c.measure()
			return c.leave(events, nil)
		case <-c.stage.silent:
			c.measure()
			return c.leave(events, errNoSpeaker)
		case <-ticker.C:
			c.progress()
		case <-c.attached:
			c.playRecorded()
		case ev, ok := <-events:
			if !ok {
				return c.leave(nil, c.room.Err())
			}
			c.handle(ctx, ev)
		}
	}
}

// leave ends the room, and completes the files with everything that came.
func (c *receiving) leave(events <-chan parley.Event, err error) error {
	c.room.Disconnect()
	err = errors.Join(err, c.stage.close())
	if events != nil {
		for ev := range events {
			if c.files != nil {
				c.files.Handle(ev)
			}
		}
	}
	if err != nil {
		err = mend(err, c.flags.url)
	}
	if c.files != nil {
		err = errors.Join(err, c.files.Close())
	}
	return err
}

func (c *receiving) handle(ctx context.Context, ev parley.Event) {
	switch ev := ev.(type) {
	case parley.TrackPublished:
		if len(c.flags.tracks)+len(c.flags.from) > 0 && c.flags.wants(ev.Publication) {
			c.wg.Go(func() { c.subscribe(ctx, ev.Publication) })
		}
	case parley.TrackStarted:
		if t, ok := ev.Track.(remoteTrack); ok {
			c.started(t)
		}
	case parley.TrackUnsubscribed:
		for _, r := range c.tracks {
			if r.track == ev.Track {
				r.measure()
				r.ended = true
			}
		}
	case parley.TrackSubscriptionFailed:
		fmt.Fprintf(c.talk, "%s/%s: %s\n", plain(ev.Participant.Identity()), plain(ev.Publication.TrackName()), oneLine(ev.Err))
	case parley.Reconnecting:
		fmt.Fprintf(c.talk, "the connection is lost and being restored: %s\n", oneLine(ev.Err))
	case parley.Reconnected:
		fmt.Fprintln(c.talk, "the connection is restored")
	}
	if c.files != nil {
		c.files.Handle(ev)
	}
}

func (c *receiving) subscribe(ctx context.Context, pub *parley.RemoteTrackPublication) {
	// That it failed is told by an event; otherwise the room or the track has
	// ended.
	_ = pub.SetSubscribed(ctx, true)
}
