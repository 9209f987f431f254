//go:build unix

// Package examples_test builds the examples and runs them as users do: as
// programs, against a server, until they end or are interrupted.
package examples_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/at-wat/ebml-go"
	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/file"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// patience is how long one line of output may take.
const patience = 20 * time.Second

var programs string // where they were built

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "examples")
	if err == nil {
		defer os.RemoveAll(dir)
		programs = dir
		var out []byte
		out, err = exec.Command("go", "build", "-tags", buildTags, "-o", dir, "./...").CombinedOutput()
		os.Stderr.Write(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "building the examples:", err)
		return 1
	}
	return m.Run()
}

// program is an example that runs.
type program struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
	said  []string
}

func start(t *testing.T, env []string, name string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.CommandContext(t.Context(), filepath.Join(programs, name), args...), lines: make(chan string)}
	p.cmd.Env = append(os.Environ(), append([]string{"PARLEY_URL=", "PARLEY_TOKEN="}, env...)...)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	p.cmd.Stdout, p.cmd.Stderr = w, w
	require.NoError(t, p.cmd.Start())
	require.NoError(t, w.Close())
	go p.read(r)
	return p
}

func (p *program) read(r io.ReadCloser) {
	defer close(p.lines)
	defer r.Close()
	for s := bufio.NewScanner(r); s.Scan(); {
		select {
		case p.lines <- s.Text():
		case <-p.t.Context().Done():
			return
		}
	}
}

// says waits for a line for each pattern, in any order, and returns the lines
// in the order of the patterns. Other lines may come between.
func (p *program) says(patterns ...string) []string {
	p.t.Helper()
	found := make([]string, len(patterns))
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for missing := len(patterns); missing > 0; {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("it ended without %q; it said:\n%s", patterns, strings.Join(p.said, "\n"))
			}
			p.said = append(p.said, line)
			for i, pattern := range patterns {
				if found[i] == "" && regexp.MustCompile("^(?:"+pattern+")$").MatchString(line) {
					found[i] = line
					missing--
					break
				}
			}
		case <-timer.C:
			p.t.Fatalf("it does not say %q; it said:\n%s", patterns, strings.Join(p.said, "\n"))
		}
	}
	return found
}

func (p *program) interrupt() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(os.Interrupt))
}

// ends waits for the end and returns the exit status.
func (p *program) ends() int {
	p.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case line, ok := <-p.lines:
			if ok {
				p.said = append(p.said, line)
				continue
			}
			_ = p.cmd.Wait() // the status tells
			return p.cmd.ProcessState.ExitCode()
		case <-timer.C:
			p.t.Fatalf("it does not end; it said:\n%s", strings.Join(p.said, "\n"))
		}
	}
}

// env is how a program is told where to go.
func env(srv *roomtest.Server, identity string) []string {
	return []string{"PARLEY_URL=" + srv.URL(), "PARLEY_TOKEN=" + srv.Token(identity, "lab")}
}

// alice is in the room with a picture, a tone and a pen.
type alice struct {
	*parley.Room
	video *parley.LocalVideoTrack
	chat  *parley.LocalDataTrack
}

func newAlice(t *testing.T, srv *roomtest.Server) alice {
	t.Helper()
	video, err := parley.NewLocalVideoTrack(synth.Video(), nil)
	require.NoError(t, err)
	audio, err := parley.NewLocalAudioTrack(synth.Tone(), nil)
	require.NoError(t, err)
	chat, err := parley.NewLocalDataTrack(nil)
	require.NoError(t, err)
	room, err := parley.Connect(srv.Token("alice", "lab"), &parley.ConnectOptions{
		URL: srv.URL(), Tracks: []parley.LocalTrack{video, audio, chat},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, room.Disconnect())
		video.Stop()
		audio.Stop()
	})
	return alice{room, video, chat}
}

// shows waits until so many more frames were sent. There is a key frame among
// any 25.
func (a alice) shows(t *testing.T, frames int64) {
	t.Helper()
	picture := a.LocalParticipant().VideoTracks()[0]
	least := picture.Stats().Samples + frames
	require.Eventually(t, func() bool { return picture.Stats().Samples >= least }, patience, 20*time.Millisecond)
}

