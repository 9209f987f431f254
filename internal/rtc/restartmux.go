package rtc

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"

	"github.com/pion/ice/v4"
)

// restartMux keeps an ICE restart from ending DTLS and SCTP. A restart closes
// the connections of the mux under whoever writes at that moment, pion/ice hands
// on exactly io.ErrClosedPipe, and above it that is the end of everything. Any
// other error is a packet lost on the way, which is what this is.
type restartMux struct {
	ice.UDPMux
	loopback bool
}

// GetListenAddresses leaves out the loopback addresses that are not wanted:
// pion/ice does so only for the one type of its own.
func (m *restartMux) GetListenAddresses() []net.Addr {
	all := m.UDPMux.GetListenAddresses()
	if _, own := m.UDPMux.(*ice.UDPMuxDefault); !own || m.loopback {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(a net.Addr) bool {
		udp, ok := a.(*net.UDPAddr)
		return ok && udp.IP.IsLoopback()
	})
}

func (m *restartMux) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	conn, err := m.UDPMux.GetConn(ufrag, addr)
	if err != nil {
		return nil, err
	}
	c := restartConn{conn}
	if fast, ok := conn.(ice.AddrPortReaderWriter); ok {
		return &fastRestartConn{c, fast}, nil
	}
	return &c, nil
}

type restartConn struct{ net.PacketConn }

func (c *restartConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	n, err := c.PacketConn.WriteTo(b, addr)
	return n, lost(err)
}

type fastRestartConn struct {
	restartConn
	ice.AddrPortReaderWriter
}

func (c *fastRestartConn) WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	n, err := c.AddrPortReaderWriter.WriteToAddrPort(b, addr)
	return n, lost(err)
}

func lost(err error) error {
	if errors.Is(err, io.ErrClosedPipe) {
		return net.ErrClosed
	}
	return err
}
