package parley

import (
	"errors"
	"net"
	"net/netip"
	"slices"

	"github.com/parley-rtc/parley/internal/netwatch"
	"github.com/parley-rtc/parley/signaling"
)

// NetworkChanged tells the room that the machine's network is another one now,
// so that it connects again at once instead of noticing by itself. On Linux a
// room whose Transport is the default knows of such changes: it connects again
// as soon as the address that its media uses is gone, and, while it is
// reconnecting, as soon as there is another one.
func (r *Room) NetworkChanged() {
	r.post(func() { r.networkChanged() })
}

// watchNetwork begins to look after the machine's network, until the room ends.
// It runs on the loop.
func (r *Room) watchNetwork() {
	l := &r.loop
	if !r.watches || l.ended {
		return
	}
	r.watches = false
	stop, err := netwatch.Watch(func() { r.post(r.lookAtNetwork) })
	if err != nil {
		if !errors.Is(err, netwatch.ErrUnsupported) {
			r.log.Warn("changes of the network will be noticed late", "err", err)
		}
		return
	}
	l.addresses = localAddresses()
	r.wg.Go(func() {
		<-r.life.Done()
		stop()
	})
}

// lookAtNetwork decides what a change of the network means. That something else
// came or went is of no interest to a room that works.
func (r *Room) lookAtNetwork() {
	l := &r.loop
	if l.ended {
		return
	}
	now := localAddresses()
	if slices.Equal(now, l.addresses) {
		return
	}
	l.addresses = now
	moved := slices.ContainsFunc(l.engine.LocalAddresses(), func(a netip.Addr) bool {
		_, there := slices.BinarySearchFunc(now, a, netip.Addr.Compare)
		return !there
	})
	if moved || r.State() == StateReconnecting {
		r.log.Debug("the network is another one", "addresses", len(now), "moved", moved)
		r.networkChanged()
	}
}

// networkChanged connects again, with both signaling and media.
func (r *Room) networkChanged() {
	l := &r.loop
	if l.ended {
		return
	}
	l.re.tries = 0
	if l.session != nil {
		r.sessionLost(signaling.NewError(signaling.CodeSignalingDisconnected))
	}
	if err := l.engine.RestartICE(); err != nil {
		r.mediaBroken(err)
	}
}

// probe resumes the session on a second connection, while the first may still
// be good: where media is lost, a change of network has often taken both, and
// only the silence of the first one tells.
func (r *Room) probe() {
	l := &r.loop
	if l.ended || l.re.dialing || l.session == nil || l.re.fresh || l.sessionID == "" || !l.caps.Resume {
		return
	}
	r.flush() // the first one gets its chance
	l.re.dialing = true
	r.dialNow()
}

// localAddresses lists, in order, the addresses of the interfaces that work.
func localAddresses() []netip.Addr {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil // then there is none
	}
	var list []netip.Addr
	for i := range interfaces {
		const works = net.FlagUp | net.FlagRunning
		if interfaces[i].Flags&works != works {
			continue
		}
		addrs, err := interfaces[i].Addrs()
		if err != nil {
			continue // it is gone by now
		}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				list = append(list, prefix.Addr().Unmap().WithZone(""))
			}
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}
