package icetcp_test

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/icetcp"
	"github.com/stretchr/testify/require"
)

// caller is somebody at the client who calls the server.
type caller struct {
	*place
	conn packetConn

	mu   sync.Mutex
	made []net.Conn // nil where nobody accepted
}

func (p *place) caller() *caller {
	p.t.Helper()
	c := &caller{place: p}
	d := icetcp.NewDialer(func(ctx context.Context, _ netip.Addr, remote netip.AddrPort) (net.Conn, error) {
		conn, err := p.client.DialContext(ctx, "tcp", remote.String())
		c.mu.Lock()
		defer c.mu.Unlock()
		c.made = append(c.made, conn)
		return conn, err
	})
	conns, err := d.GetAllConns("theirs", false, p.client.Addresses()[0].AsSlice())
	require.NoError(p.t, err)
	require.Len(p.t, conns, 1)
	c.conn = conns[0].(packetConn)
	p.t.Cleanup(func() {
		require.NoError(p.t, c.conn.Close())
		require.NoError(p.t, d.Close())
	})
	return c
}

// calls returns the connections so far.
func (c *caller) calls() []net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made
}

func (c *caller) write(packet []byte) error {
	_, err := c.conn.WriteToAddrPort(packet, c.address())
	return err
}

func TestDialerCallsOnce(t *testing.T) {
	inPlace(t, func(p *place) {
		c := p.caller()
		require.Empty(t, c.calls())
		first := hello(t, "ours")
		require.NoError(t, c.write(first))
		require.NoError(t, c.write([]byte("second")))
		got, from := read(t, p.ours)
		require.Equal(t, first, got)
		got, _ = read(t, p.ours)
		require.Equal(t, "second", string(got))
		_, err := p.ours.WriteToAddrPort([]byte("answer"), from)
		require.NoError(t, err)
		got, from = read(t, c.conn)
		require.Equal(t, "answer", string(got))
		require.Equal(t, p.address(), from)

		c.calls()[0].(interface{ Reset() }).Reset()
		time.Sleep(time.Second)
		require.ErrorIs(t, c.write([]byte("third")), net.ErrClosed)
		require.Len(t, c.calls(), 1, "it is for ICE to begin anew")
		require.Zero(t, p.mux.Figures().Streams)
	})
}

// A call into the void ends by itself, and with its end.
func TestDialerGivesUp(t *testing.T) {
	inPlace(t, func(p *place) {
		p.server.SetBlackhole(true)
		c := p.caller()
		require.NoError(t, c.write(hello(t, "ours")))
		time.Sleep(icetcp.CallTime + time.Second)
		require.ErrorIs(t, c.write(nil), net.ErrClosed)
		require.Len(t, c.calls(), 1)
		other := p.caller()
		require.NoError(t, other.write(hello(t, "ours")))
		time.Sleep(time.Second)
		began := time.Now()
		require.NoError(t, other.conn.Close())
		require.Equal(t, began, time.Now())
		require.ErrorIs(t, other.write(nil), net.ErrClosed)
		p.server.SetBlackhole(false)
	})
}

// Who makes us call gets some connections, and not any number.
func TestDialerCallsFew(t *testing.T) {
	inPlace(t, func(p *place) {
		c := p.caller()
		for n := range uint16(100) {
			to := netip.AddrPortFrom(p.server.Addresses()[0], 2000+n)
			_, err := c.conn.WriteToAddrPort([]byte("hello"), to)
			require.Equal(t, int(n) >= icetcp.PerConnection, err != nil)
		}
		time.Sleep(time.Second)
		require.Len(t, c.calls(), icetcp.PerConnection)
	})
}
