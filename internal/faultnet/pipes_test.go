package faultnet_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/faultnet"
)

// connect returns the two ends of a connection.
func connect(t *testing.T, n *faultnet.Pipes) (client, server *faultnet.PipeConn) {
	t.Helper()
	l, err := n.Listen("server:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	c, err := n.DialContext(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	s, err := l.Accept()
	require.NoError(t, err)
	require.Equal(t, c.LocalAddr(), s.RemoteAddr())
	require.Equal(t, s.LocalAddr(), c.RemoteAddr())
	return c.(*faultnet.PipeConn), s.(*faultnet.PipeConn)
}

func readString(t *testing.T, c net.Conn) string {
	t.Helper()
	b := make([]byte, 100)
	n, err := c.Read(b)
	require.NoError(t, err)
	return string(b[:n])
}

func TestPipesCarryBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := connect(t, faultnet.NewPipes())
		sent := make([]byte, 3<<20) // more than the window
		_, err := rand.Read(sent)
		require.NoError(t, err)
		var writer sync.WaitGroup
		writer.Go(func() {
			n, err := client.Write(sent)
			require.NoError(t, err)
			require.Equal(t, len(sent), n)
			require.NoError(t, client.Close())
		})
		got, err := io.ReadAll(server)
		require.NoError(t, err)
		require.Equal(t, sent, got)
		writer.Wait()
		require.NoError(t, server.Close())
	})
}

func TestPipesEnds(t *testing.T) {
	n := faultnet.NewPipes()
	t.Run("CloseWrite", func(t *testing.T) {
		client, server := connect(t, n)
		require.NoError(t, client.CloseWrite())
		_, err := client.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE)
		_, err = server.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
		_, err = server.Write([]byte("late"))
		require.NoError(t, err)
		require.Equal(t, "late", readString(t, client))
	})
	t.Run("Close", func(t *testing.T) {
		client, server := connect(t, n)
		_, err := client.Write([]byte("last"))
		require.NoError(t, err)
		require.NoError(t, client.Close())
		require.NoError(t, client.Close())
		_, err = client.Read(make([]byte, 1))
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = client.Write([]byte("x"))
		require.ErrorIs(t, err, net.ErrClosed)
		require.Equal(t, "last", readString(t, server))
		_, err = server.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
		_, err = server.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		_, err = server.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE)
	})
	t.Run("Reset", func(t *testing.T) {
		client, server := connect(t, n)
		_, err := client.Write([]byte("lost"))
		require.NoError(t, err)
		client.Reset()
		for _, c := range []net.Conn{client, server} {
			_, err = c.Read(make([]byte, 1))
			require.ErrorIs(t, err, syscall.ECONNRESET)
			_, err = c.Write([]byte("x"))
			require.ErrorIs(t, err, syscall.ECONNRESET)
		}
	})
}

func TestPipesDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := connect(t, faultnet.NewPipes())
		start := time.Now()
		require.NoError(t, client.SetReadDeadline(start.Add(time.Minute)))
		_, err := client.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout())
		require.Equal(t, time.Minute, time.Since(start))

		require.NoError(t, client.SetDeadline(time.Now().Add(time.Minute)))
		n, err := client.Write(make([]byte, 1<<20))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 256<<10, n, "the window")

		// A deadline set later ends a call that waits already.
		require.NoError(t, client.SetDeadline(time.Time{}))
		var reader sync.WaitGroup
		reader.Go(func() {
			_, err := client.Read(make([]byte, 1))
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		})
		synctest.Wait()
		require.NoError(t, client.SetReadDeadline(time.Unix(1, 0)))
		reader.Wait()
		require.NoError(t, client.SetReadDeadline(time.Time{}))
		_, err = server.Write([]byte("x"))
		require.NoError(t, err)
		require.Equal(t, "x", readString(t, client))
	})
}

func TestPipesLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := faultnet.NewPipes()
		n.SetLatency(30 * time.Millisecond)
		start := time.Now()
		client, server := connect(t, n)
		require.Equal(t, 60*time.Millisecond, time.Since(start), "a round trip to connect")
		start = time.Now()
		_, err := client.Write([]byte("x"))
		require.NoError(t, err)
		require.NoError(t, client.Close())
		require.Zero(t, time.Since(start))
		readString(t, server)
		require.Equal(t, 30*time.Millisecond, time.Since(start))
		n.SetLatency(0)
		_, err = server.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
		require.Equal(t, 30*time.Millisecond, time.Since(start))
		require.Len(t, n.Conns(), 1)
		require.NoError(t, server.Close())
		require.Empty(t, n.Conns())
	})
}

func TestPipesBlackholeIsLateNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := faultnet.NewPipes()
		client, server := connect(t, n)
		n.SetBlackhole(true)
		_, err := client.Write([]byte("x"))
		require.NoError(t, err, "nobody is told")
		require.NoError(t, server.SetReadDeadline(time.Now().Add(time.Hour)))
		_, err = server.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = n.DialContext(ctx, "tcp", server.LocalAddr().String())
		require.ErrorIs(t, err, context.DeadlineExceeded)

		var dialer sync.WaitGroup
		dialer.Go(func() {
			c, err := n.DialContext(t.Context(), "tcp", server.LocalAddr().String())
			require.NoError(t, err)
			require.NoError(t, c.Close())
		})
		synctest.Wait()
		n.Restore()
		dialer.Wait()
		require.NoError(t, server.SetReadDeadline(time.Time{}))
		require.Equal(t, "x", readString(t, server))
	})
}

func TestPipesCutAndRestore(t *testing.T) {
	n := faultnet.NewPipes()
	client, server := connect(t, n)
	address := server.LocalAddr().String()
	n.Cut()
	_, err := client.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	_, err = n.DialContext(t.Context(), "tcp", address)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	n.Restore()
	c, err := n.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

func TestPipesListen(t *testing.T) {
	n := faultnet.NewPipes()
	l, err := n.Listen("sfu:443")
	require.NoError(t, err)
	_, err = n.Listen("sfu:443")
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	_, err = n.DialContext(t.Context(), "udp", "sfu:443")
	require.ErrorAs(t, err, new(net.UnknownNetworkError))
	c, err := n.DialContext(t.Context(), "tcp", "sfu:443")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET, "it was never accepted")
	_, err = n.DialContext(t.Context(), "tcp", "sfu:443")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	l, err = n.Listen("sfu:443")
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

// echoServer serves a WebSocket that answers each message with itself.
func echoServer(t *testing.T, l net.Listener) {
	t.Helper()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := new(websocket.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			kind, b, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, b) != nil {
				return
			}
		}
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
	})
}

func TestWebSocketInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := faultnet.NewPipes()
		n.SetLatency(20 * time.Millisecond)
		l, err := n.Listen("sfu:80")
		require.NoError(t, err)
		echoServer(t, l)

		dialer := websocket.Dialer{NetDialContext: n.DialContext}
		c, _, err := dialer.DialContext(t.Context(), "ws://sfu/signal", nil)
		require.NoError(t, err)
		for i := range 50 {
			start := time.Now()
			want := fmt.Sprint("message ", i)
			require.NoError(t, c.WriteMessage(websocket.TextMessage, []byte(want)))
			_, got, err := c.ReadMessage()
			require.NoError(t, err)
			require.Equal(t, want, string(got))
			require.Equal(t, 40*time.Millisecond, time.Since(start))
			time.Sleep(time.Minute)
		}
		n.Cut()
		_, _, err = c.ReadMessage()
		require.ErrorIs(t, err, syscall.ECONNRESET)
		require.NoError(t, c.Close())
		_, _, err = dialer.DialContext(t.Context(), "ws://sfu/signal", nil)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
	})
}

func TestHTTPInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := faultnet.NewPipes()
		l, err := n.Listen("sfu:80")
		require.NoError(t, err)
		server := &http.Server{Handler: http.NotFoundHandler()}
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(l) })
		client := &http.Client{Transport: &http.Transport{DialContext: n.DialContext}}
		resp, err := client.Get("http://sfu/")
		require.NoError(t, err)
		require.Equal(t, http.StatusNotFound, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
		client.CloseIdleConnections()
		require.NoError(t, server.Shutdown(t.Context()))
		serving.Wait()
	})
}
