package sfu

import (
	"unicode/utf8"

	"github.com/parley-rtc/parley/signaling"
)

// What a signal may be.
const (
	signalType = 128 // bytes
	signalData = 8 << 10
)

// signalMessage is a signal on the wire.
type signalMessage struct {
	Type string `json:"type"`
	Data string `json:"data"`
	To   string `json:"to,omitempty"`
}

// signalSender is who sent a signal; nil where the application did.
type signalSender struct {
	SID      string `json:"sid"`
	Identity string `json:"identity"`
}

// checkSignal says what is wrong with a signal.
func checkSignal(s *signalMessage) *signaling.Error {
	if s == nil {
		return signaling.Errorf(signaling.CodeSignalingOutgoingInvalid, "there is no signal in the request")
	}
	if len(s.Data) > signalData || len(s.Type) > signalType {
		return signaling.NewError(signaling.CodeSignalTooLong)
	}
	if !utf8.ValidString(s.Data) {
		return signaling.Errorf(signaling.CodeSignalTypeInvalid, "the data of a signal is not text")
	}
	for _, c := range []byte(s.Type) {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '~':
		default:
			return signaling.NewError(signaling.CodeSignalTypeInvalid)
		}
	}
	return nil
}

// signal sends a participant's signal.
func (r *room) signal(from *member, s *signalMessage) *signaling.Error {
	if !from.peer.role.CanSendData() {
		return signaling.Errorf(signaling.CodeTokenGrantsInvalid, "the role %q may not send signals", from.peer.role)
	}
	if err := checkSignal(s); err != nil {
		return err
	}
	return r.passSignal(&signalSender{from.sid, from.identity}, s)
}

// passSignal hands a signal to whom it is for: everybody, the sender too, or
// one.
func (r *room) passSignal(from *signalSender, s *signalMessage) *signaling.Error {
	passed := signalMessage{Type: s.Type, Data: s.Data}
	body := func(number int) any {
		return struct {
			Type   string        `json:"type"`
			Number int           `json:"number"`
			From   *signalSender `json:"from,omitempty"`
			Signal signalMessage `json:"signal"`
		}{"signal", number, from, passed}
	}
	found := s.To == ""
	for _, m := range r.members {
		if s.To != "" && m.sid != s.To && m.identity != s.To {
			continue
		}
		if p := m.peer; p.extended && p.role.CanSubscribe() {
			found = true
			p.deliver(len(s.Type)+len(s.Data), body)
		}
	}
	if !found {
		return signaling.Errorf(signaling.CodeParticipantNotFound, "there is no participant %.128q, or it takes no signals", s.To)
	}
	return nil
}

// Signal sends a signal to everybody in a room in progress, or to the one whose
// SID or identity is to. It comes from the application: without a sender. The
// error has the code [signaling.CodeRoomNotFound], [signaling.CodeSignalTooLong],
// [signaling.CodeSignalTypeInvalid] or [signaling.CodeParticipantNotFound].
func (s *Server) Signal(nameOrSID, kind, data, to string) error {
	m := &signalMessage{Type: kind, Data: data, To: to}
	if err := checkSignal(m); err != nil {
		return err
	}
	return s.inRoom(nameOrSID, func(r *room) *signaling.Error { return r.passSignal(nil, m) })
}
