package congestion

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tick = time.Millisecond

// simulation is a connection over a link, in steps of a millisecond: sound of
// 32 kbit/s all the time, and pictures, 30 a second, at the bitrate that video
// returns.
type simulation struct {
	now      time.Duration
	sender   Sender
	arrivals Arrivals
	random   *rand.Rand

	rate   int // of the link, bits per second; 0: no limit
	queue  int // bytes that wait for it; 0: any number
	police int // bits per second; what is more is lost at once; 0: no limit
	delay  time.Duration
	jitter time.Duration
	loss   float64
	back   float64 // losses of the way back
	skew   time.Duration

	video func() int
	sound bool
	whole bool // every fiftieth picture is twenty times as large

	free    time.Duration // when the link has sent all that waits
	bucket  float64
	moved   time.Duration
	way     []flight
	reports []answer

	sent, got int // bytes, since the last look
	looked    time.Duration
	worst     time.Duration // the longest wait for the link, likewise
	fillers   int
	picture   int
	lost      int
}

type flight struct {
	at     time.Duration
	number uint16
	size   int
}

type answer struct {
	at   time.Duration
	data []byte
}

func newSimulation() *simulation {
	s := &simulation{delay: 25 * time.Millisecond, random: rand.New(rand.NewPCG(1, 2)), skew: 77 * time.Hour, sound: true}
	s.video = func() int { return 0 }
	return s
}

// adapts makes the video follow the limit within a fifth of a second, up to a
// bitrate.
func (s *simulation) adapts(most int) {
	at, rate := time.Duration(0), most
	s.video = func() int {
		if s.now-at >= 200*time.Millisecond {
			at, rate = s.now, most
			if limit, _, ok := s.sender.MediaLimit(s.now); ok {
				rate = min(most, limit)
			}
		}
		return rate
	}
}

func (s *simulation) send(size int, kind Kind) {
	number := s.sender.Sent(s.now, size, kind)
	size += Overhead
	s.sent += size
	jitter := time.Duration(s.random.Float64() * float64(s.jitter))
	if s.random.Float64() < s.loss {
		s.lost++
		return
	}
	if s.police > 0 {
		s.bucket = min(s.bucket+(s.now-s.moved).Seconds()*float64(s.police)/8, 5000)
		s.moved = s.now
		if s.bucket < float64(size) {
			s.lost++
			return
		}
		s.bucket -= float64(size)
	}
	at := s.now
	if s.rate > 0 {
		s.free = max(s.free, s.now)
		waits := s.free - s.now
		if s.queue > 0 && waits.Seconds()*float64(s.rate)/8+float64(size) > float64(s.queue) {
			s.lost++
			return
		}
		s.worst = max(s.worst, waits)
		s.free += time.Duration(float64(8*size) / float64(s.rate) * float64(time.Second))
		at = s.free
	}
	at += s.delay + jitter
	i := len(s.way)
	for i > 0 && s.way[i-1].at > at {
		i--
	}
	s.way = slices.Insert(s.way, i, flight{at, number, size})
}

func (s *simulation) step() {
	s.now += tick
	if s.sound && s.now%(20*time.Millisecond) == 0 {
		s.send(80, Other)
	}
	if s.now%(33*time.Millisecond) == 0 {
		size := s.video() / 8 * 33 / 1000
		if s.picture++; s.whole && s.picture%50 == 0 {
			size *= 20
		}
		for size > 0 {
			s.send(min(size, 1100), Media)
			size -= 1100
		}
	}
	n, _ := s.sender.Probe(s.now)
	for range n {
		s.fillers++
		s.send(FillerSize, Filler)
	}
	for len(s.way) > 0 && s.way[0].at <= s.now {
		s.got += s.way[0].size
		s.arrivals.Add(s.now+s.skew, s.way[0].number, 1)
		s.way = s.way[1:]
	}
	for due, ok := s.arrivals.Due(); ok && due <= s.now+s.skew; due, ok = s.arrivals.Due() {
		data := s.arrivals.Report(s.now+s.skew, nil)
		if s.random.Float64() >= s.back {
			s.reports = append(s.reports, answer{s.now + s.delay, data})
		}
	}
	for len(s.reports) > 0 && s.reports[0].at <= s.now {
		s.sender.Report(s.now, s.reports[0].data)
		s.reports = s.reports[1:]
	}
}

// run lets time pass.
func (s *simulation) run(d time.Duration) {
	for end := s.now + d; s.now < end; {
		s.step()
	}
}

// look returns what was sent and what arrived since the last look, in bits per
// second, and the longest wait for the link.
func (s *simulation) look() (sent, got int, worst time.Duration) {
	d := max(s.now-s.looked, 1).Seconds()
	sent, got, worst = int(float64(8*s.sent)/d), int(float64(8*s.got)/d), s.worst
	s.sent, s.got, s.worst, s.looked = 0, 0, 0, s.now
	return sent, got, worst
}
