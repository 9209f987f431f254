package front_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/front"
	"github.com/parley-rtc/parley/internal/icetcp"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// guest is a participant whose media goes by TCP alone.
type guest struct {
	t      *testing.T
	room   *parley.Room
	events <-chan parley.Event

	mu    sync.Mutex
	conns []*line
}

// line is a TCP connection for media. Its first frame is kept, and its reading
// can be stopped.
type line struct {
	net.Conn
	stalled chan struct{} // closed: nothing is read any more
	ended   chan struct{}
	once    sync.Once

	mu    sync.Mutex
	first []byte
}

func (l *line) Write(b []byte) (int, error) {
	l.mu.Lock()
	if l.first == nil {
		l.first = bytes.Clone(b)
	}
	l.mu.Unlock()
	return l.Conn.Write(b)
}

func (l *line) Read(b []byte) (int, error) {
	select {
	case <-l.stalled:
		<-l.ended
		return 0, net.ErrClosed
	default:
		return l.Conn.Read(b)
	}
}

func (l *line) Close() error {
	l.once.Do(func() { close(l.ended) })
	return l.Conn.Close()
}

func visit(t *testing.T, srv *front.Server, key accesstoken.Key, identity string, tracks ...parley.LocalTrack) *guest {
	t.Helper()
	g := &guest{t: t}
	token, err := accesstoken.Token{Identity: identity, Room: "lab"}.Sign(key)
	require.NoError(t, err)
	g.room, err = parley.Connect(token, &parley.ConnectOptions{
		URL: srv.SignalingURL(), Tracks: tracks, NetworkTypes: []webrtc.NetworkType{webrtc.NetworkTypeTCP4},
		ConfigureWebRTC: func(e *webrtc.SettingEngine) { e.SetICETCPMux(icetcp.NewDialer(g.dial)) },
	})
	require.NoError(t, err)
	g.events = g.room.Events()
	t.Cleanup(func() {
		require.NoError(t, g.room.Disconnect())
		for range g.events { // to the end
		}
	})
	return g
}

func (g *guest) dial(ctx context.Context, _ netip.Addr, remote netip.AddrPort) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", remote.String())
	if err != nil {
		return nil, err
	}
	l := &line{Conn: conn, stalled: make(chan struct{}), ended: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns = append(g.conns, l)
	return l, nil
}

// lines returns the connections so far: one for each address of this machine,
// and again after each ICE restart.
func (g *guest) lines() []*line {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.conns)
}

// pair waits for the pair of candidates in use.
func (g *guest) pair() string {
	g.t.Helper()
	for s := range g.room.StatsEvery(g.t.Context(), 50*time.Millisecond) {
		if s.CandidatePair != "" {
			return s.CandidatePair
		}
	}
	require.Fail(g.t, "no pair")
	return ""
}

// seen is what a guest sees of a room: the video and the messages of another.
type seen struct {
	t        *testing.T
	guest    *guest
	frames   chan struct{}
	messages chan string
}

func (g *guest) see() *seen {
	g.t.Helper()
	s := &seen{t: g.t, guest: g, frames: make(chan struct{}, 1), messages: make(chan string, 16)}
	for tracks := 0; tracks < 2; {
		ev, ok := <-g.events
		require.True(g.t, ok, "the room has ended: %v", g.room.Err())
		sub, ok := ev.(parley.TrackSubscribed)
		if !ok {
			continue
		}
		tracks++
		switch track := sub.Track.(type) {
		case *parley.RemoteVideoTrack:
			go func() {
				for range track.Samples(context.Background()) {
					select {
					case s.frames <- struct{}{}:
					default:
					}
				}
			}()
		case *parley.RemoteDataTrack:
			go func() {
				for {
					m, err := track.Receive(context.Background())
					if err != nil {
						return // it has ended
					}
					s.messages <- string(m.Data)
				}
			}()
		}
	}
	return s
}

// flows waits until more frames have come.
func (s *seen) flows(frames int) {
	s.t.Helper()
	patience := time.After(30 * time.Second)
	for range frames {
		select {
		case <-s.frames:
		case <-patience:
			require.Fail(s.t, "the picture stands still")
		}
	}
}

// calm requires that nothing was lost so far.
func (s *seen) calm() {
	s.t.Helper()
	for {
		select {
		case ev, ok := <-s.guest.events:
			require.True(s.t, ok, "the room has ended: %v", s.guest.room.Err())
			_, lost := ev.(parley.Reconnecting)
			require.False(s.t, lost, "%v", ev)
		default:
			return
		}
	}
}

func published(t *testing.T) (video *parley.LocalVideoTrack, data *parley.LocalDataTrack) {
	t.Helper()
	src := synth.Video()
	t.Cleanup(func() { _ = src.Close() }) // nothing was written
	video, err := parley.NewLocalVideoTrack(src, nil)
	require.NoError(t, err)
	data, err = parley.NewLocalDataTrack(nil)
	require.NoError(t, err)
	return video, data
}

