package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/recording"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/spf13/cobra"
)

// joinTime bounds joining and publishing.
const joinTime = 15 * time.Second

// synthetic stands for our own clips where a file could be named.
const synthetic = "test"

// joinSettings are the flags that the environment can set too.
var joinSettings = append([]string{"url", "token"}, keySettings...)

// joinFlags are those of parley join.
type joinFlags struct {
	url, token, identity, room string
	keys                       keyFlags
	video, audio, dir          string
	messages                   []string
	duration                   time.Duration
	manual, loop, json         bool
	log                        logFlags
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
	f.StringVar(&j.url, "url", "", "the signaling endpoint, as in ws://127.0.0.1:7880/signaling (or PARLEY_URL)")
	f.StringVar(&j.token, "token", "", "the access token (or PARLEY_TOKEN)")
	f.StringVar(&j.identity, "identity", "", "without a token: who to be, with a token made from the API key")
	f.StringVar(&j.room, "room", "", "the room (default the one that the token names)")
	f.StringVar(&j.video, "video", "", "a file to publish, or 'test' for a test picture")
	f.StringVar(&j.audio, "audio", "", "a file to publish, or 'test' for a test tone")
	f.BoolVar(&j.loop, "loop", false, "play the files over and over")
	f.StringArrayVar(&j.messages, "message", nil, "a text to send on a data track; may be given several times")
	f.StringVar(&j.dir, "record", "", "record what is received into this directory")
	f.BoolVar(&j.manual, "manual-subscribe", false, "subscribe to nothing")
	f.DurationVar(&j.duration, "duration", 0, "how long to stay; 0: until the end")
	f.BoolVar(&j.json, "json", false, "print each event as one JSON object on a line")
	j.keys.register(cmd)
	j.log.register(cmd, "off")
	return cmd
}

func (j *joinFlags) run(cmd *cobra.Command) error {
	if _, err := settle(cmd, joinSettings); err != nil {
		return err
	}
	opts, sources, err := j.options(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer func() {
		for _, s := range sources {
			_ = s.Close() // it was only read
		}
	}()
	ctx := cmd.Context()
	joining, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	room, err := parley.ConnectContext(joining, j.token, opts)
	switch {
	case err != nil && ctx.Err() != nil:
		return errors.New("interrupted while joining")
	case err != nil:
		return mend(err, j.url)
	}
	return j.stay(ctx, cmd, room)
}

// options checks everything that can be checked before the server is asked.
func (j *joinFlags) options(stderr io.Writer) (opts *parley.ConnectOptions, sources []media.Source, err error) {
	if err := j.check(); err != nil {
		return nil, nil, err
	}
	opts = &parley.ConnectOptions{URL: j.url, Name: j.room, ManualSubscribe: j.manual}
	if opts.Logger, err = j.log.logger(stderr); err != nil {
		return nil, nil, err
	}
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

func (j *joinFlags) check() error {
	if j.url == "" {
		return usagef("no server: pass --url or set PARLEY_URL, as in ws://127.0.0.1:7880/signaling")
	}
	if u, err := url.Parse(j.url); err != nil || (u.Scheme != "ws" && u.Scheme != "wss") || u.Host == "" {
		return usagef("--url %q: it has to be like ws://127.0.0.1:7880/signaling, or wss:// behind TLS", j.url)
	}
	if j.duration < 0 {
		return usagef("--duration %v: it cannot be negative", j.duration)
	}
	if j.token != "" {
		if j.identity != "" {
			return usagef("--token and --identity exclude each other: the token says who it is for")
		}
		return nil
	}
	if j.identity == "" {
		return usagef("no access token: pass --token or set PARLEY_TOKEN; 'parley token --identity NAME' prints one")
	}
	var err error
	j.token, err = mint(&j.keys, accesstoken.Token{Identity: j.identity, Room: j.room, TTL: accesstoken.DefaultTTL})
	return err
}

// stay follows the room until it ends.
func (j *joinFlags) stay(ctx context.Context, cmd *cobra.Command, room *parley.Room) error {
	out := &printer{w: cmd.OutOrStdout(), json: j.json}
	out.joined(room)
	if j.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, j.duration)
		defer cancel()
	}
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

// mend adds to what a server or the way to it said what can be done about it.
func mend(err error, endpoint string) error {
	hint := ""
	switch {
	case errors.Is(err, parley.ErrTokenExpired):
		hint = "make a new token with 'parley token'"
	case errors.Is(err, parley.ErrTokenNotYetValid):
		hint = "compare this machine's clock with the server's"
	case errors.Is(err, parley.ErrTokenIssuer), errors.Is(err, parley.ErrTokenSignature):
		hint = "the token was made with another key than the server has; compare PARLEY_ACCOUNT_SID, PARLEY_API_KEY and PARLEY_API_SECRET"
	case errors.Is(err, parley.ErrTokenInvalid), errors.Is(err, parley.ErrTokenHeader):
		hint = "this is no access token; 'parley token --identity NAME' prints one"
	case errors.Is(err, parley.ErrTokenGrants):
		hint = "the token does not let into this room; make one with 'parley token --room ROOM'"
	case errors.Is(err, parley.ErrRoomNotFound):
		hint = "the server makes no rooms by itself; create the room first, or check --room"
	case errors.Is(err, parley.ErrDuplicateIdentity):
		hint = "somebody else joined with the same identity; use another one"
	case errors.Is(err, parley.ErrNoSupportedCodec):
		hint = "the server does not take this codec; publish another file"
	case errors.Is(err, parley.ErrSignalingConnection), errors.Is(err, context.DeadlineExceeded):
		hint = "is the server running at " + endpoint + "? 'parley serve' starts one"
	}
	text := strings.TrimPrefix(oneLine(err), "parley: ")
	if hint != "" {
		text += "; " + hint
	}
	return &mended{text: text, err: err}
}

// mended is an error with a way out.
type mended struct {
	text string
	err  error
}

func (e *mended) Error() string { return e.text }
func (e *mended) Unwrap() error { return e.err }