func TestHeadless(t *testing.T) {
	srv := roomtest.NewServer(t)
	alice := newAlice(t, srv)
	events := alice.Events()
	bot := start(t, env(srv, "bot"), "headless")
	bot.says("alice joined", "alice shows VP8, 320 x 240", "alice is heard in opus")
	require.NoError(t, alice.chat.SendText(t.Context(), "hi"))
	bot.says(`alice writes "hi"`)
	bot.interrupt()
	require.Zero(t, bot.ends())
	left := roomtest.Next[parley.ParticipantDisconnected](t, events)
	require.Equal(t, parley.ReasonLeft, left.Reason, "Ctrl-C leaves in good order")
}

func TestHeadlessTellsWhyTheRoomEnded(t *testing.T) {
	srv := roomtest.NewServer(t)
	alice := newAlice(t, srv)
	bot := start(t, env(srv, "bot"), "headless")
	bot.says("alice joined")
	srv.Complete("lab")
	bot.says(`headless: parley: .*53118.*`)
	require.Equal(t, 1, bot.ends())
	<-alice.Done()
}

// clip writes the first second of our test picture into a file.
func clip(t *testing.T) (path string, frames int) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "clip.ivf")
	w, err := file.Create(path, media.VP8)
	require.NoError(t, err)
	for s, err := range file.Samples(strings.NewReader(string(synth.VideoClip())), nil) {
		require.NoError(t, err)
		if s.Timestamp >= time.Second {
			break
		}
		require.NoError(t, w.WriteSample(s))
		frames++
	}
	require.NoError(t, w.Close())
	return path, frames
}

func TestPublishFile(t *testing.T) {
	srv := roomtest.NewServer(t)
	alice := newAlice(t, srv)
	path, frames := clip(t)
	bot := start(t, env(srv, "bot"), "publishfile", path)
	bot.says("bot publishes VP8 in lab as MT[0-9a-f]{32}")
	seen := roomtest.Next[parley.TrackSubscribed](t, alice.Events())
	got := 0
	for s, err := range seen.Track.(*parley.RemoteVideoTrack).Samples(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, media.VP8, s.Codec)
		got++
	}
	require.Positive(t, got)
	bot.says(fmt.Sprintf("sent %d samples", frames))
	require.Zero(t, bot.ends(), "the file's end is no error")
}

func TestPublishFileInterrupted(t *testing.T) {
	srv := roomtest.NewServer(t)
	alice := newAlice(t, srv)
	path, _ := clip(t)
	bot := start(t, env(srv, "bot"), "publishfile", "-loop", path)
	roomtest.Next[parley.TrackStarted](t, alice.Events())
	bot.interrupt()
	bot.says("sent [1-9][0-9]* samples")
	require.Zero(t, bot.ends())
	roomtest.Next[parley.ParticipantDisconnected](t, alice.Events())
}

func TestRecord(t *testing.T) {
	srv := roomtest.NewServer(t)
	alice := newAlice(t, srv)
	dir := t.TempDir()
	bot := start(t, env(srv, "bot"), "record", "-dir", dir)
	bot.says("recording lab", "alice: video VP8", "alice: audio opus")
	path := filepath.Join(dir, alice.LocalParticipant().SID()+".mkv")
	alice.shows(t, 30)
	require.NoError(t, alice.Disconnect())
	bot.says("alice is in " + filepath.Base(path))
	bot.interrupt()
	require.Zero(t, bot.ends())

	blocks := readBlocks(t, path)
	require.Greater(t, blocks["V_VP8"], 10, "30 frames were sent; from a key frame on they are there")
	require.Greater(t, blocks["A_OPUS"], 20)
}

// Who is there when the program ends is not lost.
func TestRecordInterrupted(t *testing.T) {
	srv := roomtest.NewServer(t)
	newAlice(t, srv)
	dir := t.TempDir()
	bot := start(t, env(srv, "bot"), "record", "-dir", dir)
	bot.says("alice: video VP8")
	bot.interrupt()
	bot.says("alice is in PA[0-9a-f]{32}.mkv")
	require.Zero(t, bot.ends())
}

// readBlocks counts the blocks of each track by its codec.
func readBlocks(t *testing.T, path string) map[string]int {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var doc struct {
		Segment struct {
			Tracks struct {
				TrackEntry []struct {
					TrackNumber uint64
					CodecID     string
				}
			}
			Cluster []struct {
				SimpleBlock []ebml.Block
			}
		}
	}
	require.NoError(t, ebml.Unmarshal(f, &doc, ebml.WithIgnoreUnknown(true)))
	codecs := map[uint64]string{}
	for _, e := range doc.Segment.Tracks.TrackEntry {
		codecs[e.TrackNumber] = e.CodecID
	}
	blocks := map[string]int{}
	for _, c := range doc.Segment.Cluster {
		for _, b := range c.SimpleBlock {
			blocks[codecs[b.TrackNumber]]++
		}
	}
	return blocks
}

