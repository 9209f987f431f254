package faultnet

import (
	"net"

	"github.com/pion/transport/v4"
)

// UDPConn is an impaired UDP socket in the form that pion wants, a
// transport.UDPConn.
type UDPConn struct {
	*Impaired
	Under transport.UDPConn // the socket itself
}

func (c *UDPConn) RemoteAddr() net.Addr { return c.Under.RemoteAddr() }

func (c *UDPConn) Read(b []byte) (int, error) {
	n, _, err := c.ReadFrom(b)
	return n, err
}

func (c *UDPConn) Write(b []byte) (int, error) {
	remote := c.Under.RemoteAddr()
	if a, ok := remote.(*net.UDPAddr); !ok || a == nil {
		return 0, &net.OpError{Op: "write", Net: "udp", Source: c.LocalAddr(), Err: net.ErrWriteToConnected}
	}
	return c.WriteTo(b, remote)
}

func (c *UDPConn) ReadFromUDP(b []byte) (int, *net.UDPAddr, error) {
	n, addr, err := c.ReadFrom(b)
	if err != nil {
		return n, nil, err
	}
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return n, nil, transport.ErrNotUDPAddress
	}
	return n, udp, nil
}

func (c *UDPConn) WriteToUDP(b []byte, addr *net.UDPAddr) (int, error) { return c.WriteTo(b, addr) }

// ReadMsgUDP reads a packet; there is never out-of-band data.
func (c *UDPConn) ReadMsgUDP(b, _ []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	n, addr, err = c.ReadFromUDP(b)
	return n, 0, 0, addr, err
}

// WriteMsgUDP sends a packet without the out-of-band data.
func (c *UDPConn) WriteMsgUDP(b, _ []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	if addr == nil {
		n, err = c.Write(b)
	} else {
		n, err = c.WriteTo(b, addr)
	}
	return n, 0, err
}

// SetReadBuffer sets the socket's receive buffer, in bytes.
func (c *UDPConn) SetReadBuffer(bytes int) error { return c.Under.SetReadBuffer(bytes) }

// SetWriteBuffer sets the socket's send buffer, in bytes.
func (c *UDPConn) SetWriteBuffer(bytes int) error { return c.Under.SetWriteBuffer(bytes) }
