package parley_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/parley-rtc/parley/signaling/rsp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// lab is a server on a network in memory, in virtual time, with everybody who
// joins it. All events of everybody go through the order checker (R33), and
// leaving the lab proves that no goroutine stays (R17).
type lab struct {
	t      *testing.T
	world  *faultnet.World
	host   *faultnet.Host // the server's
	config sfu.Config
	key    accesstoken.Key
	mint   func(identity string) string // the token with which members join

	mu      sync.Mutex
	members []*member

	srv *sfu.Server // nil: down
	web *http.Server
}

// oneWay is how long packets take in a lab.
const oneWay = 25 * time.Millisecond

func inLab(t *testing.T, seed uint64, f func(l *lab), change ...func(*sfu.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Logf("seed %d", seed)
		l := &lab{t: t, key: accesstoken.NewKey()}
		l.mint = func(identity string) string { return l.token(identity) }
		// Last of all, what nobody has read of a room's last events is
		// given up a second after its end.
		t.Cleanup(func() { time.Sleep(2 * time.Second) })
		l.world = faultnet.NewWorld(t, faultnet.WorldConfig{OneWay: oneWay, Seed: seed})
		l.host = l.world.Host("server")
		l.config = sfu.Config{
			AccountSID: l.key.AccountSID, Keys: map[string]accesstoken.Secret{l.key.SID: l.key.Secret},
			Media:  sfu.Media{Net: l.host, IPs: []string{l.host.Addresses()[0].String()}},
			Limits: sfu.Limits{JoinRate: -1, Sockets: -1, DataBytes: -1, DataMessages: -1},
		}
		for _, c := range change {
			c(&l.config)
		}
		l.start()
		t.Cleanup(l.kill)
		f(l)
	})
}

// start starts the server, which knows nothing of an earlier one.
func (l *lab) start() {
	l.t.Helper()
	srv, err := sfu.New(l.config)
	require.NoError(l.t, err)
	ln, err := l.host.Listen("tcp", ":80")
	require.NoError(l.t, err)
	l.srv, l.web = srv, &http.Server{Handler: srv, ErrorLog: log.New(io.Discard, "", 0)}
	go l.web.Serve(ln)
}

// kill ends the server without a word, as a crash does. It may be called twice.
func (l *lab) kill() {
	if l.srv == nil {
		return
	}
	l.host.BlockUDP(true)
	_ = l.web.Close() // a listener that is closed, in any case
	for _, m := range l.members {
		m.lines.reset()
	}
	_ = l.srv.Close() // never fails
	l.host.BlockUDP(false)
	l.srv = nil
}

func (l *lab) token(identity string, change ...func(*accesstoken.Token)) string {
	l.t.Helper()
	token := accesstoken.Token{Identity: identity, Room: "lab"}
	for _, c := range change {
		c(&token)
	}
	signed, err := token.Sign(l.key)
	require.NoError(l.t, err)
	return signed
}

// member is one participant of a lab and what it went through.
type member struct {
	t     *testing.T
	name  string
	host  *faultnet.Host
	room  *parley.Room
	lines *lines
	log   *eventLog
}

// hosts is held while one is made: vnet counts them all, in all worlds.
var hosts sync.Mutex

// dial connects a participant, and does nothing more. A member without a room
// was not let in.
func (l *lab) dial(ctx context.Context, name string, change ...func(*parley.ConnectOptions)) (*member, error) {
	l.t.Helper()
	hosts.Lock()
	host := l.world.Host(name)
	hosts.Unlock()
	return l.dialFrom(ctx, host, name, change...)
}

func (l *lab) dialFrom(ctx context.Context, host *faultnet.Host, name string, change ...func(*parley.ConnectOptions)) (*member, error) {
	l.t.Helper()
	m := &member{t: l.t, name: name, host: host, lines: &lines{host: host}}
	l.mu.Lock()
	l.members = append(l.members, m)
	l.mu.Unlock()
	opts := &parley.ConnectOptions{
		Transport: rsp.NewTransport(rsp.Options{
			URL: "ws://" + l.host.Addresses()[0].String() + ":80/signaling", NetDialContext: m.lines.dial,
		}),
		ConfigureWebRTC: func(e *webrtc.SettingEngine) { e.SetNet(rtc.Repeating(host)) },
	}
	for _, c := range change {
		c(opts)
	}
	var err error
	m.room, err = parley.ConnectContext(ctx, l.mint(name), opts)
	if err != nil {
		return m, err
	}
	m.log = follow(m.room)
	l.t.Cleanup(m.leave)
	return m, nil
}

