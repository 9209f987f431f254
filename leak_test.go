package parley_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// settled lists the goroutines of the caller's bubble with their stacks, once
// everything that was ending has ended. Those that live for one packet come and
// go: the least of several looks counts. What the runtime runs beside the bubble
// does not.
func settled() []string {
	time.Sleep(3 * time.Second)
	var least []string
	for i := range 20 {
		time.Sleep(173 * time.Millisecond)
		synctest.Wait()
		if now := inBubble(); i == 0 || len(now) < len(least) {
			least = now
		}
	}
	return least
}

var bubbleOf = regexp.MustCompile(`^goroutine \d+ .*, (synctest bubble \d+)`)

func inBubble() []string {
	stacks := make([]byte, 1<<20)
	n := runtime.Stack(stacks, true)
	for n == len(stacks) { // there is more
		stacks = make([]byte, 2*len(stacks))
		n = runtime.Stack(stacks, true)
	}
	all := strings.Split(string(stacks[:n]), "\n\n")
	own := bubbleOf.FindStringSubmatch(all[0])[1] // the caller comes first
	var found []string
	for _, g := range all {
		if in := bubbleOf.FindStringSubmatch(g); in != nil && in[1] == own {
			found = append(found, g)
		}
	}
	return found
}

// leftBehind fails the test if there are more goroutines than before.
func leftBehind(t *testing.T, before, after []string, what string) {
	t.Helper()
	t.Logf("R17 %s: %d goroutines before, %d after", what, len(before), len(after))
	require.LessOrEqual(t, len(after), len(before), "%s", strings.Join(after, "\n\n"))
}

// That no goroutine is left when the bubble ends is checked by the bubble. That
// none is left before, which the end of the server would end as well, is
// counted.

// resident is in the room all the time. It receives nothing, so that it needs no
// more for others than for one.
func (l *lab) resident() *member {
	l.t.Helper()
	m, err := l.dial(l.t.Context(), "alice", publishing(picture(l.t), dataTrack(l.t, "data")),
		func(o *parley.ConnectOptions) { o.ManualSubscribe = true })
	require.NoError(l.t, err)
	return m
}

func TestR17NoGoroutineLeftByJoining(t *testing.T) {
	inLab(t, 17, func(l *lab) {
		l.resident()
		before := settled()
		for i := range 100 {
			m := l.join(fmt.Sprintf("guest%d", i), picture(l.t), dataTrack(l.t, "d"))
			m.watch("alice", "picture")
			time.Sleep(time.Duration(i) * 10 * time.Millisecond) // leaves in all states of joining
			m.leave()
		}
		after := settled()
		leftBehind(l.t, before, after, "100 times joined and left")
	})
}

func TestR17NoGoroutineLeftByFailing(t *testing.T) {
	inLab(t, 17, func(l *lab) {
		before := settled()
		fail := func(name string, ctx context.Context, want error, change ...func(*parley.ConnectOptions)) {
			for i := range 25 {
				_, err := l.dial(ctx, fmt.Sprintf("%s%d", name, i), append(change, publishing(picture(l.t), dataTrack(l.t, "d")))...)
				require.ErrorIs(l.t, err, want)
			}
		}
		fail("refused", l.t.Context(), parley.ErrRoomNotFound)
		canceled, cancel := context.WithCancel(l.t.Context())
		cancel()
		fail("canceled", canceled, context.Canceled)
		l.kill()
		fail("down", l.t.Context(), parley.ErrSignalingConnection)
		l.host.SetBlackhole(true)
		late, cancel := context.WithTimeout(l.t.Context(), time.Second)
		defer cancel()
		fail("silent", late, context.DeadlineExceeded)
		l.host.SetBlackhole(false)
		l.start()
		after := settled()
		leftBehind(l.t, before, after, "100 times failed to connect")
	}, func(c *sfu.Config) { c.DisableAdHocRooms = true })
}

func TestR17NoGoroutineLeftByCanceling(t *testing.T) {
	seed := rand.Uint64()
	inLab(t, seed, func(l *lab) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		l.resident()
		before := settled()
		joined := 0
		for i := range 50 {
			after := time.Duration(rnd.Int64N(int64(200 * time.Millisecond)))
			ctx, cancel := context.WithTimeout(l.t.Context(), after)
			start := time.Now()
			m, err := l.dial(ctx, fmt.Sprintf("bob%d", i), publishing(picture(l.t), dataTrack(l.t, "d")))
			took := time.Since(start)
			cancel()
			if err == nil {
				joined++
				m.leave()
				continue
			}
			require.True(l.t, errors.Is(err, context.DeadlineExceeded), "%v", err)
			require.LessOrEqual(l.t, took, after+100*time.Millisecond, "Connect returns when its context ends")
		}
		after := settled()
		leftBehind(l.t, before, after, fmt.Sprintf("50 times canceled at a random point (%d were in already)", joined))
		require.Len(l.t, l.srv.Participants("lab"), 1, "nobody is left behind in the room")
	})
}

func TestR17NoGoroutineLeftOnLoopback(t *testing.T) {
	here := goleak.IgnoreCurrent()
	t.Run("rooms", func(t *testing.T) {
		srv := roomtest.NewServer(t)
		for i := range 5 {
			track := picture(t)
			a, err := parley.Connect(srv.Token("alice", "lab"), &parley.ConnectOptions{URL: srv.URL(), Tracks: []parley.LocalTrack{track}})
			require.NoError(t, err)
			b, err := parley.Connect(srv.Token("bob", "lab"), &parley.ConnectOptions{URL: srv.URL()})
			require.NoError(t, err)
			if i%2 == 0 {
				roomtest.Next[parley.TrackStarted](t, b.Events())
			}
			require.NoError(t, a.Disconnect())
			require.NoError(t, b.Disconnect())
			roomtest.Rest(t, a.Events())
			roomtest.Rest(t, b.Events())
		}
	})
	goleak.VerifyNone(t, here)
}
