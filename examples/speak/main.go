// Command speak says something in a room: a text, through espeak-ng, or what is
// in a WAV file of PCM. It leaves when everything is said, or by Ctrl-C.
//
// Programs that are built with the tag codecs speak Opus; others speak G.711,
// which is as good as a telephone.
//
//	go run -tags codecs ./examples/speak -url ws://127.0.0.1:7880/signaling -token "$TOKEN" "Hello, everybody."
//	espeak-ng --stdout "Hello" | go run ./examples/speak -wav -
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/all"
)

func main() {
	log.SetFlags(0)
	url := flag.String("url", os.Getenv("PARLEY_URL"), "signaling endpoint of the server (or PARLEY_URL)")
	token := flag.String("token", os.Getenv("PARLEY_TOKEN"), "access token (or PARLEY_TOKEN)")
	path := flag.String("wav", "", "a WAV file to play instead of a text to say; -: the standard input")
	voice := flag.String("voice", "en", "espeak-ng's voice")
	flag.Parse()
	if (*path == "") == (flag.NArg() == 0) || flag.NArg() > 1 {
		log.Fatal("speak: name one text to say, or -wav FILE")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	speech, err := synthesize(ctx, *voice, flag.Arg(0))
	if *path != "" {
		speech, err = load(*path)
	}
	if err == nil {
		err = speak(ctx, *token, &parley.ConnectOptions{URL: *url}, speech)
	}
	if err != nil {
		log.Fatalf("speak: %v", err)
	}
}

// speak says it in the room, at the pace of speech.
func speak(ctx context.Context, token string, opts *parley.ConnectOptions, speech *media.AudioFrame) error {
	enc, err := encoder()
	if err != nil {
		return err
	}
	push := media.NewAudioPush(&media.AudioPushOptions{Paced: true})
	voice, err := parley.NewLocalAudioTrack(media.NewAudioSource(push, enc, nil), &parley.TrackOptions{Name: "speech"})
	if err != nil {
		return err
	}
	defer voice.Stop()
	opts.Tracks = []parley.LocalTrack{voice}
	room, err := parley.ConnectContext(ctx, token, opts)
	if err != nil {
		return err
	}
	defer room.Disconnect()
	if len(room.LocalParticipant().Tracks()) == 0 {
		return errors.New("the server refused the track")
	}
	fmt.Printf("%s speaks %s for %.1f s\n", room.LocalParticipant().Identity(), voice.Codec(), speech.Duration().Seconds())

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-room.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	if err = push.Write(ctx, speech); err == nil {
		err = push.Flush(ctx)
	}
	if err != nil {
		return room.Err() // or Ctrl-C, in the middle of a word
	}
	fmt.Println("said it")
	return nil
}

// encoder is of Opus where this build has that.
func encoder() (media.AudioEncoder, error) {
	enc, err := all.NewAudioEncoder(media.Opus, codec.AudioOptions{FEC: true})
	if errors.Is(err, codec.ErrUnavailable) {
		return all.NewAudioEncoder(media.PCMU, codec.AudioOptions{Rate: 8000})
	}
	return enc, err
}

// synthesize has espeak-ng make speech of a text.
func synthesize(ctx context.Context, voice, text string) (*media.AudioFrame, error) {
	if text == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "espeak-ng", "-v", voice, "--stdin", "--stdout")
	cmd.Stdin = bytes.NewReader([]byte(text))
	var said bytes.Buffer
	cmd.Stderr = &said
	wav, err := cmd.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("%w: install the package espeak-ng, or pass -wav", err)
	case err != nil:
		return nil, fmt.Errorf("espeak-ng: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	return decodeWAV(wav)
}

// load reads a WAV file.
func load(path string) (*media.AudioFrame, error) {
	in := os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	wav, err := io.ReadAll(io.LimitReader(in, maxWAV+1))
	if err == nil && len(wav) > maxWAV {
		err = fmt.Errorf("it is larger than %d bytes", maxWAV)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f, err := decodeWAV(wav)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}
