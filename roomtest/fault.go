package roomtest

import (
	"context"
	"time"
)

// Cut pulls the cable of the participant with the name: signaling and media
// fall silent, and neither side is told. It needs to have been given its
// Transport and WebRTC.
func (s *Server) Cut(name string) {
	s.tb.Helper()
	if st := s.known("Cut", name); st != nil {
		st.cut(true)
	}
}

// Restore ends Cut. Signaling that was under way arrives now, media is lost.
func (s *Server) Restore(name string) {
	s.tb.Helper()
	if st := s.known("Restore", name); st != nil {
		st.cut(false)
	}
}

// Loss loses media packets of the participant with the name at random, both
// ways; 0 ends that. It needs to have been given its WebRTC.
func (s *Server) Loss(name string, permille int) {
	s.tb.Helper()
	if st := s.known("Loss", name); st != nil {
		st.loss(permille)
	}
}

// DropSignaling breaks the signaling connection of a participant, given by its
// name or else by its identity. It may come back at once; media goes on.
func (s *Server) DropSignaling(name string) {
	s.tb.Helper()
	s.mu.Lock()
	st, srv := s.stations[name], s.sfu
	s.mu.Unlock()
	if st != nil && st.reset() > 0 {
		return
	}
	if srv == nil || srv.Cut(name) == 0 {
		s.tb.Errorf("roomtest: DropSignaling(%q): nobody of that name is connected", name)
	}
}

// SwitchNetwork moves the participant with the name to another network, from
// Wi-Fi to mobile: all its addresses are replaced, and what is connected from
// the old ones falls silent. Only virtual networks can do it.
func (s *Server) SwitchNetwork(name string) {
	s.tb.Helper()
	if st := s.known("SwitchNetwork", name); st != nil && !st.move() {
		s.tb.Errorf("roomtest: SwitchNetwork(%q): there is one loopback network only; use NewVirtual", name)
	}
}

func (s *Server) known(fault, name string) station {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stations[name]
	if st == nil {
		s.tb.Errorf("roomtest: %s(%q): nobody of that name was given a Transport or WebRTC of this server", fault, name)
	}
	return st
}

// RefusePublish makes the server ask refuse about every new track, and refuse
// those for which it returns an error; nil ends that. An error of package
// signaling, or a sentinel of parley, reaches the publisher with its code; the
// code of any other is signaling.CodeTrackInvalid. It is called on goroutines
// of the server and must not wait.
func (s *Server) RefusePublish(refuse func(identity, trackName string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
}

// Remove takes a participant, given by identity or SID, out of a room, given by
// name or SID, as an administrator would.
func (s *Server) Remove(room, identity string) {
	s.tb.Helper()
	if srv := s.running(); srv == nil || !srv.Remove(room, identity) {
		s.tb.Errorf("roomtest: Remove(%q, %q): there is no such participant", room, identity)
	}
}

// Complete ends a room, given by name or SID, for everybody in it.
func (s *Server) Complete(room string) {
	s.tb.Helper()
	if srv := s.running(); srv == nil || !srv.Complete(room) {
		s.tb.Errorf("roomtest: Complete(%q): there is no such room", room)
	}
}

// Kill ends the server without a word, as a crash does: connections break,
// sessions are lost, and nobody answers until Restart.
func (s *Server) Kill() {
	s.life.Lock()
	defer s.life.Unlock()
	s.kill()
}

func (s *Server) kill() {
	s.mu.Lock()
	srv := s.sfu
	s.sfu = nil
	s.mu.Unlock()
	if srv == nil {
		return
	}
	s.network.mute(true)
	s.ln.reset()
	_ = srv.Close() // never fails
	s.network.mute(false)
}

// Restart kills the server, if it runs, and starts another with the same keys
// at the same URL, which knows nothing of rooms and sessions.
func (s *Server) Restart() {
	s.tb.Helper()
	s.life.Lock()
	defer s.life.Unlock()
	s.kill()
	if err := s.startSFU(); err != nil {
		s.tb.Errorf("roomtest: Restart: %v", err)
	}
}

// Shutdown ends the server in order: every client is told, and when to come
// back if retryAfter is above zero. It stays down until Restart.
func (s *Server) Shutdown(retryAfter time.Duration) {
	s.tb.Helper()
	s.life.Lock()
	defer s.life.Unlock()
	srv := s.running()
	if srv == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	if err := srv.Shutdown(ctx, retryAfter); err != nil {
		s.tb.Errorf("roomtest: Shutdown: not everybody was told: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sfu = nil
}
