//go:build e2e

package nets_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/pion/webrtc/v4"
)

// report is a line that a role prints.
type report struct {
	Event string    // type of an event of the room, or one of the words below
	Seq   uint64    // of a message; of a picture, its time in milliseconds
	From  string    // whose picture it is
	At    time.Time // all roles read the same clock
	URL   string
	Count int
	Err   string
}

func say(r report) {
	r.At = time.Now()
	line, err := json.Marshal(r)
	if err == nil {
		_, err = os.Stdout.Write(append(line, '\n'))
	}
	if err != nil {
		os.Exit(2) // nobody listens
	}
}

func play(role string) error {
	quit, stop := context.WithCancel(context.Background())
	go func() { // the test ends a role by closing its standard input
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		stop()
	}()
	defer stop()
	switch role {
	case "server":
		return serve(quit)
	case "robot":
		return robot(quit)
	case "viewer":
		return viewer(quit)
	}
	return errors.New("no such role")
}

// secret is what server and clients share.
var key = accesstoken.Key{
	AccountSID: "AC00000000000000000000000000000001", SID: "SK00000000000000000000000000000001", Secret: "of the tests alone",
}

func serve(quit context.Context) error {
	ip := os.Getenv("PARLEY_NETS_IP")
	ln, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		return err
	}
	srv, err := sfu.New(sfu.Config{
		AccountSID: key.AccountSID, Keys: map[string]accesstoken.Secret{key.SID: key.Secret},
		Media: sfu.Media{IPs: []string{ip}},
	})
	if err != nil {
		return err
	}
	web := &http.Server{Handler: srv, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = web.Serve(ln) }() // it ends with the process
	say(report{Event: "serving", URL: "ws://" + ln.Addr().String() + "/signaling"})
	<-quit.Done()
	_ = web.Close() // nothing is left to lose
	return srv.Close()
}

// connect joins with the role as the identity, or that which the test names.
func connect(who string, tracks ...parley.LocalTrack) (*parley.Room, error) {
	token, err := (&accesstoken.Token{Identity: cmp.Or(os.Getenv("PARLEY_NETS_IDENTITY"), who), Room: "nets"}).Sign(key)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	say(report{Event: "joining"})
	opts := &parley.ConnectOptions{URL: os.Getenv("PARLEY_NETS_URL"), Tracks: tracks}
	if turn := os.Getenv("PARLEY_NETS_TURN"); turn != "" {
		opts.RelayOnly = true
		opts.ICEServers = []webrtc.ICEServer{{URLs: []string{turn}, Username: turnUser, Credential: turnPassword}}
	}
	return parley.ConnectContext(ctx, token, opts)
}

// tell prints the room's events until it ends.
func tell(room *parley.Room) {
	for e := range room.Events() {
		say(report{Event: fmt.Sprintf("%T", e)[len("parley."):]})
	}
}

// robot sends numbered messages, each exactly once, and a picture with sound.
func robot(quit context.Context) error {
	goroutines := runtime.NumGoroutine()
	data, err := parley.NewLocalDataTrack(nil)
	if err != nil {
		return err
	}
	video, err := parley.NewLocalVideoTrack(synth.Video(), nil)
	if err != nil {
		return err
	}
	room, err := connect("robot", data, video)
	if err != nil {
		return err
	}
	go tell(room)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	n := uint64(0)
	for quit.Err() == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
		err := data.Send(ctx, binary.BigEndian.AppendUint64(nil, n))
		cancel()
		if err != nil {
			return fmt.Errorf("message %d: %w", n, err)
		}
		n++
		<-tick.C
	}
	<-time.NewTimer(2 * time.Second).C // for those under way
	if err := room.Disconnect(); err != nil {
		return err
	}
	<-room.Done()
	data.Stop()
	video.Stop()
	<-time.NewTimer(2 * time.Second).C // for pion's keepalives
	say(report{Event: "left", Seq: n, Count: runtime.NumGoroutine() - goroutines})
	return nil
}

// viewer prints what comes of the robot: the number of each message, and a line
// for each picture.
func viewer(quit context.Context) error {
	room, err := connect("viewer")
	if err != nil {
		return err
	}
	go func() {
		<-quit.Done()
		_ = room.Disconnect() // idempotent
	}()
	subscribed := room.TrackSubscribed()
	go tell(room)
	for e := range subscribed {
		switch track := e.Track.(type) {
		case *parley.RemoteDataTrack:
			go func() {
				for {
					m, err := track.Receive(context.Background())
					if err != nil {
						return
					}
					say(report{Event: "message", Seq: binary.BigEndian.Uint64(m.Data)})
				}
			}()
		case *parley.RemoteVideoTrack:
			go func() {
				for s := range track.Samples(context.Background()) {
					say(report{Event: "picture", From: e.Participant.Identity(), Seq: uint64(s.Timestamp.Milliseconds())})
				}
			}()
		}
	}
	return room.Err()
}