func (l *lab) join(name string, tracks ...parley.LocalTrack) *member {
	l.t.Helper()
	m, err := l.dial(l.t.Context(), name, publishing(tracks...))
	require.NoError(l.t, err)
	return m
}

func publishing(tracks ...parley.LocalTrack) func(*parley.ConnectOptions) {
	return func(o *parley.ConnectOptions) { o.Tracks = tracks }
}

// leave disconnects and judges all events. It may be called twice.
func (m *member) leave() {
	m.t.Helper()
	require.NoError(m.t, m.room.Disconnect())
	<-m.log.closed
	require.NoError(m.t, m.log.order.Err(), "events of %s: %s", m.name, m.log)
	require.True(m.t, m.log.order.Ended(), "%s has no last event", m.name)
}

// eventLog reads all events of a room and notes when they came.
type eventLog struct {
	closed chan struct{}
	order  faultnet.OrderChecker // to be looked at when closed

	mu      sync.Mutex
	entries []entry
	tracks  []func(parley.TrackSubscribed) // told of later ones
	changed chan struct{}
}

type entry struct {
	at    time.Time
	event parley.Event
}

func follow(room *parley.Room) *eventLog {
	l := &eventLog{closed: make(chan struct{}), changed: make(chan struct{})}
	events := room.Events()
	go func() {
		defer close(l.closed)
		for e := range events {
			l.mu.Lock()
			l.order.Observe(fact(e))
			l.entries = append(l.entries, entry{time.Now(), e})
			if sub, ok := e.(parley.TrackSubscribed); ok {
				for _, told := range l.tracks {
					told(sub)
				}
			}
			close(l.changed)
			l.changed = make(chan struct{})
			l.mu.Unlock()
		}
	}()
	return l
}

func (l *eventLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := ""
	for _, e := range l.entries {
		text += fmt.Sprintf("\n%10.3f %s", e.at.Sub(l.entries[0].at).Seconds(), name(e.event))
	}
	return text
}

// since returns the names of the events from a mark on, without those of the
// kinds that are left out.
func (l *eventLog) since(mark int, without ...string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := []string{}
	for _, e := range l.entries[mark:] {
		if n := name(e.event); !slices.Contains(without, n) {
			list = append(list, n)
		}
	}
	return list
}

func (l *eventLog) mark() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

// await returns the first event of type T from the mark on that meets all
// conditions, and when it came.
func await[T parley.Event](m *member, mark int, conditions ...func(T) bool) (T, time.Time) {
	m.t.Helper()
	limit := time.NewTimer(2 * time.Minute)
	defer limit.Stop()
	for {
		m.log.mu.Lock()
		for _, e := range m.log.entries[mark:] {
			found, ok := e.event.(T)
			for _, c := range conditions {
				ok = ok && c(found)
			}
			if ok {
				m.log.mu.Unlock()
				return found, e.at
			}
		}
		changed := m.log.changed
		m.log.mu.Unlock()
		select {
		case <-changed:
		case <-m.log.closed:
			var none T
			require.FailNow(m.t, "the events ended", "%s: no %T: %s", m.name, none, m.log)
		case <-limit.C:
			var none T
			require.FailNow(m.t, "no such event", "%s: no %T: %s", m.name, none, m.log)
		}
	}
}

// watch attaches a viewer to somebody's video track, also to one that takes its
// place when the publisher has joined anew.
func (m *member) watch(whose, track string) *viewer {
	m.t.Helper()
	v := &viewer{}
	fits := func(e parley.TrackSubscribed) bool {
		return e.Participant.Identity() == whose && e.Track.Name() == track
	}
	sub, _ := await(m, 0, fits)
	m.log.mu.Lock()
	defer m.log.mu.Unlock()
	require.NoError(m.t, sub.Track.(*parley.RemoteVideoTrack).Attach(v))
	m.log.tracks = append(m.log.tracks, func(e parley.TrackSubscribed) {
		if fits(e) {
			_ = e.Track.(*parley.RemoteVideoTrack).Attach(v) // it is a new track
		}
	})
	return v
}

