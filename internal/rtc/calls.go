package rtc

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v4"
	"github.com/pion/webrtc/v4"
)

// callTime is how long a TURN server may take to answer, or its TCP connection
// to open. Networks drop what they do not like, and pion would wait for 10 s by
// UDP and for two minutes by TCP, also when it closes.
const callTime = 3 * time.Second

// call is a socket to a TURN server, the only ones that pion opens with
// ListenPacket.
type call struct {
	net.PacketConn
	heard atomic.Bool
	began atomic.Pointer[time.Time]
}

func (c *call) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.PacketConn.ReadFrom(b)
	if err == nil && !c.heard.Load() {
		c.heard.Store(true)
	}
	return n, from, err
}

// WriteTo fails once nobody has answered in time, so that pion asks no more.
func (c *call) WriteTo(b []byte, to net.Addr) (int, error) {
	if !c.heard.Load() && isSTUN(b) {
		now := time.Now()
		if !c.began.CompareAndSwap(nil, &now) && now.Sub(*c.began.Load()) > callTime {
			return 0, os.ErrDeadlineExceeded
		}
	}
	return c.PacketConn.WriteTo(b, to)
}

// relayWait is what direct ways have on top of a relayed one. A pair of
// candidates is chosen for good: where packets get lost, the first check of a
// direct one may have been, and a relay costs its operator.
const relayWait = time.Second

// isSTUN reports whether the packet is one of STUN or TURN, RFC 8489 section 5.
func isSTUN(b []byte) bool {
	return len(b) >= 20 && b[0] < 4 && binary.BigEndian.Uint32(b[4:]) == 0x2112a442
}

// DialTCP connects to a TURN server.
func (n repeatingNet) DialTCP(network string, local, remote *net.TCPAddr) (transport.TCPConn, error) {
	if _, system := n.Net.(liveNet); !system {
		return n.Net.DialTCP(network, local, remote)
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	dialer := net.Dialer{}
	if local != nil {
		dialer.LocalAddr = local
	}
	conn, err := dialer.DialContext(ctx, network, remote.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// GatheredNone reports whether the gathering of candidates has ended, and there
// are none.
func (p *Peer) GatheredNone() bool {
	if p.pc.ICEGatheringState() != webrtc.ICEGatheringStateComplete {
		return false
	}
	list, _, complete := p.Candidates()
	return complete && len(list) == 0
}

// UseServers has the peer gather its next candidates with these ICE servers: the
// first ones, or those of an ICE restart. Who calls it makes the offers too.
func (p *Peer) UseServers(servers []webrtc.ICEServer) error {
	p.servers = &servers
	return p.takeServers()
}

// ServersWait reports whether the servers of UseServers have to wait until
// candidates of the old ones are gathered. Handler.Candidates is called then.
func (p *Peer) ServersWait() bool {
	return p.servers != nil && p.pc.ICEGatheringState() == webrtc.ICEGatheringStateGathering
}

// takeServers gives pion the servers that wait, before it gathers anew. While it
// gathers it reads its servers without a lock.
func (p *Peer) takeServers() error {
	if p.servers == nil || p.ServersWait() {
		return nil
	}
	servers := *p.servers
	p.servers = nil
	if err := p.pc.SetConfiguration(webrtc.Configuration{ICEServers: servers, ICETransportPolicy: p.policy}); err != nil {
		return fmt.Errorf("setting ICE servers: %w", err)
	}
	return nil
}
