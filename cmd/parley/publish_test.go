package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// publishReport is what scripts may rely on.
type publishReport struct {
	Room     string  `json:"room"`
	Identity string  `json:"identity"`
	JoinMS   float64 `json:"join_ms"`
	Tracks   []struct {
		Name        string  `json:"name"`
		Source      string  `json:"source"`
		Kind        string  `json:"kind"`
		Codec       string  `json:"codec"`
		SID         string  `json:"sid"`
		Width       int     `json:"width"`
		Height      int     `json:"height"`
		FramesSent  int64   `json:"frames_sent"`
		PacketsSent int64   `json:"packets_sent"`
		BitsPerS    float64 `json:"bits_per_s"`
		FPS         float64 `json:"fps"`
		Error       string  `json:"error"`
	} `json:"tracks"`
	Error string `json:"error"`
}

func report[T any](t *testing.T, stdout string) T {
	t.Helper()
	require.Equal(t, 1, strings.Count(stdout, "\n"), "one object: %s", stdout)
	var r T
	require.NoError(t, json.Unmarshal([]byte(stdout), &r), stdout)
	return r
}

// lab is how a command gets into the room lab of a test's server.
func lab(srv *roomtest.Server, who string) []string {
	return []string{"PARLEY_URL=" + srv.URL(), "PARLEY_TOKEN=" + srv.Token(who, "lab")}
}

// operate joins the lab as an operator who subscribes by choice.
func operate(t *testing.T, srv *roomtest.Server) *parley.Room {
	t.Helper()
	room, err := parley.Connect(srv.Token("operator", "lab"), &parley.ConnectOptions{URL: srv.URL(), ManualSubscribe: true})
	require.NoError(t, err)
	t.Cleanup(func() { room.Disconnect() })
	return room
}

