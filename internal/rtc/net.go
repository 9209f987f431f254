package rtc

import (
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
)

// liveNet lists the network interfaces afresh on every call. The standard one
// lists them once, so that after a change of network every ICE restart still
// offers the addresses that are gone.
type liveNet struct{ *stdnet.Net }

func newLiveNet() (transport.Net, error) {
	base, err := stdnet.NewNet()
	if err != nil {
		return nil, err
	}
	return liveNet{base}, nil
}

func (liveNet) Interfaces() ([]*transport.Interface, error) {
	fresh, err := stdnet.NewNet()
	if err != nil {
		return nil, err
	}
	return fresh.Interfaces()
}
