package parley_test

import (
	"context"
	"sync"

	"github.com/parley-rtc/parley/signaling"
)

// spy is a transport that notes what passes through it, on its way in or out.
type spy struct {
	signaling.Transport

	mu      sync.Mutex
	tokens  []string
	states  []signaling.State
	sent    []signaling.Description
	came    []signaling.Description
	ice     []signaling.Candidate // that a client sent apart from descriptions
	updates int                   // that a client sent
}

func (s *spy) Dial(ctx context.Context, join signaling.Join) (signaling.Session, error) {
	s.mu.Lock()
	s.tokens = append(s.tokens, join.Token)
	s.mu.Unlock()
	s.note(&s.sent, join.PeerConnections)
	under, err := s.Transport.Dial(ctx, join)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.states = append(s.states, under.Initial())
	s.mu.Unlock()
	s.note(&s.came, under.Initial().Update.PeerConnections)
	return &spied{under, s}, nil
}

func (s *spy) note(list *[]signaling.Description, pcs []signaling.PeerConnection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pc := range pcs {
		if pc.Description != nil {
			*list = append(*list, *pc.Description)
		}
	}
}

// descriptions returns the session descriptions so far, both ways.
func (s *spy) descriptions() (sent, came []signaling.Description) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]signaling.Description(nil), s.sent...), append([]signaling.Description(nil), s.came...)
}

type spied struct {
	signaling.Session
	spy *spy
}

func (s *spied) Send(u signaling.Update) error {
	s.spy.note(&s.spy.sent, u.PeerConnections)
	s.spy.mu.Lock()
	for _, pc := range u.PeerConnections {
		if pc.ICE != nil {
			s.spy.ice = append(s.spy.ice, pc.ICE.Candidates...)
		}
	}
	s.spy.updates++
	s.spy.mu.Unlock()
	return s.Session.Send(u)
}

func (s *spied) Receive(ctx context.Context) (signaling.Update, error) {
	u, err := s.Session.Receive(ctx)
	s.spy.note(&s.spy.came, u.PeerConnections)
	return u, err
}
