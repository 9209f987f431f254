//go:build !linux

package icetcp

import "net"

// kernelBytes bounds what the kernel keeps for the other side: what waits there
// is late, and cannot be taken back.
const kernelBytes = 128 << 10

// tune prepares a connection for media.
func tune(conn net.Conn) {
	if tcp, ok := conn.(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = tcp.SetWriteBuffer(kernelBytes) // it does without
	}
}
