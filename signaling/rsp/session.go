package rsp

import (
	"context"
	"fmt"

	"github.com/parley-rtc/parley/signaling"
)

// session is an accepted link.
type session struct {
	l       *link
	id      string
	initial signaling.State
}

var _ signaling.Session = (*session)(nil)

func newSession(l *link, join signaling.Join, m *serverMessage) *session {
	s := &session{l: l, initial: m.state()}
	if s.initial.Session == "" && join.Resume != "" {
		// A resumed session need not be named again.
		s.initial.Session = join.Resume
		s.initial.Capabilities.Resume = true
	}
	s.id = s.initial.Session
	l.out.begin(s.id, m.Parley != nil, s.initial.Capabilities, join.Participant)
	l.log.Debug("signaling session begins", "type", m.Type, "room", m.SID)
	return s
}

func (s *session) Initial() signaling.State { return s.initial }

// Send merges the update into the one that waits to be sent. Sections that the
// server does not understand are left out: Subscribe unless it announced that
// capability, channel messages unless it speaks the extensions.
func (s *session) Send(update signaling.Update) error {
	if err := s.l.cause(); err != nil {
		return err
	}
	if !validPayloads(update.Channels) {
		return signaling.Errorf(signaling.CodeSignalingOutgoingInvalid, "rsp: channel payload is not JSON")
	}
	if !s.l.out.merge(update) {
		err := signaling.Errorf(signaling.CodeSignalingDisconnected, "rsp: too many channel messages wait to be sent")
		s.l.fail(err)
		return err
	}
	return nil
}

func (s *session) Receive(ctx context.Context) (signaling.Update, error) {
	if err := ctx.Err(); err != nil {
		return signaling.Update{}, fmt.Errorf("rsp: receive: %w", err)
	}
	for {
		select {
		case <-s.l.leaving:
			return signaling.Update{}, s.l.cause()
		default:
		}
		select {
		case in, ok := <-s.l.in:
			if !ok {
				return signaling.Update{}, s.l.cause()
			}
			if in.msg == nil {
				continue
			}
			switch in.msg.Type {
			case typeUpdate, typeWarning:
				return in.msg.serverUpdate(), nil
			}
		case <-s.l.leaving:
			return signaling.Update{}, s.l.cause()
		case <-ctx.Done():
			return signaling.Update{}, fmt.Errorf("rsp: receive: %w", ctx.Err())
		}
	}
}

// Close takes at most a second, less if the context ends sooner.
func (s *session) Close(ctx context.Context, reason signaling.Reason) error {
	if reason == signaling.ReasonReplaced {
		s.l.leave()
		s.l.close()
		return nil
	}
	s.l.hangUp(ctx, &disconnectMessage{Type: typeDisconnect, Version: rspVersion, Session: &s.id})
	return nil
}
