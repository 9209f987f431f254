package relay_test

import (
	"net"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/sfu/relay"
	"github.com/stretchr/testify/require"
)

// TestIdleStreamsEnd gives those 10 s who connect and allocate nothing.
func TestIdleStreamsEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		mute := w.net.Host("mute")
		began := time.Now()
		conn, err := mute.DialContext(w.Context(), "tcp", serverIP+":3478")
		require.NoError(w, err)
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
		require.Error(w, err)
		require.InDelta(w, 10, time.Since(began).Seconds(), 0.1)

		c := w.client("alice", "tcp")
		c.allocate()
		time.Sleep(4 * time.Minute)
		code, _ := c.exchange(methodRefresh, lifetime(0))
		require.Zero(w, code)
		time.Sleep(5 * time.Second)
		c.allocate()
		code, _ = c.exchange(methodRefresh, lifetime(0))
		require.Zero(w, code)
		time.Sleep(11 * time.Second)
		require.Nil(w, c.recv())
	})
}

// TestEndOfStreamEndsAllocation frees what a client had whose connection ended.
func TestEndOfStreamEndsAllocation(t *testing.T) {
	inWorld(t, func(w *world) {
		host := w.net.Host("client")
		username, password := w.relay.ICEServers("alice")[0].Username, w.relay.ICEServers("alice")[0].Credential
		conn, err := host.DialContext(w.Context(), "tcp", serverIP+":3478")
		require.NoError(w, err)
		rawTCP(w.T, conn, username, password).allocate()
		require.Equal(w, 1, w.relay.Allocations())
		require.NoError(w, conn.Close())
		time.Sleep(time.Second)
		require.Zero(w, w.relay.Allocations())
	})
}

func TestStreamsOfOneAddress(t *testing.T) {
	inWorld(t, func(w *world) {
		host := w.net.Host("flood")
		dial := func() net.Conn {
			conn, err := host.DialContext(w.Context(), "tcp", serverIP+":3478")
			require.NoError(w, err)
			w.Cleanup(func() { _ = conn.Close() })
			return conn
		}
		first, _, third := dial(), dial(), dial()
		_, err := third.Read(make([]byte, 1))
		require.Error(w, err)
		require.NoError(w, first.Close())
		time.Sleep(time.Second)
		username, password := relay.Credential(w.secret, "alice", time.Now().Add(time.Minute))
		rawTCP(w.T, dial(), username, password).allocate()
	}, func(c *relay.Config) { c.SocketsPerNetwork = 2 })
}
