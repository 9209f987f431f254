// Package icetcp carries ICE over TCP (RFC 6544), for networks that let no UDP
// through: a [Mux] has one listener serve any number of connections, a [Dialer]
// calls such a listener. Both are what package ice of pion calls a TCPMux.
//
// Pion has both as well, but not as media and strangers need them. Its packets
// wait for a slow reader up to a number of bytes, however long that takes, and
// its own calls have no useful bound at all; one allocation is made for each;
// when TCP breaks, its error is the one that ends DTLS and SCTP too, so that no
// ICE restart can mend it; and a stranger holds memory by naming a connection
// that does not exist. Here what is sent never waits, what is late is lost, a
// connection that breaks is a network that is down, and who comes has to name
// a connection that somebody was just told of, and then to know its password.
package icetcp

import "time"

const (
	// HelloTime is how long a client has for its first frame.
	HelloTime = 3 * time.Second
	// AnswerTime is how long it may go on without getting an answer, which is
	// what ICE gives to those who know the password.
	AnswerTime = 10 * time.Second
	// SilentTime is how long it may say nothing after that, or take for a frame.
	SilentTime = 30 * time.Second
	// WriteTime is how long the other side may take nothing of what it is sent.
	WriteTime = 10 * time.Second
	// CallTime is how long the other side may take to accept a call.
	CallTime = 3 * time.Second

	// FrameBytes is the longest frame that is taken.
	FrameBytes = 2048
	// QueueBytes and QueueTime bound what waits for a slow reader. Media beyond
	// is lost, as in the queue of a router; the rest may fill ReserveBytes more.
	QueueBytes   = 512 << 10
	ReserveBytes = 64 << 10
	QueueTime    = 400 * time.Millisecond

	// PerConnection is how many TCP connections one ICE connection may have: one
	// for each pair of a network interface of the client and an address of ours.
	PerConnection = 16
	// Strangers is how many may be open that were given no answer yet. Beyond it
	// the oldest has to go.
	Strangers = 256
)
