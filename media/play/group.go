package play

import (
	"sync"
	"time"
)

const (
	// maxWait bounds how long a track waits for another of its group.
	maxWait = 500 * time.Millisecond
	// maxApart is how far capture times may lead apart before they are taken
	// for wrong.
	maxApart = 3 * time.Second
	// silentFor is how long after its last sample a track no longer counts.
	silentFor = 2 * time.Second
	// heardFor is how long the place of a voice is good for.
	heardFor = 250 * time.Millisecond
)

// group keeps the tracks of one participant in step.
//
// A track's offset is the player's time at which a sample is heard or seen,
// less the sample's timestamp. Each track asks for an offset that its samples
// reach in time; the group gives each the one with which what was captured at
// one time is presented at one time. As long as the capture times of a track
// are unknown, all are taken to be captured when they arrive, at the quickest.
type group struct {
	mu      sync.Mutex
	members []*member
}

// member is one track of a group. Its fields belong to the group's lock.
type member struct {
	group *group

	base    time.Duration // the quickest transit
	need    time.Duration // the least offset
	last    time.Duration // arrival; zero: none yet
	capture time.Duration // capture time less timestamp
	known   bool          // capture is

	heard   time.Duration // the offset of what is heard
	heardAt time.Duration // when it was; zero: not heard
}

func (g *group) join() *member {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := &member{group: g}
	g.members = append(g.members, m)
	return m
}

// leave returns how many stay.
func (m *member) leave() int {
	g := m.group
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, o := range g.members {
		if o == m {
			g.members = append(g.members[:i], g.members[i+1:]...)
			break
		}
	}
	return len(g.members)
}

// arrived takes note of a sample.
func (m *member) arrived(at, base, need time.Duration) {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	m.last, m.base, m.need = at, base, need
}

// captured takes note of what lies between capture time and timestamp.
func (m *member) captured(d time.Duration) {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	m.capture, m.known = d, true
}

// hears takes note of the offset of what is heard now.
func (m *member) hears(at, offset time.Duration) {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	m.heard, m.heardAt = offset, at
}

// silent takes note that nothing is heard.
func (m *member) silent() {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	m.heardAt = 0
}

// offset returns the offset that the member is to have.
func (m *member) offset(now time.Duration) time.Duration {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	zero := m.group.zero(now)
	own := m.need - zero(m)
	wait := own
	for _, o := range m.group.members {
		if theirs := o.need - zero(o); o.active(now) && theirs < own+maxApart {
			wait = max(wait, theirs)
		}
	}
	return min(wait, own+maxWait) + zero(m)
}

// beside returns the offset of a member that is seen with what is heard. ok is
// false when nothing is.
func (m *member) beside(now time.Duration) (offset time.Duration, ok bool) {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	zero := m.group.zero(now)
	for _, o := range m.group.members {
		if o != m && o.heardAt > 0 && now-o.heardAt < heardFor {
			offset = o.heard - zero(o) + zero(m)
			apart := offset - m.need
			return offset, -maxApart < apart && apart < maxApart
		}
	}
	return 0, false
}

// zero returns the function that tells what a timestamp of zero of a member is
// on the group's common clock.
func (g *group) zero(now time.Duration) func(*member) time.Duration {
	for _, m := range g.members {
		if m.active(now) && !m.known {
			return func(m *member) time.Duration { return m.base }
		}
	}
	return func(m *member) time.Duration { return m.capture }
}

func (m *member) active(now time.Duration) bool { return m.last > 0 && now-m.last < silentFor }
