package parley

import (
	"context"
	"unicode/utf8"

	"github.com/parley-rtc/parley/signaling"
)

// Signal is a small message to the others in a room. It needs no media and no
// track: it goes with the signaling, through the server.
type Signal struct {
	// Type tells receivers what it is about: at most 128 of the characters
	// A-Z, a-z, 0-9, "-", "_" and "~", or nothing.
	Type string
	// Data is UTF-8 text of at most 8 KiB.
	Data string
	// To is the identity or SID of the only participant that gets it. Empty:
	// everybody does, the program itself included.
	To string
	// NoRetry has Room.Signal fail with ErrSignalingDisconnected when the
	// connection is lost, in place of waiting until it is back.
	NoRetry bool
}

const (
	maxSignalType = 128
	maxSignalData = 8 << 10
)

type wireSignal struct {
	Type string `json:"type"`
	Data string `json:"data"`
	To   string `json:"to,omitempty"`
}

// SignalReceived: somebody in the room, or the server's application, sent a
// signal.
type SignalReceived struct {
	Type, Data string
	// Participant is the sender: a *RemoteParticipant, or the program's own
	// *LocalParticipant. It is nil when the application sent it through the
	// server's HTTP API, and when we do not know the sender: it has left, or it
	// is not shown, as those who publish nothing in a large room.
	Participant Participant
	Identity    string // the sender's; empty: the application
}

// SignalsMissed: while the connection was lost more was sent to us than the
// server keeps, 256 signals or 512 KiB, and so many are gone. News of a mute
// count as signals.
type SignalsMissed struct{ Count int }

func (SignalReceived) event() {}
func (SignalsMissed) event()  {}

// SignalReceived gives the signals to everybody and to us, our own too, in the
// order in which the room got them.
func (r *Room) SignalReceived() <-chan SignalReceived { return view[SignalReceived](r) }

// SignalsMissed tells how many signals were lost with the connection.
func (r *Room) SignalsMissed() <-chan SignalsMissed { return view[SignalsMissed](r) }

// Signal sends a signal and waits until the server has passed it on. Signals
// reach each participant that stays in the room once and in order, also through
// lost connections; browsers do not get them. While the connection is lost Signal
// waits; ctx bounds it, and when it ends the signal may have been sent or not.
//
// The error is [ErrTokenGrants] where the role in the token may not send signals,
// [ErrSignalTooLong] or [ErrSignalType] for what is no signal,
// [ErrParticipantNotFound] when To is not there or takes no signals,
// [ErrServerBusy] with its RetryAfter beyond 10 requests a second,
// [ErrUnconfirmed] when the room had to be joined anew meanwhile, and
// [ErrNotSupported] with servers that know no signals.
func (r *Room) Signal(ctx context.Context, s Signal) error {
	if err := s.check(); err != nil {
		return wrap("%w", err)
	}
	err := r.ask(ctx, &wireRequest{Action: "signal", Signal: &wireSignal{s.Type, s.Data, s.To}}, s.NoRetry)
	return inContext(err, "sending a signal")
}

func (s *Signal) check() error {
	if len(s.Type) > maxSignalType || len(s.Data) > maxSignalData {
		return ErrSignalTooLong
	}
	for _, c := range []byte(s.Type) {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '~':
		default:
			return ErrSignalType
		}
	}
	if !utf8.ValidString(s.Data) || len(s.To) > 256 {
		return signaling.Errorf(signaling.CodeSignalTypeInvalid, "%w: the data of a signal is text, and To an identity", ErrOption)
	}
	return nil
}

// applySignal tells of a signal. mu is held.
func (r *Room) applySignal(s *wireSignal, sid, identity string) {
	if len(s.Type) > maxSignalType || len(s.Data) > maxSignalData {
		return // no signal of this protocol
	}
	e := SignalReceived{Type: s.Type, Data: s.Data, Identity: identity}
	switch p := r.bySID(sid); {
	case p != nil:
		e.Participant = p
	case sid != "" && sid == r.local.sid:
		e.Participant = r.local
	}
	r.timeline.Append(e)
}