// TestMediaByTCP has all media of two participants go over the port of
// signaling, or over one of its own, and goes on after TCP was cut.
func TestMediaByTCP(t *testing.T) {
	for _, at := range []string{"", "127.0.0.1:0"} {
		srv, key := start(t, front.Config{ICETCP: at})
		require.Equal(t, at == "", srv.ICETCP().String() == srv.Addr())
		video, data := published(t)
		alice := visit(t, srv, key, "alice", video, data)
		bob := visit(t, srv, key, "bob")
		view := bob.see()
		view.flows(20)
		require.NoError(t, data.Send(t.Context(), []byte("hello")))
		require.Equal(t, "hello", <-view.messages)
		_, port, err := net.SplitHostPort(srv.ICETCP().String())
		require.NoError(t, err)
		for _, g := range []*guest{alice, bob} {
			require.Contains(t, g.pair(), "tcp")
			require.Contains(t, g.pair(), ":"+port)
		}

		view.calm()
		lines := bob.lines()
		for _, l := range lines {
			require.NoError(t, l.Conn.Close())
		}
		await[parley.Reconnecting](t, bob.events)
		require.NoError(t, data.Send(t.Context(), []byte("still there")))
		await[parley.Reconnected](t, bob.events)
		require.Equal(t, "still there", <-view.messages)
		view.flows(20)
		require.Contains(t, bob.pair(), "tcp")
		require.Greater(t, len(bob.lines()), len(lines))
	}
}

// frame puts the length before a packet.
func frame(packet []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
}

// TestHostilityOnThePort does the worst to the port that HTTP and media share.
// Who is there sees nothing of it.
func TestHostilityOnThePort(t *testing.T) {
	srv, key := start(t, front.Config{})
	video, data := published(t)
	alice := visit(t, srv, key, "alice", video, data)
	view := visit(t, srv, key, "bob").see()
	view.flows(10)

	// The name of a connection that is in use, as somebody on the way can read it.
	line := alice.lines()[0]
	line.mu.Lock()
	m := &stun.Message{Raw: bytes.Clone(line.first[2:])}
	line.mu.Unlock()
	require.NoError(t, m.Decode())
	username, err := m.Get(stun.AttrUsername)
	require.NoError(t, err)
	guess, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(string(username)),
		stun.NewShortTermIntegrity("a guess"), stun.Fingerprint)
	require.NoError(t, err)

	attack := func(count int, send []byte) {
		for range count {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", srv.Addr())
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() }) // it may be closed
			_, _ = conn.Write(send)                // likewise
		}
	}
	for name, send := range map[string][]byte{
		"zeros": make([]byte, 4096), "an endless frame": {1, 0xff, 7}, "a stranger's frame": frame(make([]byte, 100)),
		"a wrong password": frame(guess.Raw), "twice": append(frame(guess.Raw), frame(guess.Raw)...),
		"a wrong password, then an endless frame": append(frame(guess.Raw), 0xff, 0xff), "half a frame": {0}, "nothing": nil,
		"HTTP that is none": []byte("\x16\x03\x01 GET"), "letters": []byte("GARBAGE\r\n\r\n"),
	} {
		attack(30, send)
		view.flows(5)
		view.calm()
		require.NotEmpty(t, name)
	}
	attack(1000, []byte{0, 200})
	view.flows(25)
	view.calm()
	resp, err := http.Get(srv.URL("/healthz"))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

// TestStalledReaderByTCP has one subscriber read nothing any more.
func TestStalledReaderByTCP(t *testing.T) {
	srv, key := start(t, front.Config{})
	video, data := published(t)
	visit(t, srv, key, "alice", video, data)
	bob := visit(t, srv, key, "bob")
	bob.see().flows(5)
	view := visit(t, srv, key, "carol").see()
	view.flows(5)
	for _, l := range bob.lines() {
		close(l.stalled)
	}
	await[parley.Reconnecting](t, bob.events)
	view.flows(25)
	view.calm()
}

// TestNoMediaByTCP is for those who want none.
func TestNoMediaByTCP(t *testing.T) {
	srv, key := start(t, front.Config{ICETCP: front.NoICETCP})
	require.Nil(t, srv.ICETCP())
	video, data := published(t)
	alice := visit(t, srv, key, "alice", video, data)
	require.Empty(t, alice.lines())
	conn, err := net.Dial("tcp", srv.Addr())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write(frame(make([]byte, 100)))
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Contains(t, string(answer), "400", "it is HTTP's")
}

// TestICETCPCannotStart leaves nothing open.
func TestICETCPCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, err = front.Start(front.Config{Listen: "127.0.0.1:0", ICETCP: taken.Addr().String()})
	require.ErrorContains(t, err, "ICE over TCP")
	free := strings.Replace(taken.Addr().String(), "127.0.0.1", "127.0.0.2", 1)
	_, err = front.Start(front.Config{Listen: free, ICETCP: ""}) // without keys
	require.Error(t, err)
	again, err := net.Listen("tcp", free)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}
