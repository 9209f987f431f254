package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/spf13/cobra"
)

// errNothingSent says that a track was published without media.
var errNothingSent = errors.New("nothing was sent")

// publishFlags are those of parley publish.
type publishFlags struct {
	roomFlags
	sourceFlags
	loop, reopen, list, json bool
}

func newPublish() *cobra.Command {
	p := publishFlags{roomFlags: roomFlags{role: accesstoken.RolePublisherOnly, own: "%s"}}
	cmd := &cobra.Command{
		Use:   "publish --camera DEVICE --mic DEVICE --room ROOM",
		Short: "Send cameras, microphones, screens, files and streams into a room",
		Long: "Publishes what cameras, microphones, the screen, files, programs and streams give, each as a track, and\n" +
			"prints once a second how each does. Subscribes to nothing. It ends with the room, after --duration, with\n" +
			"the last source, or by Ctrl-C. The exit status is 0 only if media of each source really went out. A camera on\n" +
			"the network that is off is waited for while the others go out.\n\n" +
			"All flags for sources may be given several times. A name and a priority are for the source that they\n" +
			"stand behind. Another setting that is given once is for all sources that know it; given several times, it\n" +
			"is for the source that it stands behind, and before all sources for those without one. What is wrong with\n" +
			"a device is told in one line, with what there is instead.",
		Example: "  parley publish --camera front --mic default --room lab\n" +
			"  parley publish --room lab --camera front --size 1280x720 --camera thermal --size 320x240 --priority low\n" +
			"  parley publish --room lab --exec 'rpicam-vid -t 0 --inline -o -' --format h264 --fps 30\n" +
			"  parley publish --list-devices",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && len(args[0]) > 1 && args[0][0] == ':' {
				return usagef("unexpected argument %q: a display is written --screen=%s", args[0], args[0])
			}
			return noArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return p.run(cmd) },
	}
	cmd.Flags().SortFlags = false
	p.register(cmd)
	return cmd
}

func (p *publishFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	p.sourceFlags.register(cmd)
	f.BoolVar(&p.loop, "loop", false, "play the files over and over")
	f.BoolVar(&p.reopen, "reopen", false, "wait for a device that was unplugged, and start programs and streams again that end")
	f.BoolVar(&p.list, "list-devices", false, "list cameras, microphones and screens, and end")
	f.BoolVar(&p.json, "json", false, "print the summary, or the list, as JSON on the standard output")
	p.roomFlags.register(cmd)
}

