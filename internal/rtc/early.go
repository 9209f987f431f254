package rtc

import (
	"errors"
	"io"
	"runtime"
	"strings"

	"github.com/pion/transport/v4/packetio"
)

// How much of a stream and of its reports waits to be read, as in pion.
const (
	srtpBuffer  = 1_000_000
	srtcpBuffer = 100_000
)

var errNoPeeking = errors.New("an early stream waits for its description")

// newBuffer returns the place where the packets of one stream wait. A stream
// may come before the answer that announces it: the server sends as soon as it
// has answered. Pion then looks at the first packet, to guess the section, and
// gives up; but it takes the packet out and puts it back without a lock,
// while the answer may arrive and Read begin. So it is not let near them, and
// they wait here for Read.
func newBuffer(kind packetio.BufferPacketType, ssrc uint32) io.ReadWriteCloser {
	b := packetio.NewBuffer()
	if kind != packetio.RTPBufferPacket {
		b.SetLimitSize(srtcpBuffer)
		return b
	}
	b.SetLimitSize(srtpBuffer)
	if ssrc == 0 {
		return b // browsers probe the bandwidth with it, pion reads it
	}
	return unpeekable{b}
}

// unpeekable refuses pion's guess. Who reads can be told from the size that it
// brings, just receiveMTU, and as pion's reader of retransmissions brings the
// same, by its name. [Inlet.Read] is called with more.
type unpeekable struct{ *packetio.Buffer }

func (b unpeekable) Read(p []byte) (int, error) {
	if len(p) == int(receiveMTU) && peeking() {
		return 0, errNoPeeking
	}
	return b.Buffer.Read(p)
}

// peeking reports whether the caller's caller is pion's Peek.
func peeking() bool {
	var pc [1]uintptr
	n := runtime.Callers(3, pc[:])
	frame, _ := runtime.CallersFrames(pc[:n]).Next()
	return strings.HasSuffix(frame.Function, "ReadStreamSRTP).Peek")
}
