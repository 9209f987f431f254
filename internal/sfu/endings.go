package sfu

import (
	"time"

	"github.com/parley-rtc/parley/signaling"
)

const (
	endingsKept = 4096
	endingsTime = 10 * time.Minute
)

// endings remembers why sessions ended that the server ended for good: a client
// that was away meanwhile and comes back for its session is told, where it would
// take the session for lost, and join anew. It is guarded by the server's mu.
type endings struct {
	known map[string]ending // by session; at most endingsKept, for endingsTime
	order []string          // the oldest first
}

type ending struct {
	identity, account string
	err               *signaling.Error
	at                time.Time
}

// add remembers the end of a stay, if it was for good.
func (e *endings) add(p *peer, err *signaling.Error, reason signaling.DisconnectReason) {
	switch reason {
	case signaling.DisconnectRemoved, signaling.DisconnectDuration:
		err = signaling.Errorf(signaling.CodeParticipantNotFound, "the stay was ended")
	case signaling.DisconnectDuplicate, signaling.DisconnectCompleted:
		told := *err
		err = &told
	default:
		return
	}
	err.Reason = reason
	now := time.Now()
	for len(e.order) > 0 && (len(e.order) >= endingsKept || now.Sub(e.known[e.order[0]].at) > endingsTime) {
		delete(e.known, e.order[0])
		e.order = e.order[1:]
	}
	if e.known == nil {
		e.known = map[string]ending{}
	}
	e.known[p.session] = ending{p.identity, p.account, err, now}
	e.order = append(e.order, p.session)
}

// of returns what whoever comes back for a session is to be told; nil: nothing
// that is known. A client without our extensions is told of codes that it knows.
func (e *endings) of(session, identity, account string, extended bool) *signaling.Error {
	end, ok := e.known[session]
	if !ok || end.identity != identity || end.account != account || time.Since(end.at) > endingsTime {
		return nil
	}
	if !extended && end.err.Code == signaling.CodeParticipantNotFound {
		return nil
	}
	return end.err
}
