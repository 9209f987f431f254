package sfu

import "time"

// Limits bound what clients can cost the server. A zero value is the default
// named behind each; a negative one lifts the bound where that is possible.
type Limits struct {
	// One signaling message, 512 KiB; messages a second and at once, 50 and
	// 200; what waits for a slow client, 256 messages and 1 MiB.
	MessageBytes  int64
	MessageRate   float64
	MessageBurst  int
	QueueMessages int
	QueueBytes    int
	// HelloTimeout bounds the time to the first frame, 2 s (5 s is wise behind
	// TLS); WriteTimeout the sending of a message, 2 s; Heartbeat is the
	// longest period agreed to, 5 s.
	HelloTimeout time.Duration
	WriteTimeout time.Duration
	Heartbeat    time.Duration

	// Per IP address: joins a second, 10, with bursts of twice that, and open
	// sockets, 100.
	JoinRate float64
	Sockets  int

	// SDPBytes and Sections bound a description, 384 KiB and 256; Candidates
	// those of one ICE generation, 50.
	SDPBytes   int
	Sections   int
	Candidates int

	// Data: one message, 16 KiB; bytes and messages a second of one publisher,
	// 1 MB and 500; open channels of one client, 64; what waits for a slow
	// subscriber of one track, 4 MiB; how long a subscriber of a reliable track
	// may take nothing of that before it is ended, 2 s.
	DataMessage  int
	DataBytes    int
	DataMessages int
	Channels     int
	DataBacklog  int
	DataPatience time.Duration

	// KeyframePause is the least time between two key frame requests to one
	// publisher, 500 ms.
	KeyframePause time.Duration
}

func fill[T comparable](v *T, def T) {
	if *v == *new(T) {
		*v = def
	}
}

func (l *Limits) setDefaults() {
	fill(&l.MessageBytes, 512<<10)
	fill(&l.MessageRate, 50)
	fill(&l.MessageBurst, 200)
	fill(&l.QueueMessages, 256)
	fill(&l.QueueBytes, 1<<20)
	fill(&l.HelloTimeout, 2*time.Second)
	fill(&l.WriteTimeout, 2*time.Second)
	fill(&l.Heartbeat, 5*time.Second)
	fill(&l.JoinRate, 10)
	fill(&l.Sockets, 100)
	fill(&l.SDPBytes, 384<<10)
	fill(&l.Sections, 256)
	fill(&l.Candidates, 50)
	fill(&l.DataMessage, 16<<10)
	fill(&l.DataBytes, 1_000_000)
	fill(&l.DataMessages, 500)
	fill(&l.Channels, 64)
	fill(&l.DataBacklog, 4<<20)
	fill(&l.DataPatience, 2*time.Second)
	fill(&l.KeyframePause, 500*time.Millisecond)
}
