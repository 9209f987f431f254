package parley_test

import (
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/stretchr/testify/require"
)

func TestR18DisconnectTime(t *testing.T) {
	dark := func(c *call) { c.bob.host.SetBlackhole(true) }
	for _, story := range []struct {
		name   string
		before func(c *call)
		leave  func(c *call)
	}{
		{name: "live"},
		{name: "dead network", before: dark},
		{name: "dead network, reconnecting", before: func(c *call) {
			dark(c)
			time.Sleep(10 * time.Second)
			require.Equal(c.t, parley.StateReconnecting, c.bob.room.State())
		}},
		{name: "dead media", before: func(c *call) {
			c.bob.host.BlockUDP(true)
			time.Sleep(5 * time.Second)
		}},
		{name: "signaling half-open", before: func(c *call) { c.bob.lines.now().silent.Store(true) }},
		{name: "server gone", before: func(c *call) { c.kill() }},
		{name: "20 % loss", before: func(c *call) { c.bob.host.SetLoss(200) }},
		{name: "from the event loop", leave: func(c *call) {
			loop := make(chan error)
			events := c.bob.room.TrackDisabled()
			go func() {
				for range events {
					loop <- c.bob.room.Disconnect()
				}
				close(loop)
			}()
			for _, pub := range c.alice.room.LocalParticipant().VideoTracks() {
				pub.Track().(*parley.LocalVideoTrack).Disable()
			}
			require.NoError(c.t, <-loop)
			<-loop
		}},
		{name: "eight at once", leave: func(c *call) {
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() { _ = c.bob.room.Disconnect() })
			}
			all.Wait()
		}},
	} {
		t.Run(story.name, func(t *testing.T) {
			inCall(t, 18, func(c *call) {
				if story.before != nil {
					story.before(c)
				}
				start := time.Now()
				if story.leave != nil {
					story.leave(c)
				} else {
					require.NoError(c.t, c.bob.room.Disconnect())
				}
				took := time.Since(start)
				<-c.bob.room.Done()
				done := time.Since(start)
				c.t.Logf("R18 %s: Disconnect %v, Done after %v", story.name, took.Round(time.Microsecond), done.Round(time.Microsecond))
				require.LessOrEqual(c.t, took, time.Second)
				require.LessOrEqual(c.t, done, time.Second)
				require.NoError(c.t, c.bob.room.Err())
				require.NoError(c.t, c.bob.room.Disconnect())
				end, _ := await[parley.Disconnected](c.bob, 0)
				require.Equal(c.t, parley.ReasonLeft, end.Reason)
			})
		})
	}
}

func TestDisconnectDeliversWhatWasSent(t *testing.T) {
	inLab(t, 1, func(l *lab) {
		data := dataTrack(l.t, "data")
		alice, bob := l.join("alice", data), l.join("bob")
		sub, _ := await[parley.TrackSubscribed](bob, 0)
		time.Sleep(time.Second)
		bob.host.SetLoss(200)
		for range 50 {
			require.NoError(l.t, data.Send(l.t.Context(), make([]byte, 1000)))
		}
		require.NoError(l.t, data.SendText(l.t.Context(), "goodbye"))
		start := time.Now()
		require.NoError(l.t, alice.room.Disconnect())
		l.t.Logf("Disconnect with 50 kB on their way: %v", time.Since(start))
		for n := 0; ; n++ {
			m, err := sub.Track.(*parley.RemoteDataTrack).Receive(l.t.Context())
			require.NoError(l.t, err, "after %d messages, %v", n, time.Since(start))
			if m.Text {
				require.Equal(l.t, "goodbye", string(m.Data))
				break
			}
		}
	})
}
