//go:build !linux

package rtc

import "net"

// batchConn is for systems that can send several packets in one call.
type batchConn struct{}

func (*batchConn) flush() {}

func batching(c *net.UDPConn, _ *batch) packetConn { return fastRepeater{c} }
