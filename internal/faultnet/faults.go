// Package faultnet is the kit for tests of bad networks: packets that get
// lost, delayed and doubled, addresses that vanish, sockets that are cut in
// the middle of a frame or fall silent.
//
//   - [World] is a virtual UDP network with hosts, NATs and faults. It works in
//     testing/synctest bubbles; so does
//   - [Pipes], a virtual network of byte streams, for signaling and TLS.
//   - [Impaired] spoils a real UDP socket, [Proxy] a real TCP connection.
//   - [OrderChecker] judges the order of events that came through all this.
//
// Everything random takes a seed: the same packets offered in the same order
// meet the same fate. The order itself is up to the scheduler.
package faultnet

import (
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"
)

// Faults are what one direction of a path does to packets. The zero value is
// a perfect path.
type Faults struct {
	Loss      int   // packets lost at random, per mille
	Burst     Burst // losses that come together
	Duplicate int   // packets that arrive twice, per mille
	Blackhole bool  // nothing arrives

	Delay time.Duration
	// Jitter is added to Delay, evenly spread between zero and this. It
	// reorders packets that are closer together than that.
	Jitter time.Duration

	// Rate is in bits per second; zero is without limit. Queue is how many
	// bytes may wait for their turn, by default DefaultQueue; a packet that
	// finds no room is dropped.
	Rate  int
	Queue int
}

// DefaultQueue is how much waits for a limited rate: a quarter second at
// 2 Mbit/s.
const DefaultQueue = 64 << 10

// Burst is a Gilbert model: a path that turns bad now and then. Enter and
// Leave are the chances per packet, per mille, that it turns bad and good
// again; the mean length of a burst is 1000/Leave packets. While bad, Loss per
// mille are lost; zero means all.
type Burst struct{ Enter, Leave, Loss int }

// Counts tell what happened to the packets of one direction.
type Counts struct {
	Offered    int // packets that were sent into it
	Lost       int // by Loss, Burst and Blackhole
	Overflowed int // dropped by a full queue
	Duplicated int // arrived twice
}

// Passed is the number of different packets that went through.
func (c Counts) Passed() int { return c.Offered - c.Lost - c.Overflowed }

// link decides the fate of packets in one direction. Several sockets may
// share one.
type link struct {
	mu     sync.Mutex
	faults Faults
	rnd    *rand.Rand
	bad    bool      // in a burst
	free   time.Time // when the line has sent all that waits
	counts Counts
}

func newLink(seed uint64, name string) *link {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return &link{rnd: rand.New(rand.NewPCG(seed, h.Sum64()))}
}

func (l *link) set(change func(*Faults)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.faults)
}

func (l *link) get() Faults {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.faults
}

func (l *link) count() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

// overflow takes back a packet that passed but found no room behind the link.
func (l *link) overflow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Overflowed++
}

// admit says after which delays a packet of size bytes arrives: once, twice
// or never. Each call draws the same random numbers whatever the faults are,
// so that changing one fault does not shuffle the others.
func (l *link) admit(now time.Time, size int) (delays []time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.faults
	lost := l.rnd.IntN(1000) < f.Loss
	turn, inBurst := l.rnd.IntN(1000), l.rnd.IntN(1000)
	twice := l.rnd.IntN(1000) < f.Duplicate
	jitter, again := l.rnd.Float64(), l.rnd.Float64()

	l.counts.Offered++
	if l.bad {
		l.bad = turn >= f.Burst.Leave && f.Burst.Enter > 0
	} else {
		l.bad = turn < f.Burst.Enter
	}
	if l.bad && (f.Burst.Loss == 0 || inBurst < f.Burst.Loss) {
		lost = true
	}
	if lost || f.Blackhole {
		l.counts.Lost++
		return nil
	}
	queued, ok := l.transmit(now, size)
	if !ok {
		l.counts.Overflowed++
		return nil
	}
	delays = append(delays, queued+f.Delay+scale(f.Jitter, jitter))
	if twice {
		l.counts.Duplicated++
		delays = append(delays, queued+f.Delay+scale(f.Jitter, again))
	}
	return delays
}

// transmit puts a packet on the line and says how long it takes to be out.
func (l *link) transmit(now time.Time, size int) (time.Duration, bool) {
	rate := l.faults.Rate
	if rate <= 0 {
		l.free = now
		return 0, true
	}
	if l.free.Before(now) {
		l.free = now
	}
	room := l.faults.Queue
	if room <= 0 {
		room = DefaultQueue
	}
	waiting := int(l.free.Sub(now).Seconds() * float64(rate) / 8)
	if waiting > 0 && waiting+size > room {
		return 0, false
	}
	l.free = l.free.Add(time.Duration(float64(size*8) / float64(rate) * float64(time.Second)))
	return l.free.Sub(now), true
}

func scale(d time.Duration, by float64) time.Duration {
	return time.Duration(float64(d) * by)
}
