package packet

import (
	"slices"
	"time"

	"github.com/pion/rtp"

	"github.com/parley-rtc/parley/media"
)

const (
	// DefaultWait is how long a missing packet is waited for, and of video
	// VideoWait: pictures that need the one given up are lost with it.
	DefaultWait = 200 * time.Millisecond
	VideoWait   = 400 * time.Millisecond
	// DefaultWindow is how many packets may be held behind a missing one.
	DefaultWindow = 512

	// maxQueue bounds the samples that nobody pops.
	maxQueue = 512
)

// Assembler turns the packets of one received stream into samples. Packets may
// come out of order and more than once. A missing packet is waited for as long
// as [Assembler.SetWindow] allows, then given up; the frames that needed it are
// dropped, so that every sample is whole.
//
// Time is what the caller says it is: there is no clock and no timer inside.
// An Assembler is not safe for concurrent use.
type Assembler struct {
	codec media.Codec
	rate  int64
	frame frame
	order reorder
	time  unwrapper

	open    bool      // frame holds the beginning of a frame
	rtpTime uint32    // of the open frame
	arrival time.Time // of its first packet
	level   int       // of its first packet, as in media.Sample
	packets int       // in it
	prev    previous
	markers bool // the stream uses the marker bit
	lost    int  // missing packets to report with the next sample

	queue []queued
	head  int
}

// previous is what the packet just before tells of the next. It is not known at
// the start and behind a gap.
type previous struct {
	known    bool
	rtpTime  uint32
	marker   bool
	boundary bool // the next packet begins a frame, whatever it is
}

type queued struct {
	sample  media.Sample
	packets int
	rtpTime uint32
}

// NewAssembler returns an assembler for a stream of the codec. For a codec that
// package media does not know, it takes packets and gives no samples.
func NewAssembler(codec media.Codec) *Assembler {
	a := &Assembler{codec: codec, rate: int64(codec.ClockRate()), frame: newFrame(codec)}
	a.order.wait, a.order.window = DefaultWait, DefaultWindow
	if codec.Kind() == media.Video {
		a.order.wait = VideoWait
	}
	a.order.sink, a.order.rate = a, a.rate
	a.time.rate = a.rate
	return a
}

// SetWindow sets how long a missing packet is waited for, and how many packets
// may be held meanwhile, at most 4096. With a wait of zero no missing packet is
// waited for. It is to be called before the first Push.
func (a *Assembler) SetWindow(wait time.Duration, packets int) {
	a.order.wait = max(0, wait)
	a.order.window = min(max(1, packets), maxWindow)
}

// Push takes a received packet, which it copies, and the time at which it
// arrived, which must not go back. Samples that became whole are ready for Pop
// when it returns.
func (a *Assembler) Push(pkt *rtp.Packet, arrival time.Time) { a.PushSound(pkt, arrival, 0) }

// PushSound is Push for a packet of sound that came with its level, which its
// sample gets.
func (a *Assembler) PushSound(pkt *rtp.Packet, arrival time.Time, level int) {
	if a.frame == nil {
		return
	}
	a.order.push(&packet{
		payload: pkt.Payload, seq: pkt.SequenceNumber, rtpTime: pkt.Timestamp,
		marker: pkt.Marker, level: level, arrival: arrival,
	})
}

// Tick gives up missing packets whose time is over at now. It is for streams
// that pause; while packets arrive, Push does the same.
func (a *Assembler) Tick(now time.Time) {
	if a.frame != nil {
		a.order.expire(now)
	}
}

// Flush ends the stream: it waits for nothing any more, and emits what is
// whole. The last frame of a stream without marker bits counts as whole when
// nothing in it is open. The assembler can then be used for another stream.
func (a *Assembler) Flush() {
	if a.frame == nil {
		return
	}
	a.order.flush()
	if a.open && !a.markers {
		a.emit()
	}
	a.abandon()
	a.prev, a.markers, a.lost = previous{}, false, 0
}

// Pop returns the next sample. ok is false when none is ready. Samples that are
// not popped for long are dropped, the oldest first, and counted as lost.
func (a *Assembler) Pop() (s media.Sample, ok bool) {
	s, _, ok = a.PopRTP()
	return s, ok
}

