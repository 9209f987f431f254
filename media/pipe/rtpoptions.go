package pipe

import (
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/parley-rtc/parley/media"
)

// RTPStream is one stream of RTP that is to be received.
type RTPStream struct {
	// Addr is where it comes to, such as "127.0.0.1:5004"; port 0 lets the
	// system choose, and Pipe.Addrs tells. RTCP is received on the next port,
	// and on this one.
	Addr  string
	Codec media.Codec
	// PayloadType is the only one that is taken; zero takes the first that
	// comes.
	PayloadType int
	// ParameterSets are given to key frames of H.264 and H.265 that come
	// without; ParseSDP fills them in.
	ParameterSets [][]byte
	// RTCP is where requests for key frames are sent, such as
	// "127.0.0.1:5007". Empty: to where the sender's reports come from.
	RTCP string
}

// RTPOptions say how RTP is received. Nil is the default.
type RTPOptions struct {
	// AllowRemote accepts senders on other machines, and addresses other than
	// loopback to listen on. RTP is neither encrypted nor authentic: whoever
	// reaches the port first is believed.
	AllowRemote bool
	// Wait is how long a missing packet is waited for; the default is 50 ms.
	// Zero loss and order are usual on loopback.
	Wait time.Duration
	// Relearn is how long a sender has to be silent before another address is
	// believed, five seconds by default.
	Relearn time.Duration
	// MaxDelay, StartTimeout and StallTimeout are as in [Options]. A negative
	// StartTimeout returns at once, before anything has come.
	MaxDelay, StartTimeout, StallTimeout time.Duration
	// Logger gets what happens. Nil is silent.
	Logger *slog.Logger
}

func (o *RTPOptions) withDefaults() (RTPOptions, error) {
	var c RTPOptions
	if o != nil {
		c = *o
	}
	for _, d := range []time.Duration{c.Wait, c.Relearn, c.MaxDelay, c.StallTimeout} {
		if d < 0 {
			return c, fmt.Errorf("%w: duration %v", ErrOption, d)
		}
	}
	c.Wait = or(c.Wait, 50*time.Millisecond)
	c.Relearn = or(c.Relearn, 5*time.Second)
	c.MaxDelay = or(c.MaxDelay, time.Second)
	c.StartTimeout = or(c.StartTimeout, 10*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// addrs checks the addresses of a stream.
func (s *RTPStream) addrs(remote bool) (listen, rtcp netip.AddrPort, err error) {
	if s.Codec.Kind() == "" {
		return listen, rtcp, fmt.Errorf("%w: codec %q", ErrOption, s.Codec)
	}
	if s.PayloadType < 0 || s.PayloadType > 127 {
		return listen, rtcp, fmt.Errorf("%w: payload type %d", ErrOption, s.PayloadType)
	}
	if listen, err = netip.ParseAddrPort(s.Addr); err != nil {
		return listen, rtcp, fmt.Errorf("%w: address %q: %w", ErrOption, s.Addr, err)
	}
	if !remote && !listen.Addr().IsLoopback() {
		return listen, rtcp, fmt.Errorf("%w: %v is not loopback; AllowRemote lets others send", ErrOption, listen)
	}
	if s.RTCP == "" {
		return listen, rtcp, nil
	}
	if rtcp, err = netip.ParseAddrPort(s.RTCP); err != nil {
		return listen, rtcp, fmt.Errorf("%w: address %q: %w", ErrOption, s.RTCP, err)
	}
	if !remote && !rtcp.Addr().IsLoopback() {
		return listen, rtcp, fmt.Errorf("%w: %v is not loopback; AllowRemote lets others send", ErrOption, rtcp)
	}
	return listen, rtcp, nil
}