// viewer notes when which frame arrived.
type viewer struct {
	mu     sync.Mutex
	frames []frame
	lost   int
	bell   chan struct{} // closed by the next frame, if somebody waits
}

type frame struct {
	at   time.Time
	time time.Duration // on the track's clock
}

func (v *viewer) WriteSample(s media.Sample) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.frames = append(v.frames, frame{time.Now(), s.Timestamp})
	v.lost += s.Lost
	if v.bell != nil {
		close(v.bell)
		v.bell = nil
	}
	return nil
}

// after waits for the first frame after the time, and returns when it came.
func (v *viewer) after(t *testing.T, since time.Time) time.Time {
	t.Helper()
	limit := time.NewTimer(2 * time.Minute)
	defer limit.Stop()
	for {
		v.mu.Lock()
		if n := len(v.frames); n > 0 && v.frames[n-1].at.After(since) {
			i := slices.IndexFunc(v.frames, func(f frame) bool { return f.at.After(since) })
			at := v.frames[i].at
			v.mu.Unlock()
			return at
		}
		if v.bell == nil {
			v.bell = make(chan struct{})
		}
		bell := v.bell
		v.mu.Unlock()
		select {
		case <-bell:
		case <-limit.C:
			require.FailNow(t, "no frame")
		}
	}
}

// gap returns the longest time without a frame, from a time on.
func (v *viewer) gap(since time.Time) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	longest, last := time.Duration(0), since
	for _, f := range v.frames {
		if f.at.After(since) {
			longest, last = max(longest, f.at.Sub(last)), f.at
		}
	}
	return max(longest, time.Since(last))
}

// missed counts the frames that did not arrive between the first and the last,
// by their timestamps, of a track with so much time from frame to frame.
func (v *viewer) missed(pace time.Duration) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	missed := 0
	for i := 1; i < len(v.frames); i++ {
		missed += int((v.frames[i].time-v.frames[i-1].time+pace/2)/pace) - 1
	}
	return missed
}

// packetsLost is what samples tell of missing packets.
func (v *viewer) packetsLost() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.lost
}

func (v *viewer) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.frames)
}

// framePace is the time from frame to frame of picture.
const framePace = 40 * time.Millisecond

// picture is a video track named "picture".
func picture(t *testing.T) *parley.LocalVideoTrack {
	t.Helper()
	track, err := parley.NewLocalVideoTrack(synth.Video(), &parley.TrackOptions{Name: "picture"})
	require.NoError(t, err)
	t.Cleanup(track.Stop)
	return track
}

func dataTrack(t *testing.T, name string) *parley.LocalDataTrack {
	t.Helper()
	track, err := parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: name})
	require.NoError(t, err)
	return track
}

// lines are the signaling connections of a member, which can break in ways in
// which only a connection can.
type lines struct {
	host *faultnet.Host

	mu   sync.Mutex
	last *line
}

func (ls *lines) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := ls.host.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.last = &line{Conn: c}
	return ls.last, nil
}

// now returns the connection that was dialed last, or nil.
func (ls *lines) now() *line {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.last
}

// reset breaks the connection that was dialed last, as a crash does.
func (ls *lines) reset() {
	if c := ls.now(); c != nil {
		c.Conn.(interface{ Reset() }).Reset()
	}
}

// line is one connection.
type line struct {
	net.Conn
	silent   atomic.Bool // half-open: nothing passes, and nobody is told
	cutWrite atomic.Bool // the next message is cut in the middle on its way out
	cutRead  atomic.Bool // the next on its way in
}

func (c *line) Write(b []byte) (int, error) {
	if c.silent.Load() {
		return len(b), nil
	}
	if c.cutWrite.Load() {
		n, _ := c.Conn.Write(b[:len(b)/2])
		_ = c.Conn.Close()
		return n, syscall.ECONNRESET
	}
	return c.Conn.Write(b)
}

func (c *line) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		switch {
		case err != nil:
			return n, err
		case c.cutRead.Load():
			_ = c.Conn.Close()
			return n / 2, nil
		case !c.silent.Load():
			return n, nil
		}
	}
}

// quantile returns the q-th part of the durations, 0 to 1.
func quantile(all []time.Duration, q float64) time.Duration {
	s := slices.Sorted(slices.Values(all))
	return s[min(int(q*float64(len(s))), len(s)-1)]
}
