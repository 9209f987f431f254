package parley_test

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/stretchr/testify/require"
)

// talk is a stream of numbered messages from one member to another.
type talk struct {
	l      *lab
	to     *member
	cancel context.CancelFunc
	ended  chan struct{} // the sender's goroutine
	failed error         // of Send

	mu      sync.Mutex
	sent    int
	at      []time.Time // when which was sent
	got     []int
	came    []time.Time // when which of got arrived
	dropped int         // by the receiving queue
	news    chan struct{}
}

// talk sends a message every so often, until the talk is ended.
func (l *lab) talk(track *parley.LocalDataTrack, to *member, every time.Duration) *talk {
	l.t.Helper()
	sub, _ := await(to, 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == track.Name() })
	ctx, cancel := context.WithCancel(context.Background())
	k := &talk{l: l, to: to, cancel: cancel, ended: make(chan struct{}), news: make(chan struct{}, 1)}
	go k.receive(sub.Track.(*parley.RemoteDataTrack))
	to.log.mu.Lock()
	to.log.tracks = append(to.log.tracks, func(e parley.TrackSubscribed) {
		if e.Track.Name() == track.Name() {
			go k.receive(e.Track.(*parley.RemoteDataTrack))
		}
	})
	to.log.mu.Unlock()
	go k.send(ctx, track, every)
	l.t.Cleanup(cancel)
	return k
}

func (k *talk) receive(track *parley.RemoteDataTrack) {
	for {
		m, err := track.Receive(context.Background())
		if err != nil {
			return // the track has ended
		}
		k.mu.Lock()
		k.got = append(k.got, int(binary.BigEndian.Uint32(m.Data)))
		k.came = append(k.came, time.Now())
		k.dropped += m.Dropped
		k.mu.Unlock()
		select {
		case k.news <- struct{}{}:
		default:
		}
	}
}

func (k *talk) send(ctx context.Context, track *parley.LocalDataTrack, every time.Duration) {
	defer close(k.ended)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := track.Send(context.WithoutCancel(ctx), binary.BigEndian.AppendUint32(nil, uint32(n))); err != nil {
			k.failed = err
			return
		}
		k.mu.Lock()
		k.sent = n + 1
		k.at = append(k.at, time.Now())
		k.mu.Unlock()
	}
}

func (k *talk) numbers() (sent, got int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sent, len(k.got)
}

// lost counts the messages that were sent between the times and did not arrive.
func (k *talk) lost(from, to time.Time) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	lost := 0
	for n, at := range k.at {
		if _, got := slices.BinarySearch(k.got, n); !got && !at.Before(from) && at.Before(to) {
			lost++
		}
	}
	return lost
}

// end stops sending, waits until the last message has arrived, and tells how
// many were lost on the way. Order and duplicates are judged.
func (k *talk) end() (sent, lost int) {
	t := k.l.t
	t.Helper()
	k.cancel()
	<-k.ended
	require.NoError(t, k.failed)
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for waiting := true; waiting; {
		k.mu.Lock()
		waiting = len(k.got) == 0 || k.got[len(k.got)-1] != k.sent-1
		k.mu.Unlock()
		if waiting {
			select {
			case <-k.news:
			case <-limit.C:
				waiting = false
			}
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := 1; i < len(k.got); i++ {
		require.Less(t, k.got[i-1], k.got[i], "messages came twice or out of order")
	}
	require.Zero(t, k.dropped)
	return k.sent, k.sent - len(k.got)
}
