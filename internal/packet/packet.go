// Package packet turns samples into RTP payloads and back.
//
// A [Packetizer] cuts samples into payloads and a [Clock] gives them their RTP
// time. An [Assembler] puts received packets back into order and into whole
// samples. [Keyframe] and [Dimensions] read single packets, for those who
// forward and do not assemble.
//
// Nothing here starts a goroutine, sets a timer or is safe for concurrent use.
package packet

import (
	"errors"

	"github.com/parley-rtc/parley/media"
)

var (
	// ErrCodec says that samples of this codec cannot be carried, or that a
	// sample is of another codec than its packetizer.
	ErrCodec = media.ErrCodec
	// ErrMTU says that a maximum payload size is too small to cut frames by.
	ErrMTU = errors.New("payload size too small")
	// ErrSample says that a sample's data is not of its codec.
	ErrSample = errors.New("malformed sample")

	// errPayload marks a received payload that breaks its payload format.
	errPayload = errors.New("malformed payload")
)
