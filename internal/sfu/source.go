package sfu

import (
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/pion/rtp"
)

// source is one receive section of a publisher's connection. Its pump runs as
// long as the section; what the section carries can change under it.
type source struct {
	id string                // of the track, on the wire; of the peer's goroutine
	to atomic.Pointer[layer] // nil: nothing that is published
}

// pump reads the section until it ends.
func (s *source) pump(in *rtc.Inlet) {
	buf := make([]byte, 1500)
	var h rtp.Header
	var codec rtc.Codec
	pt := -1
	for {
		payload, err := in.Read(buf, &h)
		if err != nil {
			return
		}
		if int(h.PayloadType) != pt {
			codec, pt = in.Codec(), int(h.PayloadType)
		}
		if l := s.to.Load(); l != nil {
			level := in.Level(&h)
			l.up.loud.hear(level)
			l.level.Store(int32(level))
			l.forward(&h, payload, &codec, in.Captured(h.Timestamp, time.Time{}))
		}
	}
}
