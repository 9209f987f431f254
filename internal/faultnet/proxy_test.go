package faultnet_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/faultnet"
)

// virtualProxy puts a proxy in front of a server of the Pipes.
func virtualProxy(t *testing.T, n *faultnet.Pipes) (p *faultnet.Proxy, server net.Listener) {
	t.Helper()
	server, err := n.Listen("server:80")
	require.NoError(t, err)
	front, err := n.Listen("proxy:80")
	require.NoError(t, err)
	p = faultnet.NewProxy(front, func(ctx context.Context) (net.Conn, error) {
		return n.DialContext(ctx, "tcp", "server:80")
	})
	t.Cleanup(func() { _ = server.Close() })
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p, server
}

// viaProxy returns the ends of a connection through the proxy.
func viaProxy(t *testing.T, n *faultnet.Pipes, server net.Listener) (near, far net.Conn) {
	t.Helper()
	near, err := n.DialContext(t.Context(), "tcp", "proxy:80")
	require.NoError(t, err)
	far, err = server.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

func TestProxyPassesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := faultnet.NewPipes()
		p, server := virtualProxy(t, n)
		near, far := viaProxy(t, n, server)
		var echo sync.WaitGroup
		echo.Go(func() {
			_, err := io.Copy(far, far)
			require.NoError(t, err)
			require.NoError(t, far.Close())
		})
		var writer sync.WaitGroup
		writer.Go(func() {
			_, err := near.Write(make([]byte, 1<<20))
			require.NoError(t, err)
			require.NoError(t, near.(*faultnet.PipeConn).CloseWrite())
		})
		got, err := io.ReadAll(near)
		require.NoError(t, err)
		require.Len(t, got, 1<<20)
		writer.Wait()
		echo.Wait()
		require.Equal(t, 1, p.Accepted())
	})
}

func TestProxyFaults(t *testing.T) {
	write := func(t *testing.T, c net.Conn, s string) {
		t.Helper()
		_, err := c.Write([]byte(s))
		require.NoError(t, err)
	}
	for name, test := range map[string]func(t *testing.T, p *faultnet.Proxy, near, far net.Conn){
		"Reset": func(t *testing.T, p *faultnet.Proxy, near, far net.Conn) {
			p.Reset()
			for _, c := range []net.Conn{near, far} {
				_, err := c.Read(make([]byte, 1))
				require.Error(t, err)
				require.NotEqual(t, io.EOF, err)
			}
		},
		"SetBlackhole": func(t *testing.T, p *faultnet.Proxy, near, far net.Conn) {
			p.SetBlackhole(true)
			write(t, near, "x")
			require.NoError(t, far.SetReadDeadline(time.Now().Add(time.Hour)))
			_, err := far.Read(make([]byte, 1))
			var timeout net.Error
			require.ErrorAs(t, err, &timeout)
			require.True(t, timeout.Timeout())
			require.NoError(t, far.SetReadDeadline(time.Time{}))
			p.SetBlackhole(false)
			require.Equal(t, "x", readString(t, far))
		},
		"SetBlackhole hides the end": func(t *testing.T, p *faultnet.Proxy, near, far net.Conn) {
			p.SetBlackhole(true)
			require.NoError(t, near.Close())
			require.NoError(t, far.SetReadDeadline(time.Now().Add(time.Hour)))
			_, err := far.Read(make([]byte, 1))
			require.ErrorContains(t, err, "timeout")
		},
		"SetLatency": func(t *testing.T, p *faultnet.Proxy, near, far net.Conn) {
			p.SetLatency(70 * time.Millisecond)
			start := time.Now()
			write(t, near, "x")
			require.Equal(t, "x", readString(t, far))
			require.Equal(t, 70*time.Millisecond, time.Since(start))
		},
		"SetSlices": func(t *testing.T, p *faultnet.Proxy, near, far net.Conn) {
			p.SetSlices(2, time.Second)
			write(t, near, "abcde")
			require.Equal(t, "ab", readString(t, far))
			require.Equal(t, "cd", readString(t, far))
			require.Equal(t, "e", readString(t, far))
		},
		"CutAfter": func(t *testing.T, p *faultnet.Proxy, near, far net.Conn) {
			p.CutAfter(faultnet.ToClient, 3)
			write(t, near, "other way")
			require.Equal(t, "other way", readString(t, far))
			write(t, far, "1")
			require.Equal(t, "1", readString(t, near))
			write(t, far, "2345")
			_, err := io.ReadAll(near)
			require.Error(t, err)
			require.NotEqual(t, io.EOF, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := faultnet.NewPipes()
				p, server := virtualProxy(t, n)
				near, far := viaProxy(t, n, server)
				test(t, p, near, far)
			})
		})
	}
}

func TestProxyRefusesAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := faultnet.NewPipes()
		p, server := virtualProxy(t, n)
		p.SetRefusing(true)
		c, err := n.DialContext(t.Context(), "tcp", "proxy:80")
		require.NoError(t, err)
		_, err = c.Read(make([]byte, 1))
		require.ErrorContains(t, err, "reset")
		p.SetRefusing(false)
		viaProxy(t, n, server)
		require.Equal(t, 2, p.Accepted())
	})
}

func TestProxyWithoutServerResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := faultnet.NewPipes()
		_, server := virtualProxy(t, n)
		require.NoError(t, server.Close())
		c, err := n.DialContext(t.Context(), "tcp", "proxy:80")
		require.NoError(t, err)
		_, err = c.Read(make([]byte, 1))
		require.ErrorContains(t, err, "reset")
	})
}

// TestProxyOverTCP cuts a WebSocket of real sockets inside a frame, falls
// silent, and lets it reconnect.
func TestProxyOverTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	echoServer(t, l)
	p, err := faultnet.NewTCPProxy(l.Addr().String())
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	dial := func() *websocket.Conn {
		c, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+p.Addr(), nil)
		require.NoError(t, err)
		return c
	}
	echo := func(c *websocket.Conn) error {
		require.NoError(t, c.WriteMessage(websocket.TextMessage, []byte("hello")))
		_, _, err := c.ReadMessage()
		return err
	}

	c := dial()
	p.SetSlices(1, 0)
	require.NoError(t, echo(c))
	p.SetSlices(0, 0)
	p.CutAfter(faultnet.ToClient, 4)
	require.Error(t, echo(c))
	require.NoError(t, c.Close())

	c = dial()
	require.NoError(t, echo(c))
	p.Reset()
	_, _, err = c.ReadMessage()
	require.Error(t, err)
	require.NoError(t, c.Close())

	c = dial()
	p.SetBlackhole(true)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	require.ErrorContains(t, echo(c), "timeout")
	require.NoError(t, c.Close())
}