func (p *publishFlags) run(cmd *cobra.Command) error {
	if p.list {
		return listDevices(cmd.Context(), cmd.OutOrStdout(), p.json)
	}
	if _, err := settle(cmd, roomSettings); err != nil {
		return err
	}
	specs, err := p.specs()
	if err != nil {
		return err
	}
	if err := p.check(); err != nil {
		return err
	}
	opts, err := p.options(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	opts.ManualSubscribe = true
	ctx := cmd.Context()
	c := &sending{talk: cmd.ErrOrStderr(), url: p.url}
	defer c.stop()
	if err := c.open(ctx, specs, &openOptions{loop: p.loop, reopen: p.reopen, logger: opts.Logger, names: map[string]bool{}}); err != nil {
		return err
	}
	began := time.Now()
	if c.room, err = p.connect(ctx, opts); err != nil {
		return err
	}
	c.join = time.Since(began)
	err = c.run(ctx, p.bound)
	sum := c.summary(time.Since(began))
	if err != nil {
		sum.Error = oneLine(err)
	}
	if p.json {
		return errors.Join(err, json.NewEncoder(cmd.OutOrStdout()).Encode(sum))
	}
	sum.print(cmd.OutOrStdout())
	return err
}

// sending is a room into which the sources go.
type sending struct {
	talk   io.Writer
	url    string
	room   *parley.Room
	join   time.Duration
	began  time.Time // when all were published
	tracks []*sent
	trip   time.Duration

	opts     *openOptions
	late     []*late
	arrivals chan arrival
	waits    sync.WaitGroup
	cancels  []context.CancelFunc
}

// open begins all sources.
func (c *sending) open(ctx context.Context, specs []*spec, opts *openOptions) error {
	c.opts, c.arrivals = opts, make(chan arrival)
	for _, s := range specs {
		if err := s.check(); err != nil {
			return err
		}
		opts.names[s.name] = true
	}
	for _, s := range specs {
		list, err := s.open(ctx, opts)
		switch {
		case err != nil && ctx.Err() != nil:
			return errors.New("interrupted while opening " + s.String())
		case err != nil:
			why, ok := s.mayCome(err)
			if !ok {
				return err
			}
			c.await(ctx, s, opts, why)
			continue
		}
		for _, o := range list {
			c.tracks = append(c.tracks, &sent{opened: o})
		}
		if granted := list[0].granted; granted != "" {
			fmt.Fprintf(c.talk, "%s: %s\n", plain(list[0].track.Name()), plain(granted))
		}
	}
	return nil
}

// stop ends all sources.
func (c *sending) stop() {
	for _, cancel := range c.cancels {
		cancel()
	}
	c.waits.Wait()
	for _, t := range c.tracks {
		t.stop()
	}
}

// run publishes until ctx ends, the bound is reached, or there is no more.
func (c *sending) run(ctx context.Context, bound func(context.Context) (context.Context, context.CancelFunc)) error {
	defer c.room.Disconnect()
	me := c.room.LocalParticipant()
	for _, t := range c.tracks {
		if err := c.publish(ctx, me, t); err != nil {
			return err
		}
	}
	c.began = time.Now()
	fmt.Fprintf(c.talk, "in room %s as %s\n", plain(c.room.Name()), plain(me.Identity()))
	ctx, cancel := bound(ctx)
	defer cancel()
	err := c.hold(ctx)
	c.measure()
	for _, t := range c.tracks {
		switch {
		case t.err != nil:
			err = errors.Join(err, fmt.Errorf("%s: %w", t.spec, t.err))
		case t.total.Packets == 0:
			err = errors.Join(err, fmt.Errorf("%s: %w", t.spec, errNothingSent))
		}
	}
	return errors.Join(err, c.missing())
}

func (c *sending) publish(ctx context.Context, me *parley.LocalParticipant, t *sent) error {
	joining, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	var err error
	t.pub, err = me.PublishTrack(joining, t.track, &parley.PublishOptions{Priority: t.spec.priority})
	switch {
	case err != nil && ctx.Err() != nil:
		return errors.New("interrupted while publishing")
	case err != nil:
		return fmt.Errorf("publishing %s: %w", t.spec, mend(err, c.url))
	}
	return nil
}

// hold tells how it goes, until the end.
func (c *sending) hold(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	events := c.room.LocalParticipant().Events()
	states := c.room.Events()
	running, awaited := len(c.tracks), len(c.late)
	for running+awaited > 0 {
		select {
		case <-ctx.Done():
			return nil
		case <-c.room.Done():
			if err := c.room.Err(); err != nil {
				return mend(err, c.url)
			}
			return nil
		case <-ticker.C:
			c.progress()
		case a := <-c.arrivals:
			tracks, err := c.arrived(ctx, a)
			if err != nil && ctx.Err() == nil {
				return err
			}
			running, awaited = running+tracks, awaited-1
		case ev, ok := <-states:
			if !ok {
				states = nil
			}
			c.tell(ev)
		case ev, ok := <-events:
			if !ok {
				events = nil
			}
			switch ev := ev.(type) {
			case parley.LocalTrackStopped:
				c.stopped(ev)
				running--
			case parley.LocalTrackMuted:
				fmt.Fprintf(c.talk, "%s: nothing comes from the source\n", plain(ev.Publication.TrackName()))
			case parley.LocalTrackUnmuted:
				fmt.Fprintf(c.talk, "%s: the source goes on\n", plain(ev.Publication.TrackName()))
			}
		}
	}
	return nil
}

// tell prints what happens to the connection.
func (c *sending) tell(ev parley.Event) {
	switch ev := ev.(type) {
	case parley.Reconnecting:
		fmt.Fprintf(c.talk, "the connection is lost and being restored: %s\n", oneLine(ev.Err))
	case parley.Reconnected:
		fmt.Fprintln(c.talk, "the connection is restored")
	}
}

// stopped notes how a source ended.
func (c *sending) stopped(ev parley.LocalTrackStopped) {
	for _, t := range c.tracks {
		if t.pub == ev.Publication {
			t.err = ev.Err
			if ev.Err == nil {
				fmt.Fprintf(c.talk, "%s: the source has ended\n", plain(t.track.Name()))
			} else {
				fmt.Fprintf(c.talk, "%s: the source has ended: %s\n", plain(t.track.Name()), oneLine(ev.Err))
			}
		}
	}
}
