package roomtest

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/parley-rtc/parley/signaling/rsp"
	"github.com/pion/webrtc/v4"
)

// leaveTime is how long Close waits for those who are leaving.
const leaveTime = 3 * time.Second

// Server is a room server for one test. Its methods may be called from any
// goroutine while the test runs, but only the test's own may call those that
// can fail the test at once: Token and CreateRoom.
//
// It owns a goroutine that accepts connections, those of the server behind it,
// and those of the networks of its participants. Close waits for all of them.
type Server struct {
	tb      testing.TB
	opts    Options
	key     accesstoken.Key
	network network
	wire    *wiretap
	ln      *listener
	web     *http.Server
	wg      sync.WaitGroup
	once    sync.Once

	life sync.Mutex // held while the server behind starts or ends

	mu       sync.Mutex
	sfu      *sfu.Server // nil: killed
	refuse   func(identity, trackName string) error
	stations map[string]station
	visitors int           // requests, each as long as its signaling connection
	left     chan struct{} // a visitor left
}

// network is where a server and its participants live.
type network interface {
	listen() (net.Listener, error)
	// media opens what a server needs for media.
	media() (sfu.Media, error)
	// mute takes the server off the network of media, or back onto it.
	mute(on bool)
	// station makes the network of a participant.
	station(name string) (station, error)
	// close ends the network and fails the test where participants still use
	// it.
	close()
}

// station is the network of one participant.
type station interface {
	dial(ctx context.Context, network, address string) (net.Conn, error)
	configure(*webrtc.SettingEngine)
	cut(on bool)
	loss(permille int)
	// reset breaks the signaling connections and says how many there were.
	reset() int
	// move changes the addresses; false means that it cannot.
	move() bool
}

// NewServer starts a server on the loopback interface, on ports that the
// system chooses. It is closed at the end of the test.
func NewServer(tb testing.TB, change ...func(*Options)) *Server {
	tb.Helper()
	if inBubble() {
		tb.Fatal("roomtest: NewServer uses real sockets, which stop the time of a synctest bubble; use NewVirtual")
	}
	opts := options(change)
	wire := newWiretap(tb, opts)
	return start(tb, opts, wire, newLoopback(tb, opts.Seed, wire))
}

// NewVirtual starts a server on a network in memory. It must be called in the
// bubble of synctest.Test, with the bubble's test, which closes it at its end.
// Nothing outside the bubble reaches it.
//
// Participants need Transport and WebRTC of the server:
//
//	parley.ConnectOptions{Transport: srv.Transport("alice"), ConfigureWebRTC: srv.WebRTC("alice")}
func NewVirtual(tb testing.TB, change ...func(*Options)) *Server {
	tb.Helper()
	if !inBubble() {
		tb.Fatal("roomtest: NewVirtual needs the virtual time of synctest.Test; call it in there, with the t that it gives")
	}
	opts := options(change)
	wire := newWiretap(tb, opts)
	return start(tb, opts, wire, newVirtual(tb, opts, wire))
}

func options(change []func(*Options)) Options {
	var o Options
	for _, f := range change {
		f(&o)
	}
	return o
}

// inBubble reports whether time is that of a synctest bubble, which begins with
// the year 2000.
func inBubble() bool { return time.Now().UTC().Year() == 2000 }

func start(tb testing.TB, opts Options, wire *wiretap, n network) *Server {
	tb.Helper()
	s := &Server{
		tb: tb, opts: opts, key: accesstoken.NewKey(), network: n, wire: wire,
		stations: map[string]station{}, left: make(chan struct{}, 1),
	}
	ln, err := n.listen()
	if err != nil {
		tb.Fatalf("roomtest: listen: %v", err)
	}
	s.ln = &listener{Listener: ln, wire: wire}
	s.web = &http.Server{Handler: http.HandlerFunc(s.serve), ErrorLog: log.New(io.Discard, "", 0)}
	if err := s.startSFU(); err != nil {
		_ = ln.Close() // the other failure is told
		tb.Fatalf("roomtest: start: %v", err)
	}
	s.wg.Go(func() { _ = s.web.Serve(s.ln) }) // it ends with an error, by Close
	tb.Cleanup(s.Close)
	return s
}

