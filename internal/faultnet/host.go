package faultnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/vnet"
)

// Host is one host of a [World]. It is the network of whatever runs on it: a
// pion transport.Net, and for streams a pair of Listen and DialContext.
type Host struct {
	world   *World
	name    string
	lan     *LAN // nil: it is on the open network
	net     *vnet.Net
	out, in *link

	blocked atomic.Pointer[[]*Host] // see Block; never changed, replaced under mu

	mu   sync.RWMutex // also guards what vnet does not: its addresses
	ips  []netip.Addr
	dark bool
	tap  Tap
}

var _ transport.Net = (*Host)(nil)

// Name returns the name of the host.
func (h *Host) Name() string { return h.name }

// Addresses returns the addresses that the host has now.
func (h *Host) Addresses() []netip.Addr {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.Clone(h.ips)
}

// Impair changes the faults of the UDP packets that the host sends and
// receives. A new host sends with the delay and the jitter of its world.
func (h *Host) Impair(change func(send, receive *Faults)) {
	send, receive := h.out.get(), h.in.get()
	change(&send, &receive)
	h.out.set(func(f *Faults) { *f = send })
	h.in.set(func(f *Faults) { *f = receive })
}

// SetTap makes the tap listen at all UDP sockets that the host opens from now
// on.
func (h *Host) SetTap(t Tap) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tap = t
}

// SetLoss loses UDP packets at random, per mille, both ways.
func (h *Host) SetLoss(permille int) {
	h.Impair(func(send, receive *Faults) { send.Loss, receive.Loss = permille, permille })
}

// BlockUDP drops all UDP, as a network that allows the web only.
func (h *Host) BlockUDP(on bool) {
	h.Impair(func(send, receive *Faults) { send.Blackhole, receive.Blackhole = on, on })
}

// Block drops all UDP between two hosts of one network, both ways, or ends
// that. What passes a NAT on its way is not stopped.
func (h *Host) Block(other *Host, on bool) {
	h.block(other, on)
	other.block(h, on)
}

func (h *Host) block(other *Host, on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []*Host
	if old := h.blocked.Load(); old != nil {
		list = slices.DeleteFunc(slices.Clone(*old), func(o *Host) bool { return o == other })
	}
	if on {
		list = append(list, other)
	}
	h.blocked.Store(&list)
}

// reaches reports whether nothing is blocked on the way to an address. No lock
// of the host may be held: those of others are taken.
func (h *Host) reaches(ip netip.Addr) bool {
	list := h.blocked.Load()
	return list == nil || !slices.ContainsFunc(*list, func(o *Host) bool { return o.has(ip) })
}

// SetBlackhole pulls the cable, which nobody is told of: UDP and TCP fall
// silent until it is plugged in again. UDP is lost, TCP is late.
func (h *Host) SetBlackhole(on bool) {
	h.mu.Lock()
	h.dark = on
	h.mu.Unlock()
	h.BlockUDP(on)
	h.world.reroute()
}

// Sent counts the UDP packets that the host sent, by their fate on their way
// out; Received those on their way in.
func (h *Host) Sent() Counts { return h.out.count() }

// Received counts the UDP packets that reached the host.
func (h *Host) Received() Counts { return h.in.count() }

// SwitchAddress moves the host to another network: all its addresses go, and
// ip comes. Sockets that are bound to an address that is gone stay open, and
// nothing passes through them any more.
func (h *Host) SwitchAddress(ip string) {
	h.world.tb.Helper()
	gone := h.Addresses()
	h.AddAddress(ip)
	for _, old := range gone {
		h.RemoveAddress(old.String())
	}
}

// AddAddress gives the host one more address.
func (h *Host) AddAddress(ip string) {
	h.world.tb.Helper()
	addr, err := netip.ParseAddr(ip)
	if err == nil && h.world.owner(addr) != nil {
		err = errors.New("the address is taken")
	}
	if err == nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		err = h.net.AddAddress("eth0", &net.IPNet{IP: toIP(addr), Mask: net.CIDRMask(24, 32)})
	}
	if err != nil {
		h.world.tb.Fatalf("faultnet: give %s to host %s: %v", ip, h.name, err)
		return
	}
	h.ips = append(h.ips, addr)
}

// RemoveAddress takes an address from the host.
func (h *Host) RemoveAddress(ip string) {
	h.world.tb.Helper()
	addr, err := netip.ParseAddr(ip)
	if err == nil && !h.has(addr) {
		err = errors.New("it has no such address")
	}
	if err == nil {
		h.mu.Lock()
		h.ips = slices.DeleteFunc(h.ips, func(a netip.Addr) bool { return a == addr })
		err = h.net.RemoveAddress("eth0", toIP(addr))
		h.mu.Unlock()
	}
	if err != nil {
		h.world.tb.Fatalf("faultnet: take %s from host %s: %v", ip, h.name, err)
	}
	h.world.reroute()
}

