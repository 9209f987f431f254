package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/recording"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/spf13/cobra"
)

// synthetic stands for our own clips where a file could be named.
const synthetic = "test"

// joinFlags are those of parley join.
type joinFlags struct {
	roomFlags
	video, audio, dir  string
	messages           []string
	manual, loop, json bool
}

func newJoin() *cobra.Command {
	var j joinFlags
	cmd := &cobra.Command{
		Use:   "join --url URL --token TOKEN",
		Short: "Be in a room without a screen: print its events, record, publish",
		Long: "Joins a room and prints its events and messages as they come, until the room ends, --duration is over\n" +
			"or Ctrl-C. With the server's API key it makes its own token for --identity.",
		Example: "  parley join --url ws://127.0.0.1:7880/signaling --token \"$TOKEN\" --record ./recordings\n" +
			"  parley join --url wss://sfu.example/signaling --identity bot --room daily --video test --audio test",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return j.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&j.video, "video", "", "a file to publish, or 'test' for a test picture")
	f.StringVar(&j.audio, "audio", "", "a file to publish, or 'test' for a test tone")
	f.BoolVar(&j.loop, "loop", false, "play the files over and over")
	f.StringArrayVar(&j.messages, "message", nil, "a text to send on a data track; may be given several times")
	f.StringVar(&j.dir, "record", "", "record what is received into this directory")
	f.BoolVar(&j.manual, "manual-subscribe", false, "subscribe to nothing")
	f.BoolVar(&j.json, "json", false, "print each event as one JSON object on a line")
	j.register(cmd)
	return cmd
}

func (j *joinFlags) run(cmd *cobra.Command) error {
	if _, err := settle(cmd, roomSettings); err != nil {
		return err
	}
	opts, sources, err := j.prepare(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer func() {
		for _, s := range sources {
			_ = s.Close() // it was only read
		}
	}()
	ctx := cmd.Context()
	room, err := j.connect(ctx, opts)
	if err != nil {
		return err
	}
	return j.stay(ctx, cmd, room)
}

// prepare checks everything that can be checked before the server is asked.
func (j *joinFlags) prepare(stderr io.Writer) (opts *parley.ConnectOptions, sources []media.Source, err error) {
	if err := j.check(); err != nil {
		return nil, nil, err
	}
	if opts, err = j.options(stderr); err != nil {
		return nil, nil, err
	}
	opts.ManualSubscribe = j.manual
	defer func() {
		if err != nil {
			for _, s := range sources {
				_ = s.Close() // it was only opened
			}
		}
	}()
	if j.video != "" {
		src, err := j.source("video", j.video, media.Video, synth.Video)
		if err != nil {
			return nil, sources, err
		}
		sources = append(sources, src)
		t, err := parley.NewLocalVideoTrack(src, &parley.TrackOptions{Name: "video"})
		if err != nil {
			return nil, sources, err
		}
		opts.Tracks = append(opts.Tracks, t)
	}
	if j.audio != "" {
		src, err := j.source("audio", j.audio, media.Audio, synth.Tone)
		if err != nil {
			return nil, sources, err
		}
		sources = append(sources, src)
		t, err := parley.NewLocalAudioTrack(src, &parley.TrackOptions{Name: "audio"})
		if err != nil {
			return nil, sources, err
		}
		opts.Tracks = append(opts.Tracks, t)
	}
	return opts, sources, nil
}

func (j *joinFlags) source(flag, path string, kind media.Kind, own func() media.Source) (media.Source, error) {
	if path == synthetic {
		return own(), nil
	}
	return openMedia(flag, path, kind, j.loop)
}

// stay follows the room until it ends.
func (j *joinFlags) stay(ctx context.Context, cmd *cobra.Command, room *parley.Room) error {
	out := &printer{w: cmd.OutOrStdout(), json: j.json}
	out.joined(room)
	ctx, cancel := j.bound(ctx)
	defer cancel()
	events := room.Events()
	var wg sync.WaitGroup
	wg.Go(func() { out.messages(room.Messages()) })
	var files *recording.Room
	if j.dir != "" {
		files = recording.New(j.dir, recording.Options{Failed: func(err error) {
			fmt.Fprintf(cmd.ErrOrStderr(), "parley: the call goes on, but is not recorded: %s\n", oneLine(err))
		}})
	}
	defer context.AfterFunc(ctx, func() { room.Disconnect() })()
	sent := make(chan error, 1)
	wg.Go(func() { sent <- j.send(ctx, room) })
	for ev := range events {
		out.event(ev)
		if files != nil {
			files.Handle(ev)
		}
	}
	<-room.Done()
	wg.Wait()
	err := errors.Join(room.Err(), <-sent)
	if files != nil {
		err = errors.Join(err, files.Close())
		for _, path := range files.Files() {
			out.recorded(path)
		}
	}
	if err != nil {
		return mend(err, j.url)
	}
	return nil
}

// send publishes a data track and sends the messages.
func (j *joinFlags) send(ctx context.Context, room *parley.Room) error {
	if len(j.messages) == 0 {
		return nil
	}
	track, err := parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: "messages"})
	if err != nil {
		return err
	}
	joining, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	if _, err = room.LocalParticipant().PublishTrack(joining, track, nil); err == nil {
		for _, m := range j.messages {
			if err = track.SendText(joining, m); err != nil {
				break
			}
		}
	}
	if err != nil && ctx.Err() == nil && room.Err() == nil {
		return fmt.Errorf("sending the messages: %w", err)
	}
	return nil
}
