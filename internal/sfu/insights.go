package sfu

import (
	"net/http"

	"github.com/parley-rtc/parley/internal/sfu/insights"
	"github.com/parley-rtc/parley/internal/sid"
)

// serveInsights is where the npm client tells what it sees of its call: GET
// /v1/VideoEvents. The events of those with a good token are counted, and written
// to the log at debug.
func (s *Server) serveInsights(w http.ResponseWriter, r *http.Request) {
	remote := remoteAddr(r.RemoteAddr)
	leave, ok := s.insightsGate.enter(remote)
	if !ok {
		s.metrics.refusals.WithLabelValues("sockets").Inc()
		http.Error(w, "too many connections", http.StatusTooManyRequests)
		return
	}
	defer leave()
	session := sid.New("IS")
	c := insights.Channel{
		Session: session, CheckOrigin: s.cfg.CheckOrigin,
		HelloTimeout: s.cfg.Limits.HelloTimeout, WriteTimeout: s.cfg.Limits.WriteTimeout,
		Admit: func(token string) error {
			if fault := s.insightsGate.join(remote, false); fault != nil {
				return fault
			}
			_, err := s.verifier.Verify(token)
			return err
		},
		Event: func(group, name string) {
			s.metrics.insights.Inc()
			s.log.Debug("event of a client", "session", session, "group", group, "name", name)
		},
	}
	if err := c.Serve(s.ctx, w, r); err != nil {
		s.log.Debug("a channel for events ended", "remote", r.RemoteAddr, "err", err)
	}
}