func (h *Host) has(ip netip.Addr) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.Contains(h.ips, ip)
}

// Interfaces lists the loopback interface and eth0 with its addresses of now.
func (h *Host) Interfaces() ([]*transport.Interface, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	live, err := h.net.Interfaces()
	if err != nil {
		return nil, err
	}
	var copies []*transport.Interface
	for _, ifc := range live {
		c := transport.NewInterface(ifc.Interface)
		addrs, _ := ifc.Addrs() // an error means none
		for _, a := range addrs {
			if ip, ok := a.(*net.IPNet); ok && ifc.Name == "eth0" {
				a = &net.IPNet{IP: ip.IP, Mask: net.CIDRMask(24, 32)}
			}
			c.AddAddress(a)
		}
		copies = append(copies, c)
	}
	return copies, nil
}

// InterfaceByIndex returns the interface with the index.
func (h *Host) InterfaceByIndex(index int) (*transport.Interface, error) {
	return h.find(func(ifc *transport.Interface) bool { return ifc.Index == index })
}

// InterfaceByName returns the interface with the name.
func (h *Host) InterfaceByName(name string) (*transport.Interface, error) {
	return h.find(func(ifc *transport.Interface) bool { return ifc.Name == name })
}

func (h *Host) find(match func(*transport.Interface) bool) (*transport.Interface, error) {
	all, err := h.Interfaces()
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(all, match); i >= 0 {
		return all[i], nil
	}
	return nil, transport.ErrInterfaceNotFound
}

// ListenPacket opens a UDP socket.
func (h *Host) ListenPacket(network, address string) (net.PacketConn, error) {
	addr, err := h.ResolveUDPAddr(network, address)
	if err != nil {
		return nil, err
	}
	return h.ListenUDP(network, addr)
}

// ListenUDP opens a UDP socket.
func (h *Host) ListenUDP(network string, local *net.UDPAddr) (transport.UDPConn, error) {
	return h.socket(func() (transport.UDPConn, error) { return h.net.ListenUDP(network, clone(local)) })
}

// DialUDP opens a UDP socket that talks to one address only.
func (h *Host) DialUDP(network string, local, remote *net.UDPAddr) (transport.UDPConn, error) {
	return h.socket(func() (transport.UDPConn, error) { return h.net.DialUDP(network, clone(local), remote) })
}

// clone keeps vnet from writing into the caller's address.
func clone(a *net.UDPAddr) *net.UDPAddr {
	if a == nil {
		return nil
	}
	c := *a
	return &c
}

// Dial opens a UDP or TCP connection.
func (h *Host) Dial(network, address string) (net.Conn, error) {
	switch network {
	case "tcp", "tcp4":
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		defer cancel()
		return h.DialContext(ctx, network, address)
	}
	addr, err := h.ResolveUDPAddr(network, address)
	if err != nil {
		return nil, err
	}
	ips := h.Addresses()
	if len(ips) == 0 {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: addr, Err: errors.New("no address of our own")}
	}
	return h.DialUDP(network, &net.UDPAddr{IP: toIP(ips[0])}, addr)
}

// ResolveIPAddr reads an address. Names other than localhost are unknown.
func (h *Host) ResolveIPAddr(network, address string) (*net.IPAddr, error) {
	return h.net.ResolveIPAddr(network, address)
}

// ResolveUDPAddr reads an address and port.
func (h *Host) ResolveUDPAddr(network, address string) (*net.UDPAddr, error) {
	return h.net.ResolveUDPAddr(network, address)
}

// ResolveTCPAddr reads an address and port.
func (h *Host) ResolveTCPAddr(network, address string) (*net.TCPAddr, error) {
	return h.net.ResolveTCPAddr(network, address)
}

// CreateDialer returns a dialer in this network.
func (h *Host) CreateDialer(*net.Dialer) transport.Dialer { return h }

// CreateListenConfig returns a listener in this network.
func (h *Host) CreateListenConfig(*net.ListenConfig) transport.ListenConfig { return listenConfig{h} }

type listenConfig struct{ h *Host }

func (l listenConfig) Listen(_ context.Context, network, address string) (net.Listener, error) {
	return l.h.Listen(network, address)
}

func (l listenConfig) ListenPacket(_ context.Context, network, address string) (net.PacketConn, error) {
	return l.h.ListenPacket(network, address)
}
