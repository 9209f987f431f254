package admission

import (
	"cmp"
	"container/list"
	"math"
	"net/netip"
	"sync"
	"time"
)

// Rate limits how often something happens per client network: an IPv4 address
// or an IPv6 network of 64 bits. Each network has a bucket of Burst tokens that
// refills at PerSecond. It keeps the buckets of the Networks that came last;
// those of others are full by then, or a fleet of addresses is at work that no
// table of addresses stops. Set the fields before use; it may then be used by
// many goroutines.
type Rate struct {
	PerSecond float64
	Burst     int // zero: PerSecond, at least 1
	Networks  int // zero: 16384

	mu      sync.Mutex
	buckets map[netip.Prefix]*list.Element // of *bucket
	recent  list.List                      // newest first
}

type bucket struct {
	network  netip.Prefix
	tokens   float64
	at       time.Time
	promised time.Time // when the last who was refused may come again
}

// maxPromise bounds how far in the future somebody is told to come again.
const maxPromise = 10 * time.Second

// Allow takes a token of the network of addr. Without one it returns false and
// when to come again: each who is refused is told another time, one token after
// the other, so that a crowd does not come back as a crowd. An invalid address
// counts as a network of its own.
func (r *Rate) Allow(addr netip.Addr, now time.Time) (ok bool, retryAfter time.Duration) {
	burst := float64(cmp.Or(r.Burst, max(1, int(r.PerSecond))))
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.bucket(network(addr), burst, now)
	b.refill(r.PerSecond, burst, now)
	if b.tokens >= 1 {
		b.tokens--
		return true, 0
	}
	if r.PerSecond <= 0 {
		return false, -1 // never
	}
	next := now.Add(time.Duration(math.Ceil((1 - b.tokens) / r.PerSecond * float64(time.Second))))
	if after := b.promised.Add(time.Duration(float64(time.Second) / r.PerSecond)); after.After(next) {
		next = after
	}
	if most := now.Add(maxPromise); next.After(most) {
		next = most
	}
	b.promised = next
	return false, next.Sub(now)
}

// Spent reports whether the network of addr has no token left, and for how
// long. It takes none: what is limited need not be what is looked at.
func (r *Rate) Spent(addr netip.Addr, now time.Time) (spent bool, retryAfter time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, known := r.buckets[network(addr)]
	if !known {
		return false, 0
	}
	b := e.Value.(*bucket)
	b.refill(r.PerSecond, float64(cmp.Or(r.Burst, max(1, int(r.PerSecond)))), now)
	switch {
	case b.tokens >= 1:
		return false, 0
	case r.PerSecond <= 0:
		return true, -1 // for ever
	}
	return true, time.Duration(math.Ceil((1 - b.tokens) / r.PerSecond * float64(time.Second)))
}

func (b *bucket) refill(perSecond, burst float64, now time.Time) {
	if passed := now.Sub(b.at); passed > 0 { // a clock that leaps back gives nothing and takes nothing
		b.tokens = min(burst, b.tokens+passed.Seconds()*perSecond)
	}
	b.at = now
}

func (r *Rate) bucket(key netip.Prefix, burst float64, now time.Time) *bucket {
	if e, known := r.buckets[key]; known {
		r.recent.MoveToFront(e)
		return e.Value.(*bucket)
	}
	if r.buckets == nil {
		r.buckets = make(map[netip.Prefix]*list.Element)
	}
	if len(r.buckets) >= cmp.Or(r.Networks, 16384) {
		oldest := r.recent.Back()
		delete(r.buckets, r.recent.Remove(oldest).(*bucket).network)
	}
	b := &bucket{network: key, tokens: burst, at: now}
	r.buckets[key] = r.recent.PushFront(b)
	return b
}

// Sockets limits how many connections a client network holds at once. Set the
// field before use; it may then be used by many goroutines. It remembers only
// networks that hold connections.
type Sockets struct {
	PerNetwork int // zero: 100

	mu   sync.Mutex
	open map[netip.Prefix]int
}

// Acquire counts a connection from addr, or returns false when its network
// holds as many as it may. The release function must be called once when the
// connection has ended; calling it again does nothing.
func (s *Sockets) Acquire(addr netip.Addr) (release func(), ok bool) {
	key := network(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[key] >= cmp.Or(s.PerNetwork, 100) {
		return func() {}, false
	}
	if s.open == nil {
		s.open = make(map[netip.Prefix]int)
	}
	s.open[key]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open[key]--; s.open[key] == 0 {
			delete(s.open, key)
		}
	}), true
}

// network returns what one client can easily have all addresses of.
func network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	p, _ := addr.Prefix(bits) // of an invalid address: the invalid prefix
	return p
}
