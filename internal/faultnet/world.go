package faultnet

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v4/vnet"
)

// TB is what the kit needs of a testing.TB.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// WorldConfig describes a virtual network.
type WorldConfig struct {
	OneWay time.Duration // how long a packet takes from any host to any other
	Jitter time.Duration // added to that, evenly spread up to this
	Seed   uint64
}

// World is a virtual network: hosts, NATs, UDP, and TCP that passes through
// NATs outwards as it would. It ends with the test, which fails if sockets are
// still open then: close what you open.
//
// It works in testing/synctest bubbles. What that takes, of pion's vnet: its
// router sleeps under its own lock to make jitter, and waiting for a lock is
// not durable, so that time in the bubble would stand still for ever. Here
// routers have no delay at all, and delay, jitter and loss come from the
// sockets. vnet lists live addresses without a lock; hosts here copy them
// under one.
//
// Goroutines: one for each router, two for each socket.
type World struct {
	tb     TB
	config WorldConfig
	wan    *vnet.Router
	pipes  *Pipes

	mu      sync.Mutex
	hosts   []*Host
	lans    int
	last    byte // of the addresses chosen
	open    map[*socket]struct{}
	shut    bell // a socket was closed
	routes  map[*PipeConn]route
	stopped bool
}

// NewWorld starts a network that ends with the test.
func NewWorld(tb TB, config WorldConfig) *World {
	tb.Helper()
	w := &World{
		tb: tb, config: config, pipes: NewPipes(),
		open: make(map[*socket]struct{}), shut: newBell(),
		routes: make(map[*PipeConn]route), last: 9,
	}
	wan, err := vnet.NewRouter(&vnet.RouterConfig{Name: "wan", CIDR: "0.0.0.0/0", LoggerFactory: silent()})
	if err == nil {
		err = wan.Start()
	}
	if err != nil {
		tb.Fatalf("faultnet: start a world: %v", err)
	}
	w.wan = wan
	w.pipes.forgotten = w.shutOne
	tb.Cleanup(w.Close)
	return w
}

func silent() logging.LoggerFactory {
	return &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
}

// Host adds a host with the IPv4 addresses, or with one that the world
// chooses. The name says which host a failure is about, and its random faults
// depend on it.
func (w *World) Host(name string, ips ...string) *Host {
	w.tb.Helper()
	if len(ips) == 0 {
		ips = []string{w.address("1.2.3.%d")}
	}
	return w.attach(name, w.wan, nil, ips)
}

