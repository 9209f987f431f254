package engine

import (
	"sync"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/pion/rtp"
)

// heldPackets is how many packets of a receive section wait for the
// announcement that says whose they are; then the oldest goes.
const heldPackets = 512

// slot is a receive section as its subscriptions see it: one after the other
// they use it, each from a sequence number on. Packets may arrive before the
// announcement, and the last ones of the former user after it.
//
// It owns one goroutine per section that began, which ends with the section.
type slot struct {
	wg sync.WaitGroup

	mu      sync.Mutex
	inlet   *rtc.Inlet
	started bool
	highest int64 // extended sequence number
	uses    []use // at most the last two
	held    []arrival
}

type use struct {
	from int64 // extended; the first packet of this user
	recv *Receiver
}

type arrival struct {
	ext   int64
	pkt   *rtp.Packet
	codec rtc.Codec
	level int // of the sound, as in media.Sample
}

func newSlot() *slot { return &slot{} }

func (s *slot) wait() { s.wg.Wait() }

// attach begins to read the section.
func (s *slot) attach(in *rtc.Inlet) {
	s.mu.Lock()
	s.inlet = in
	s.started = false // a new section numbers its packets anew
	for _, u := range s.uses {
		u.recv.setInlet(in)
	}
	s.mu.Unlock()
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		s.read(in)
	}()
}

func (s *slot) read(in *rtc.Inlet) {
	buf := make([]byte, 1600)
	for {
		pkt := &rtp.Packet{}
		payload, err := in.Read(buf, &pkt.Header)
		if err != nil {
			return
		}
		if len(payload) == 0 {
			continue
		}
		level := in.Level(&pkt.Header)
		// What the numbers of extensions mean is known to the connection alone.
		pkt.Header.Padding, pkt.Header.Extension, pkt.Header.Extensions = false, false, nil
		pkt.Payload = append([]byte(nil), payload...)
		s.deliver(arrival{pkt: pkt, codec: in.Codec(), level: level})
	}
}

func (s *slot) extend(seq uint16) int64 {
	return s.highest + int64(int16(seq-uint16(s.highest)))
}

func (s *slot) deliver(a arrival) {
	s.mu.Lock()
	if !s.started {
		s.started = true
		if len(s.uses) == 0 {
			s.highest = int64(a.pkt.SequenceNumber) + 1<<16
		}
	}
	a.ext = s.extend(a.pkt.SequenceNumber)
	s.highest = max(s.highest, a.ext)
	recv, held := s.owner(a.ext)
	if held {
		if len(s.held) == heldPackets {
			s.held = append(s.held[:0], s.held[1:]...)
		}
		s.held = append(s.held, a)
	}
	s.mu.Unlock()
	if recv != nil {
		recv.push(a)
	}
}

// owner finds whose the packet is. held is true when that is not known yet.
func (s *slot) owner(ext int64) (r *Receiver, held bool) {
	for i := len(s.uses) - 1; i >= 0; i-- {
		if ext >= s.uses[i].from {
			if i == len(s.uses)-1 && s.uses[i].recv.ended() {
				return nil, true // perhaps the next user's
			}
			return s.uses[i].recv, false
		}
	}
	return nil, len(s.uses) == 0
}

// assign gives the section to the receiver, from the sequence number on;
// without numbered, from now on.
func (s *slot) assign(recv *Receiver, from uint16, numbered bool) {
	s.mu.Lock()
	var ext int64
	switch {
	case !numbered && len(s.held) > 0:
		ext = s.held[0].ext
	case !numbered:
		ext = s.highest - 1<<15
	case s.started || len(s.uses) > 0:
		ext = s.extend(from)
	default:
		ext = int64(from) + 1<<16
		s.highest = ext
	}
	s.uses = append(s.uses, use{ext, recv})
	if len(s.uses) > 2 {
		s.uses = append(s.uses[:0], s.uses[1:]...)
	}
	recv.setInlet(s.inlet)
	held := s.held
	s.held = nil
	s.mu.Unlock()
	for _, a := range held {
		if a.ext >= ext {
			recv.push(a)
		}
	}
}