// clipFile writes a clip of ours where a user would have it.
func clipFile(t *testing.T, codec media.Codec) string {
	t.Helper()
	name, data := testclips.File(codec)
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

// A robot with two cameras and a microphone, and an operator who looks at the
// front.
func TestOperatorSubscribesToTheFrontCameraOnly(t *testing.T) {
	t.Parallel()
	srv := roomtest.NewServer(t)
	operator := operate(t, srv)
	events := operator.Events()
	robot := parleyStart(t, lab(srv, "robot"), "publish", "--json",
		"--file", "test", "--name", "front", "--file", "test", "--name", "thermal", "--priority", "low", "--file", "tone")
	pubs := map[string]*parley.RemoteTrackPublication{}
	for len(pubs) < 3 {
		pub := roomtest.Next[parley.TrackPublished](t, events).Publication
		pubs[pub.TrackName()] = pub
	}
	require.Equal(t, parley.PriorityLow, pubs["thermal"].PublishPriority())
	require.Equal(t, parley.PriorityStandard, pubs["front"].PublishPriority())
	require.Equal(t, parley.KindAudio, pubs["file"].Kind())

	asked := time.Now()
	require.NoError(t, pubs["front"].SetSubscribed(t.Context(), true))
	for s, err := range pubs["front"].Track().(*parley.RemoteVideoTrack).Samples(t.Context()) {
		require.NoError(t, err)
		if s.Keyframe {
			require.Equal(t, []int{320, 240}, []int{s.Width, s.Height})
			break
		}
	}
	require.Less(t, time.Since(asked), time.Second, "the first picture")
	require.False(t, pubs["thermal"].IsSubscribed())
	require.False(t, pubs["file"].IsSubscribed())

	line := robot.until("[front VP8 320x240 ")
	require.Regexp(t, `^\d+ fps \d+ kbit/s loss 0\.0 % keyframe requests \d+\]  \[thermal VP8 320x240 .*\]  \[file opus \d+ fps \d+ kbit/s loss 0\.0 %\]$`, line)
	require.Zero(t, robot.stop(syscall.SIGINT), "%s", &robot.stderr)
	left := roomtest.Next[parley.ParticipantDisconnected](t, events)
	require.Equal(t, parley.ReasonLeft, left.Reason, "Ctrl-C leaves in good order")

	r := report[publishReport](t, robot.stdout.String())
	require.Equal(t, "lab", r.Room)
	require.Equal(t, "robot", r.Identity)
	require.Positive(t, r.JoinMS)
	require.Empty(t, r.Error)
	require.Len(t, r.Tracks, 3)
	require.Equal(t, "front", r.Tracks[0].Name)
	require.Equal(t, "--file test", r.Tracks[0].Source)
	require.Equal(t, "VP8", r.Tracks[0].Codec)
	require.Equal(t, 320, r.Tracks[0].Width)
	require.Greater(t, r.Tracks[0].FramesSent, int64(10))
	require.Greater(t, r.Tracks[0].BitsPerS, 50_000.0)
	require.Equal(t, "thermal", r.Tracks[1].Name)
	require.Equal(t, "audio", r.Tracks[2].Kind)
	require.Greater(t, r.Tracks[2].PacketsSent, int64(20))
	for _, one := range r.Tracks {
		require.Regexp(t, `^MT[0-9a-f]{32}$`, one.SID)
	}
}

// With the server's key the command makes a token that lets it publish and no
// more.
func TestPublishWithKeysOnly(t *testing.T) {
	t.Parallel()
	srv := parleyStart(t, nil, "serve", "--listen", "127.0.0.1:0")
	var env []string
	for _, name := range []string{"PARLEY_ACCOUNT_SID", "PARLEY_API_KEY", "PARLEY_API_SECRET"} {
		env = append(env, name+"="+srv.until("export "+name+"="))
	}
	env = append(env, "PARLEY_URL="+srv.until("signaling at "))
	camera := parleyStart(t, env, "publish", "--room", "lab", "--file", "test", "--file", "tone")
	camera.until("rtt ")
	host, err := os.Hostname()
	require.NoError(t, err)
	stdout, stderr, status := parleyRun(t, env, "watch", "--room", "lab", "--duration", "1500ms", "--json")
	require.Zero(t, status, stderr)
	w := report[watchReport](t, stdout)
	require.Equal(t, host+"-watch", w.Identity)
	require.Len(t, w.Tracks, 2)
	require.Equal(t, host, w.Tracks[0].Participant)

	watcher := parleyStart(t, env, "publish", "--room", "lab", "--identity", "second", "--file", "test")
	watcher.until("in room lab as second")
	require.Zero(t, camera.stop(syscall.SIGTERM), "%s", &camera.stderr)
	require.Contains(t, camera.stdout.String(), "joined in ")
	require.NotContains(t, camera.stderr.String(), "second", "who publishes only does not subscribe")
}

// The end of the last file ends the command, and that is no error.
func TestPublishEndsWithItsFiles(t *testing.T) {
	t.Parallel()
	srv := roomtest.NewServer(t)
	stdout, stderr, status := parleyRun(t, lab(srv, "robot"), "publish", "--json",
		"--file", clipFile(t, media.H264), "--file", clipFile(t, media.Opus))
	require.Zero(t, status, stderr)
	r := report[publishReport](t, stdout)
	require.Equal(t, "H264", r.Tracks[0].Codec)
	require.Equal(t, "opus", r.Tracks[1].Codec)
	require.Positive(t, r.Tracks[0].FramesSent)
	require.Equal(t, 2, strings.Count(stderr, "the source has ended\n"), stderr)
}

// A source that breaks ends its own track; the others go on, and the exit
// status tells.
func TestBrokenSourceEndsItsOwnTrack(t *testing.T) {
	t.Parallel()
	srv := roomtest.NewServer(t)
	operator := operate(t, srv)
	events := operator.Events()
	whole, err := os.ReadFile(clipFile(t, media.VP8))
	require.NoError(t, err)
	cut := filepath.Join(t.TempDir(), "cut.ivf")
	require.NoError(t, os.WriteFile(cut, whole[:len(whole)-3], 0o600))
	robot := parleyStart(t, lab(srv, "robot"), "publish", "--json", "--file", cut, "--file", "test", "--name", "good")
	require.Contains(t, robot.until("file: the source has ended: "), "unexpected EOF")
	robot.until("[good VP8 320x240 ")
	require.Equal(t, exitFailed, robot.stop(syscall.SIGINT))
	r := report[publishReport](t, robot.stdout.String())
	require.Contains(t, r.Error, "--file "+cut)
	require.Contains(t, r.Tracks[0].Error, "unexpected EOF")
	require.Empty(t, r.Tracks[1].Error)
	left := roomtest.Next[parley.ParticipantDisconnected](t, events)
	require.Equal(t, parley.ReasonLeft, left.Reason)
}

// A room that is over ends the command, which says why.
func TestPublishTellsWhyTheRoomEnded(t *testing.T) {
	t.Parallel()
	srv := roomtest.NewServer(t)
	robot := parleyStart(t, lab(srv, "robot"), "publish", "--file", "test")
	robot.until("rtt ")
	srv.Complete("lab")
	require.Equal(t, exitFailed, robot.wait())
	require.Contains(t, robot.stderr.String(), "53118")
}

// A track that the server refuses is told, and the command fails.
func TestPublishIsRefused(t *testing.T) {
	t.Parallel()
	srv := roomtest.NewServer(t)
	srv.RefusePublish(func(_, name string) error {
		if name == "thermal" {
			return parley.ErrTrackCapacityReached
		}
		return nil
	})
	stdout, stderr, status := parleyRun(t, lab(srv, "robot"), "publish", "--json", "--file", "test", "--file", "test", "--name", "thermal")
	require.Equal(t, exitFailed, status)
	r := report[publishReport](t, stdout)
	require.Contains(t, r.Error, "53305")
	require.Contains(t, stderr, "publishing --file test: publishing track thermal: ")
}

// A program that prints several tracks is one source; it ends with the command.
func TestPublishWhatAProgramPrints(t *testing.T) {
	t.Parallel()
	srv := roomtest.NewServer(t)
	operator := operate(t, srv)
	events := operator.Events()
	h264, opus := clipFile(t, media.H264), clipFile(t, media.Opus)
	p := parleyStart(t, lab(srv, "robot"), "publish", "--json", "--reopen",
		"--exec", "cat "+h264, "--format", "h264", "--name", "front", "--fps", "25",
		"--exec", "cat '"+opus+"'; sleep 60", "--format", "opus")
	names := map[string]parley.Kind{}
	for len(names) < 2 {
		pub := roomtest.Next[parley.TrackPublished](t, events).Publication
		names[pub.TrackName()] = pub.Kind()
	}
	require.Equal(t, map[string]parley.Kind{"front": parley.KindVideo, "exec": parley.KindAudio}, names)
	p.until("[front H264 ")
	p.until("[front H264 ") // again and again
	require.Zero(t, p.stop(syscall.SIGINT), "%s", &p.stderr)
	r := report[publishReport](t, p.stdout.String())
	require.Equal(t, "H264", r.Tracks[0].Codec)
	require.Positive(t, r.Tracks[0].Width, "the parameter sets tell the size")
	require.Positive(t, r.Tracks[0].Height)
	require.Equal(t, "opus", r.Tracks[1].Codec)
}

// A server that is started again finds its robots coming back by themselves,
// with new tokens.
func TestPublishSurvivesARestartOfTheServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	env := append(keyEnv(accesstoken.NewKey()), "PARLEY_URL=ws://"+addr+"/signaling")
	serve := []string{"serve", "--listen", addr, "--retry-after", "250ms"}
	first := parleyStart(t, env, serve...)
	first.until("signaling at ")
	robot := parleyStart(t, env, "publish", "--json", "--identity", "robot", "--room", "lab", "--file", "test", "--name", "front")
	robot.until("[front VP8 320x240 ")
	require.Zero(t, first.stop(syscall.SIGTERM), "%s", &first.stderr)
	robot.until("the connection is lost and being restored")
	second := parleyStart(t, env, serve...)
	second.until("signaling at ")
	robot.until("the connection is restored")
	stdout, stderr, status := parleyRun(t, env, "watch", "--room", "lab", "--track", "front", "--duration", "2s", "--json")
	require.Zero(t, status, stderr)
	require.Equal(t, "robot", report[watchReport](t, stdout).Tracks[0].Participant)
	require.Zero(t, robot.stop(syscall.SIGINT), "%s", &robot.stderr)
	r := report[publishReport](t, robot.stdout.String())
	require.Greater(t, r.Tracks[0].FramesSent, int64(25), "those before the restart count too")
}