// attach adds a host to a router.
func (w *World) attach(name string, router *vnet.Router, lan *LAN, ips []string) *Host {
	w.tb.Helper()
	h := &Host{
		world: w, name: name, lan: lan,
		out: newLink(w.config.Seed, name+" sends"), in: newLink(w.config.Seed, name+" receives"),
	}
	h.out.set(func(f *Faults) { f.Delay, f.Jitter = w.config.OneWay, w.config.Jitter })
	for _, ip := range ips {
		addr, err := netip.ParseAddr(ip)
		if err != nil || !addr.Is4() {
			w.tb.Fatalf("faultnet: host %s: %q is not an IPv4 address", name, ip)
		}
		h.ips = append(h.ips, addr)
	}
	var err error
	h.net, err = vnet.NewNet(&vnet.NetConfig{StaticIPs: ips})
	if err == nil {
		err = router.AddNet(h.net)
	}
	if err != nil {
		w.tb.Fatalf("faultnet: add host %s: %v", name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts = append(w.hosts, h)
	return h
}

func (w *World) address(format string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	return fmt.Sprintf(format, w.last)
}

// NAT is a kind of address translation, by how it maps ports and whom it lets
// in.
type NAT int

// The kinds, from the most to the least open.
const (
	FullCone NAT = iota
	Restricted
	PortRestricted
	Symmetric
)

// LAN is a network behind a NAT.
type LAN struct {
	world  *World
	name   string
	public netip.Addr
	prefix string
	router *vnet.Router
}

// LAN adds a network behind a NAT whose public address is ip, or one that the
// world chooses if ip is "". A mapping lasts 30 s without packets.
func (w *World) LAN(name string, nat NAT, ip string) *LAN {
	w.tb.Helper()
	if ip == "" {
		ip = w.address("1.2.3.%d")
	}
	public, err := netip.ParseAddr(ip)
	if err != nil {
		w.tb.Fatalf("faultnet: LAN %s: %v", name, err)
	}
	w.mu.Lock()
	w.lans++
	lan := &LAN{world: w, name: name, public: public, prefix: fmt.Sprintf("192.168.%d.", w.lans)}
	w.mu.Unlock()
	lan.router, err = vnet.NewRouter(&vnet.RouterConfig{
		Name: name, CIDR: lan.prefix + "0/24", StaticIPs: []string{ip}, NATType: nat.vnet(), LoggerFactory: silent(),
	})
	if err == nil {
		err = w.wan.AddRouter(lan.router)
	}
	if err == nil {
		err = lan.router.Start()
	}
	if err != nil {
		w.tb.Fatalf("faultnet: add LAN %s: %v", name, err)
	}
	return lan
}

func (n NAT) vnet() *vnet.NATType {
	t := &vnet.NATType{}
	switch n {
	case FullCone:
	case Restricted:
		t.FilteringBehavior = vnet.EndpointAddrDependent
	case PortRestricted:
		t.FilteringBehavior = vnet.EndpointAddrPortDependent
	case Symmetric:
		t.MappingBehavior = vnet.EndpointAddrPortDependent
		t.FilteringBehavior = vnet.EndpointAddrPortDependent
	}
	return t
}

// Host adds a host to the LAN, with addresses of 192.168.n.0/24 as Prefix has
// it, or with one that is chosen.
func (l *LAN) Host(name string, ips ...string) *Host {
	l.world.tb.Helper()
	if len(ips) == 0 {
		ips = []string{l.world.address(l.prefix + "%d")}
	}
	return l.world.attach(name, l.router, l, ips)
}

// Prefix returns the first three numbers of the LAN's addresses, with the dot
// that follows.
func (l *LAN) Prefix() string { return l.prefix }

// PublicIP returns the address by which others see the LAN's hosts.
func (l *LAN) PublicIP() netip.Addr { return l.public }

// SetLoss loses packets of every host at random, per mille and per host they
// leave or reach: between two hosts it acts twice.
func (w *World) SetLoss(permille int) {
	for _, h := range w.all() {
		h.SetLoss(permille)
	}
}

// SetBlackhole silences all hosts, or ends that.
func (w *World) SetBlackhole(on bool) {
	for _, h := range w.all() {
		h.SetBlackhole(on)
	}
}

func (w *World) all() []*Host {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*Host(nil), w.hosts...)
}

// Close ends the world. Sockets that are open a second later fail the test.
func (w *World) Close() {
	w.tb.Helper()
	w.mu.Lock()
	if w.stopped {
		w.mu.Unlock()
		return
	}
	w.stopped = true
	w.mu.Unlock()
	w.await(time.Now().Add(time.Second))
	w.mu.Lock()
	left := w.open
	w.open = nil
	w.mu.Unlock()
	for s := range left {
		w.tb.Errorf("faultnet: host %s still has the socket %s open", s.host.name, s.LocalAddr())
		_ = s.Impaired.Close() // the failure is told
	}
	for _, c := range w.pipes.Conns() {
		w.tb.Errorf("faultnet: the connection %s to %s is still open", c.local, c.remote)
		c.Reset()
	}
	if err := w.wan.Stop(); err != nil {
		w.tb.Errorf("faultnet: stop the world: %v", err)
	}
}

// await waits until all sockets are closed, or until then.
func (w *World) await(until time.Time) {
	for {
		w.mu.Lock()
		open, shut := len(w.open)+len(w.pipes.Conns()), w.shut.wait()
		w.mu.Unlock()
		if open == 0 || passed(until) {
			return
		}
		await(shut, until)
	}
}

func (w *World) shutOne() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shut.ring()
}

// owner returns the host that has the address, as seen from anywhere.
func (w *World) owner(ip netip.Addr) *Host {
	for _, h := range w.all() {
		if h.has(ip) {
			return h
		}
	}
	return nil
}

func toIP(a netip.Addr) net.IP { return net.IP(a.AsSlice()) }
