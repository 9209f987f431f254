package roomtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/parley-rtc/parley/signaling"
)

// Close ends the server and all networks of its participants, and waits for
// that. Who is leaving may finish; who stays fails the test. The end of the
// test calls it; it is idempotent.
func (s *Server) Close() {
	s.tb.Helper()
	s.once.Do(func() {
		s.tb.Helper()
		s.close()
	})
}

func (s *Server) close() {
	s.tb.Helper()
	s.mu.Lock()
	for _, st := range s.stations {
		st.cut(false) // what they said before they left has to arrive
	}
	s.mu.Unlock()
	if !s.empty(time.Now().Add(leaveTime)) {
		s.tb.Errorf("roomtest: still connected when the server closes: %s", strings.Join(s.holders(), ", "))
	}
	s.life.Lock()
	defer s.life.Unlock()
	s.kill()
	_ = s.web.Close() // the listener's error, which nobody can do anything about
	s.ln.reset()
	s.wg.Wait()
	s.network.close()
}

// empty waits until every visitor has left, or until then.
func (s *Server) empty(until time.Time) bool {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	for {
		s.mu.Lock()
		n := s.visitors
		s.mu.Unlock()
		if n == 0 {
			return true
		}
		select {
		case <-s.left:
		case <-timer.C:
			return false
		}
	}
}

// holders says who keeps the server from closing.
func (s *Server) holders() []string {
	var list []string
	if srv := s.running(); srv != nil {
		for _, room := range srv.Rooms() {
			for _, p := range srv.Participants(room.SID) {
				if p.State == signaling.StateConnected {
					list = append(list, fmt.Sprintf("%q in room %q", p.Identity, room.Name))
				}
			}
		}
	}
	if len(list) > 0 {
		return append(list, "call Disconnect before the test ends")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return []string{fmt.Sprintf("%d requests of nobody in a room", s.visitors)}
}