// RTP of another program, on a port of this machine.
func TestPublishRTP(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	srv := roomtest.NewServer(t)
	p := parleyStart(t, lab(srv, "robot"), "publish", "--json", "--rtp", port, "--codec", "pcmu")
	conn, err := net.Dial("udp", port)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := uint16(0); ctx.Err() == nil; n++ {
			pkt := rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: n, Timestamp: 160 * uint32(n), SSRC: 7}, Payload: make([]byte, 160)}
			data, err := pkt.Marshal()
			if err == nil {
				_, _ = conn.Write(data) // nobody may listen yet
			}
			<-tick.C
		}
	}()
	defer func() {
		cancel()
		<-done
		_ = conn.Close()
	}()
	require.Regexp(t, `^\d+ fps \d+ kbit/s`, p.until("[rtp PCMU "))
	require.Zero(t, p.stop(syscall.SIGINT), "%s", &p.stderr)
	require.Greater(t, report[publishReport](t, p.stdout.String()).Tracks[0].FramesSent, int64(10))
}

// freePort is an address where nobody listens, nor on the port after it.
func freePort(t *testing.T) string {
	t.Helper()
	for {
		a, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		at := a.LocalAddr().(*net.UDPAddr)
		b, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", at.Port+1))
		require.NoError(t, a.Close())
		if err == nil {
			require.NoError(t, b.Close())
			return at.String()
		}
	}
}