func TestQuickstart(t *testing.T) {
	srv := roomtest.NewServer(t)
	alice := newAlice(t, srv)
	dir := t.TempDir()
	bot := start(t, env(srv, "bot"), "quickstart", "-dir", dir)
	bot.says("in room lab as bot", "alice is here", "alice sends VP8", "alice sends opus")
	roomtest.Expect(t, alice.Events(), roomtest.Is(func(e parley.TrackSubscribed) bool {
		return e.Participant.Identity() == "bot" && e.Track.Kind() == parley.KindData
	}))
	require.NoError(t, alice.chat.SendText(t.Context(), "hi"))
	bot.says("alice: hi")
	alice.shows(t, 30)
	alice.video.Disable()
	bot.says("alice pauses video")
	require.NoError(t, alice.Disconnect())
	bot.says("alice has left")
	bot.interrupt()
	require.Zero(t, bot.ends())

	written, err := filepath.Glob(filepath.Join(dir, "MT*.VP8"))
	require.NoError(t, err)
	require.Len(t, written, 1)
	src, err := file.Open(written[0], nil)
	require.NoError(t, err)
	require.Equal(t, media.VP8, src.Codec())
	require.NoError(t, src.Close())
}

func TestQuickstartTellsOfItsDouble(t *testing.T) {
	srv := roomtest.NewServer(t)
	bot := start(t, env(srv, "bot"), "quickstart", "-dir", t.TempDir())
	bot.says("in room lab as bot")
	double, err := parley.Connect(srv.Token("bot", "lab"), &parley.ConnectOptions{URL: srv.URL()})
	require.NoError(t, err)
	defer double.Disconnect()
	bot.says("somebody else has this identity", "quickstart: parley: .*53205.*")
	require.Equal(t, 1, bot.ends())
}

// Each program says in one line what is wrong, and fails.
func TestErrors(t *testing.T) {
	srv := roomtest.NewServer(t)
	path, _ := clip(t)
	for _, name := range []string{"headless", "publishfile", "record", "quickstart", "integrationtest", "robot", "speak"} {
		args := map[string][]string{
			"publishfile": {path}, "robot": {"-file", clipOf(t, media.H264)}, "speak": {"-wav", toneFile(t, time.Second)},
		}[name]
		for what, c := range map[string]struct {
			env  []string
			says string
		}{
			"nothing":       {nil, name + `: parley: invalid option: .*`},
			"no URL":        {env(srv, "bot")[1:], name + `: parley: invalid option: URL is empty.*`},
			"no token":      {env(srv, "bot")[:1], name + `: parley: invalid option: the access token is empty`},
			"no URL at all": {[]string{"PARLEY_URL=here", "PARLEY_TOKEN=x"}, name + `: parley: invalid option: URL "here".*`},
			"bad token":     {[]string{env(srv, "bot")[0], "PARLEY_TOKEN=x"}, name + `: parley: connecting: .*20101.*`},
			"no server":     {[]string{"PARLEY_URL=ws://127.0.0.1:1/signaling", "PARLEY_TOKEN=x"}, name + `: parley: connecting: .*53000.*`},
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				bot := start(t, c.env, name, args...)
				bot.says(c.says)
				require.Equal(t, 1, bot.ends())
				require.Len(t, bot.said, 1, "%q", bot.said)
			})
		}
	}
	t.Run("publishfile/no file", func(t *testing.T) {
		bot := start(t, env(srv, "bot"), "publishfile")
		bot.says("publishfile: name one file to publish")
		require.Equal(t, 1, bot.ends())
	})
	t.Run("publishfile/text", func(t *testing.T) {
		text := filepath.Join(t.TempDir(), "notes.ivf")
		require.NoError(t, os.WriteFile(text, []byte("no media"), 0o600))
		bot := start(t, env(srv, "bot"), "publishfile", text)
		bot.says("publishfile: .*notes.ivf.*unknown format.*")
		require.Equal(t, 1, bot.ends())
	})
}
