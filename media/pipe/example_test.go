package pipe_test

import (
	"context"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/pipe"
)

// A Raspberry Pi publishes its camera, for as long as the room lasts: when
// rpicam-vid ends, it is started again.
func ExampleCommand() {
	_ = func(ctx context.Context, room *parley.Room) error {
		p, err := pipe.Command(ctx, []string{
			"rpicam-vid", "-t", "0", "-n", "--width", "1280", "--height", "720", "--framerate", "30",
			"--profile", "baseline", "--inline", "--intra", "30", "--flush", "-o", "-",
		}, &pipe.Options{Codec: media.H264, FrameRate: 30, Restarts: -1, StallTimeout: 5 * time.Second, Logger: slog.Default()})
		if err != nil {
			return err
		}
		defer p.Close()
		track, err := parley.NewLocalVideoTrack(p.Video(), nil)
		if err != nil {
			return err
		}
		if _, err := room.LocalParticipant().PublishTrack(ctx, track, nil); err != nil {
			return err
		}
		<-track.Done()
		return track.Err()
	}
}

// A program that takes a signal for a request for a key frame.
func ExampleCommand_keyframes() {
	_ = func(ctx context.Context) (*pipe.Pipe, error) {
		return pipe.Command(ctx, []string{"my-encoder"}, &pipe.Options{KeyframeSignal: syscall.SIGUSR1})
	}
}

// Whatever comes in on the standard input.
func ExampleReader() {
	_ = func(ctx context.Context) (media.Source, error) {
		p, err := pipe.Reader(ctx, os.Stdin, nil)
		if err != nil {
			return nil, err
		}
		return p.Sources()[0], nil
	}
}

// What GStreamer sends to a port: rtph264pay ! udpsink host=127.0.0.1 port=5004.
func ExampleRTP() {
	_ = func(ctx context.Context) (*pipe.Pipe, error) {
		return pipe.RTP(ctx, []pipe.RTPStream{{Addr: "127.0.0.1:5004", Codec: media.H264, PayloadType: 96}}, nil)
	}
}

// What ffmpeg sends, with the description that it writes: -f rtp
// rtp://127.0.0.1:5004 -sdp_file stream.sdp.
func ExampleParseSDP() {
	_ = func(ctx context.Context) (*pipe.Pipe, error) {
		text, err := os.ReadFile("stream.sdp")
		if err != nil {
			return nil, err
		}
		streams, err := pipe.ParseSDP(text)
		if err != nil {
			return nil, err
		}
		return pipe.RTP(ctx, streams, nil)
	}
}

// A network camera with picture and sound.
func ExampleRTSP() {
	_ = func(ctx context.Context) ([]parley.LocalTrack, error) {
		p, err := pipe.RTSP(ctx, "rtsp://user:password@camera/stream1", &pipe.RTSPOptions{Audio: pipe.AudioOpus})
		if err != nil {
			return nil, err
		}
		video, err := parley.NewLocalVideoTrack(p.Video(), nil)
		if err != nil {
			return nil, err
		}
		tracks := []parley.LocalTrack{video}
		if src := p.Audio(); src != nil {
			audio, err := parley.NewLocalAudioTrack(src, nil)
			if err != nil {
				return nil, err
			}
			tracks = append(tracks, audio)
		}
		return tracks, nil
	}
}