// Whatever is wrong with what is to be published: one line that names what
// would be right.
func TestPublishBadInput(t *testing.T) {
	text := writeFile(t, "no media")
	env := []string{"PARLEY_URL=ws://127.0.0.1:1/signaling", "PARLEY_TOKEN=t"}
	for _, c := range []struct {
		args string
		want []string
	}{
		{"", []string{"nothing to publish", "--camera", "--list-devices"}},
		{"front", []string{"unexpected argument", "front"}},
		{"--screen :1", []string{"--screen=:1"}},
		{"--camera=", []string{"--camera", "empty"}},
		{"--file /no/such.ivf", []string{"--file", "/no/such.ivf", "no such file"}},
		{"--file " + text, []string{"--file", "unknown format", "IVF"}},
		{"--file test --loop --size 12", []string{"--size", "1280x720"}},
		{"--file test --size 1280x720", []string{"--size 1280x720", "--camera, --screen", "there is none"}},
		{"--camera a --size 1x1", []string{"--size", "16"}},
		{"--camera a --fps fast", []string{"--fps", "30"}},
		{"--camera a --fps -1", []string{"--fps", "30"}},
		{"--camera a --fps NaN", []string{"--fps", "30"}},
		{"--camera a --bitrate much", []string{"--bitrate", "1.5M"}},
		{"--camera a --bitrate 1e300M", []string{"--bitrate", "1.5M"}},
		{"--camera a --codec theora", []string{"--codec", "vp8", "h264"}},
		{"--camera a --codec av1", []string{"--camera a --codec AV1", "vp8, vp9 or h264"}},
		{"--camera a --priority urgent", []string{"--priority", "low, standard or high"}},
		{"--name front --camera a", []string{"--name front", "behind"}},
		{"--camera a --name x --mic b --name x", []string{"--name x", "--camera a", "--mic b"}},
		{"--camera a --size 640x480 --size 1280x720", []string{"--size 1280x720", "--camera a", "already"}},
		{"--camera a --size 640x480 --mic b --size 1280x720", []string{"--size 1280x720", "--mic b", "--camera, --screen"}},
		{"--size 1x20 --size 20x20 --camera a", []string{"--size"}},
		{"--size 32x20 --size 20x20 --camera a", []string{"--size", "twice"}},
		{"--exec true", []string{"--exec true", "nothing to play"}},
		{"--exec false", []string{"--exec false", "exit status 1"}},
		{"--exec no-such-program --format h264", []string{"--exec no-such-program", "not found"}},
		{"--rtp 203.0.113.7:5004 --codec h264", []string{"--rtp 203.0.113.7:5004", "assign"}},
		{"--rtp camera.local:5004 --codec h264", []string{"--rtp camera.local:5004"}},
		{"--camera no-such-camera", []string{"--camera no-such-camera", "no such device"}},
		{"--screen=:4242", []string{"--screen :4242", "cannot open the display"}},
		{"--exec true --format mp4", []string{"--format mp4", "h264", "matroska"}},
		{"--rtp 127.0.0.1:5004", []string{"--rtp", "--codec", "h264"}},
		{"--rtp 5004 --codec h264", []string{"--rtp 5004", "127.0.0.1:5004"}},
		{"--rtsp camera.local", []string{"--rtsp", "rtsp://"}},
		{"--list-devices now", []string{"now"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, status := parleyRun(t, env, append([]string{"publish"}, strings.Fields(c.args)...)...)
			require.Equal(t, exitUsage, status, stderr)
			require.Empty(t, stdout)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			for _, want := range c.want {
				require.Contains(t, stderr, want)
			}
		})
	}
}

// A token of whom nothing may be published is refused, not ignored.
func TestSubscribersCannotPublish(t *testing.T) {
	t.Parallel()
	key := accesstoken.NewKey()
	srv := parleyStart(t, keyEnv(key), "serve", "--listen", "127.0.0.1:0")
	url := srv.until("signaling at ")
	token, err := accesstoken.Token{Identity: "eve", Room: "lab", Role: accesstoken.RoleSubscriber}.Sign(key)
	require.NoError(t, err)
	_, stderr, status := parleyRun(t, []string{"PARLEY_URL=" + url, "PARLEY_TOKEN=" + token}, "publish", "--file", "test")
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "publishing --file test: ")
}
