package roomtest

import (
	"log/slog"
	"time"
)

// Options say how a server for tests behaves. The zero value of a field is the
// default named behind it. Change them in the call:
//
//	srv := roomtest.NewServer(t, func(o *roomtest.Options) { o.MaxParticipants = 2 })
type Options struct {
	// Logger gets what the server has to say; nil is silent.
	Logger *slog.Logger

	// DisableAdHocRooms refuses rooms that were not made with CreateRoom.
	DisableAdHocRooms bool
	MaxParticipants   int // in a room; 50
	MaxTracks         int // of a participant; 16
	// SessionTimeout is how long a vanished participant keeps its place, and
	// how long its client tries to come back; 30 s.
	SessionTimeout time.Duration
	// EmptyRoomTimeout is how long a created room may stay empty; 5 min.
	EmptyRoomTimeout time.Duration
	// ServerOffers makes the server offer media, as it does to browsers.
	ServerOffers bool

	// Latency is how long anything takes from any host of a virtual network
	// to another, Jitter what is added for media, evenly spread up to this.
	// Only NewVirtual knows them; none.
	Latency, Jitter time.Duration
	// Seed decides which media packets are lost; 0.
	Seed uint64

	// NoCapture keeps nothing of what crosses the wire, for benchmarks. By
	// default a test that fails writes it to files and says where.
	NoCapture bool
}
