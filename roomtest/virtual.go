package roomtest

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/pion/webrtc/v4"
)

// virtual is a network in memory. Its world tells who keeps sockets open, by
// the names of the hosts, which are those of the participants.
type virtual struct {
	world *faultnet.World
	host  *faultnet.Host // the server's
	wire  *wiretap

	mu       sync.Mutex
	stations int
}

func newVirtual(tb testing.TB, o Options, wire *wiretap) network {
	tb.Helper()
	w := faultnet.NewWorld(tb, faultnet.WorldConfig{OneWay: o.Latency, Jitter: o.Jitter, Seed: o.Seed})
	v := &virtual{world: w, wire: wire}
	v.host = v.newHost("server")
	v.host.SetTap(wire.server())
	return v
}

// mediaLag is how much later than signaling media arrives.
//
// When both sides of a media connection are closed in the same instant, pion
// may wait for a timer while another goroutine waits for its lock, which stops
// the time of a bubble for ever. What closes both is signaling; with this lag
// the other side's last packet comes when ours is closed.
const mediaLag = 137 * time.Microsecond

func (v *virtual) newHost(name string) *faultnet.Host {
	h := v.world.Host(name)
	h.Impair(func(_, receive *faultnet.Faults) { receive.Delay += mediaLag })
	return h
}

func (v *virtual) listen() (net.Listener, error) { return v.host.Listen("tcp", ":80") }

func (v *virtual) media() (sfu.Media, error) {
	return sfu.Media{Net: v.host, IPs: []string{v.host.Addresses()[0].String()}}, nil
}

func (v *virtual) mute(on bool) { v.host.BlockUDP(on) }

func (v *virtual) station(name string) (station, error) {
	st := &virtualStation{host: v.newHost(name)}
	st.host.SetTap(v.wire.participant(name))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stations++
	st.number = v.stations
	return st, nil
}

// lingerTime is longer than a room that has ended keeps its last events for
// readers. The time of a bubble stands still once its test is over.
const lingerTime = 2 * time.Second

func (v *virtual) close() {
	v.world.Close()
	<-time.NewTimer(lingerTime).C
}

// virtualStation is the host of one participant.
type virtualStation struct {
	host *faultnet.Host
	lines
	number int // among those of the network

	mu    sync.Mutex
	moves int
}

func (st *virtualStation) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := st.host.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return st.add(c), nil
}

func (st *virtualStation) configure(e *webrtc.SettingEngine) { e.SetNet(rtc.Repeating(st.host)) }

func (st *virtualStation) cut(on bool) { st.host.SetBlackhole(on) }

func (st *virtualStation) loss(permille int) { st.host.SetLoss(permille) }

// move goes through the addresses of networks that nobody else has.
func (st *virtualStation) move() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.moves++
	st.host.SwitchAddress(fmt.Sprintf("9.%d.%d.%d", st.number/250, st.number%250, st.moves%250+1))
	return true
}
