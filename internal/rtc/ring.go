package rtc

import (
	"sync"

	"github.com/pion/rtp"
)

// The packets kept for retransmission.
const (
	RingVideo = 512
	RingAudio = 256
)

// Ring keeps the last packets of a stream, so that those which got lost can be
// sent again. Buffers are reused; a ring of n packets holds at most n packet
// payloads. It is safe for concurrent use.
type Ring struct {
	mu    sync.RWMutex
	slots []ringSlot
}

type ringSlot struct {
	used    bool
	seq     uint16
	header  rtp.Header
	payload []byte
}

// NewRing returns a ring of size packets, a power of two.
func NewRing(size int) *Ring { return &Ring{slots: make([]ringSlot, size)} }

// Put stores a copy of the packet under its sequence number.
func (r *Ring) Put(h *rtp.Header, payload []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.slots[int(h.SequenceNumber)%len(r.slots)]
	s.used, s.seq = true, h.SequenceNumber
	s.header = rtp.Header{
		Version: 2, Marker: h.Marker, PayloadType: h.PayloadType,
		SequenceNumber: h.SequenceNumber, Timestamp: h.Timestamp, SSRC: h.SSRC,
	}
	s.payload = append(s.payload[:0], payload...)
}

// Get copies the packet with the sequence number into buf and returns its
// header and payload. ok is false when it is no longer kept or does not fit.
func (r *Ring) Get(seq uint16, buf []byte) (h rtp.Header, payload []byte, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := &r.slots[int(seq)%len(r.slots)]
	if !s.used || s.seq != seq || len(s.payload) > len(buf) {
		return rtp.Header{}, nil, false
	}
	return s.header, buf[:copy(buf, s.payload)], true
}
