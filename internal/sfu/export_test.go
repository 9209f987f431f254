package sfu

import "encoding/json"

// The channel "echo" says {"type":"hello"} when it works and what it is told
// otherwise.
func init() {
	channelKinds = append(channelKinds, channelKind{
		name:  "echo",
		ready: func(p *peer) { p.say("echo", map[string]string{"type": "hello"}) },
		receive: func(p *peer, data []byte) {
			var m struct {
				Type string `json:"type"`
			}
			if json.Unmarshal(data, &m) == nil && m.Type != "ready" && m.Type != "" {
				p.say("echo", json.RawMessage(data))
			}
		},
	})
}

// Estimate says how much the downlink of a participant takes.
func (s *Server) Estimate(identity string, bitrate int) {
	for _, p := range s.peers(identity) {
		p.do(func() { p.setEstimate(bitrate) })
	}
}

// Speaker says to a participant who the dominant speaker is.
func (s *Server) Speaker(identity, sid string) {
	for _, p := range s.peers(identity) {
		p.do(func() { p.setSpeaker(sid) })
	}
}

// Forwarded counts the packets of media that were sent to a participant.
func (s *Server) Forwarded(identity string) (packets int64) {
	for _, p := range s.peers(identity) {
		p.do(func() {
			for _, sub := range p.subs {
				if sub.slot != nil {
					packets += sub.slot.out.Stats().Packets
				}
			}
		})
	}
	return packets
}