// startSFU puts a new server behind the address.
func (s *Server) startSFU() error {
	media, err := s.network.media()
	if err != nil {
		return err
	}
	media.KeyLog = s.wire.keyLog()
	o := &s.opts
	srv, err := sfu.New(sfu.Config{
		AccountSID: s.key.AccountSID, Keys: map[string]accesstoken.Secret{s.key.SID: s.key.Secret},
		Logger: o.Logger, DisableAdHocRooms: o.DisableAdHocRooms,
		MaxParticipants: o.MaxParticipants, MaxTracks: o.MaxTracks,
		SessionTimeout: o.SessionTimeout, EmptyRoomTimeout: o.EmptyRoomTimeout,
		ServerOffers: o.ServerOffers, Media: media,
		// All participants come from one address, and tests are in a hurry.
		Limits: sfu.Limits{JoinRate: -1, Sockets: -1},
	})
	if err != nil {
		return err
	}
	srv.RefusePublish(s.refusePublish)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sfu = srv
	return nil
}

// serve hands a request to the server of the moment.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	srv := s.sfu
	if srv != nil {
		s.visitors++
	}
	s.mu.Unlock()
	if srv == nil {
		panic(http.ErrAbortHandler) // as if nobody listened
	}
	defer func() {
		s.mu.Lock()
		s.visitors--
		s.mu.Unlock()
		select {
		case s.left <- struct{}{}:
		default:
		}
	}()
	srv.ServeHTTP(w, r)
}

// URL returns the signaling endpoint. That of a virtual network is of use only
// together with Transport.
func (s *Server) URL() string { return "ws://" + s.ln.Addr().String() + "/signaling" }

// Key returns the API key whose tokens the server takes, for tests of programs
// that mint tokens themselves.
func (s *Server) Key() accesstoken.Key { return s.key }

// Token returns an access token for an identity and a room; with room "" it is
// good for any. Changes are made to it before it is signed:
//
//	srv.Token("alice", "lab", func(t *accesstoken.Token) { t.TTL = time.Minute })
func (s *Server) Token(identity, room string, change ...func(*accesstoken.Token)) string {
	s.tb.Helper()
	token := accesstoken.Token{Identity: identity, Room: room}
	for _, f := range change {
		f(&token)
	}
	signed, err := token.Sign(s.key)
	if err != nil {
		s.tb.Fatalf("roomtest: token for %q: %v", identity, err)
	}
	return signed
}

// Transport returns the signaling transport of the participant with the name,
// over a network of its own that faults can break.
func (s *Server) Transport(name string) signaling.Transport {
	s.tb.Helper()
	st := s.stationOf(name)
	return rsp.NewTransport(rsp.Options{URL: s.URL(), Logger: s.opts.Logger, NetDialContext: st.dial})
}

// WebRTC returns the ConfigureWebRTC option of the participant with the name.
// Its media takes a network of its own that faults can break.
func (s *Server) WebRTC(name string) func(*webrtc.SettingEngine) {
	s.tb.Helper()
	return s.stationOf(name).configure
}

func (s *Server) stationOf(name string) station {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.stations[name]; st != nil {
		return st
	}
	st, err := s.network.station(name)
	if err != nil {
		s.tb.Fatalf("roomtest: a network for %q: %v", name, err)
	}
	s.stations[name] = st
	return st
}

// CreateRoom makes a room that stays until it is completed, or unused for the
// EmptyRoomTimeout, and returns its SID. A capacity of 0 is MaxParticipants.
func (s *Server) CreateRoom(name string, capacity int) string {
	s.tb.Helper()
	srv := s.running()
	if srv == nil {
		s.tb.Fatalf("roomtest: CreateRoom(%q): the server is down", name)
	}
	roomSID, err := srv.CreateRoom(name, capacity)
	if err != nil {
		s.tb.Fatalf("roomtest: CreateRoom(%q): %v", name, err)
	}
	return roomSID
}

// Identities returns who is in a room as the server sees it, in the order of
// joining; also those whom it waits for to come back.
func (s *Server) Identities(room string) []string {
	var list []string
	if srv := s.running(); srv != nil {
		for _, p := range srv.Participants(room) {
			list = append(list, p.Identity)
		}
	}
	return list
}

func (s *Server) running() *sfu.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sfu
}

func (s *Server) refusePublish(identity string, t signaling.LocalTrack) *signaling.Error {
	s.mu.Lock()
	refuse := s.refuse
	s.mu.Unlock()
	if refuse == nil {
		return nil
	}
	err := refuse(identity, t.Name)
	if err == nil {
		return nil
	}
	var coded *signaling.Error
	if errors.As(err, &coded) {
		return coded
	}
	return signaling.Errorf(signaling.CodeTrackInvalid, "%v", err)
}
