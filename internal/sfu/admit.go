package sfu

import (
	"github.com/parley-rtc/parley/signaling"
)

func checkSDP(sdp string, l *Limits) *signaling.Error {
	if l.SDPBytes > 0 && len(sdp) > l.SDPBytes {
		return signaling.NewError(signaling.CodeServerRemoteDescription)
	}
	return nil
}

func (s *Server) filterSDP(sdp string) string { return sdp }

func (s *Server) allowCandidate(candidate string, added *int) bool {
	if s.cfg.Limits.Candidates > 0 && *added >= s.cfg.Limits.Candidates {
		return false
	}
	*added++
	return true
}
