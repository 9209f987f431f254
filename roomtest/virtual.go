package roomtest

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/pion/webrtc/v4"
)

// virtual is a network in memory. Its world tells who keeps sockets open, by
// the names of the hosts, which are those of the participants.
type virtual struct {
	world *faultnet.World
	host  *faultnet.Host // the server's
}

func newVirtual(tb testing.TB, o Options) network {
	tb.Helper()
	w := faultnet.NewWorld(tb, faultnet.WorldConfig{OneWay: o.Latency, Jitter: o.Jitter, Seed: o.Seed})
	return &virtual{world: w, host: w.Host("server")}
}

func (v *virtual) listen() (net.Listener, error) { return v.host.Listen("tcp", ":80") }

func (v *virtual) media() (sfu.Media, error) {
	return sfu.Media{Net: v.host, IPs: []string{v.host.Addresses()[0].String()}}, nil
}

func (v *virtual) mute(on bool) { v.host.BlockUDP(on) }

func (v *virtual) station(name string) (station, error) {
	return &virtualStation{host: v.world.Host(name)}, nil
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
}

func (st *virtualStation) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := st.host.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return st.add(c), nil
}

func (st *virtualStation) configure(e *webrtc.SettingEngine) { e.SetNet(st.host) }

func (st *virtualStation) cut(on bool) { st.host.SetBlackhole(on) }

func (st *virtualStation) loss(permille int) { st.host.SetLoss(permille) }