// PopRTP is Pop, with the sample's RTP timestamp.
func (a *Assembler) PopRTP() (s media.Sample, rtpTime uint32, ok bool) {
	if a.head == len(a.queue) {
		return media.Sample{}, 0, false
	}
	s, rtpTime = a.queue[a.head].sample, a.queue[a.head].rtpTime
	a.queue[a.head] = queued{}
	if a.head++; a.head == len(a.queue) {
		a.queue, a.head = a.queue[:0], 0
	}
	return s, rtpTime, true
}

// gap takes note that n packets are missing before p.
func (a *Assembler) gap(n int, p *packet) {
	// A single missing packet between two frames, the first of which lacks
	// its marker, was that one: the second frame is untouched.
	tail := n == 1 && a.markers && a.prev.known && !a.prev.marker && a.prev.rtpTime != p.rtpTime
	a.prev = previous{boundary: tail}
	a.lost += n
	a.abandon()
}

// restarted takes note that another stream follows, which counts as one missing
// packet.
func (a *Assembler) restarted() {
	a.prev = previous{}
	a.lost++
	a.abandon()
}

// abandon drops the open frame.
func (a *Assembler) abandon() {
	if a.open {
		a.open = false
		a.frame.reset()
	}
}

// next takes the packets in order.
func (a *Assembler) next(p *packet) {
	if len(p.payload) == 0 {
		// Padding, sent to probe the path. It carries the time of the
		// frame before it.
		if !a.prev.known {
			a.prev = previous{known: true, rtpTime: p.rtpTime}
		}
		return
	}
	a.markers = a.markers || p.marker
	if a.open && p.rtpTime != a.rtpTime {
		a.emit() // ended without a marker
	}
	if a.open || a.starts(p) {
		a.add(p)
	}
	a.prev = previous{known: true, rtpTime: p.rtpTime, marker: p.marker}
}

// starts reports whether a packet begins a frame, while none is open.
func (a *Assembler) starts(p *packet) bool {
	switch {
	case a.codec.Kind() == media.Audio, a.prev.boundary:
		return true
	case a.prev.known && a.prev.rtpTime == p.rtpTime:
		return false // the rest of a frame that is dropped, or ended
	case a.prev.known:
		return true
	}
	return a.frame.startsFrame(p.payload)
}

func (a *Assembler) add(p *packet) {
	if !a.open {
		a.open, a.rtpTime, a.arrival, a.level, a.packets = true, p.rtpTime, p.arrival, p.level, 0
	}
	a.packets++
	if err := a.frame.add(p.payload); err != nil {
		a.lost++ // as if it had not come
		a.abandon()
		return
	}
	if p.marker || a.codec.Kind() == media.Audio {
		a.emit()
	}
}

// emit ends the open frame and queues its sample.
func (a *Assembler) emit() {
	if a.frame.finish() != nil {
		a.lost++
		a.abandon()
		return
	}
	s := media.Sample{
		Codec:     a.codec,
		Data:      slices.Clone(a.frame.bytes()),
		Timestamp: a.time.next(a.rtpTime, a.arrival),
		Level:     a.level,
		Lost:      a.lost,
	}
	if f, ok := a.frame.(*vp9Frame); ok {
		s.Width, s.Height = f.width, f.height
	}
	a.abandon()
	a.lost = 0
	s.Describe()
	a.put(queued{s, a.packets, a.rtpTime})
}

func (a *Assembler) put(q queued) {
	if len(a.queue)-a.head >= maxQueue {
		old := &a.queue[a.head]
		second := &q.sample
		if a.head+1 < len(a.queue) {
			second = &a.queue[a.head+1].sample
		}
		second.Lost += old.sample.Lost + old.packets
		*old = queued{}
		a.head++
	}
	if a.head >= maxQueue { // move what is left to the front
		n := copy(a.queue, a.queue[a.head:])
		clear(a.queue[n:])
		a.queue, a.head = a.queue[:n], 0
	}
	a.queue = append(a.queue, q)
}
