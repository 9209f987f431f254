package rtc

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// joins makes the table of RELIABILITY.md:
//
//	go test -count=1 -v -run TestJoinsBesidePionDefaults ./internal/rtc -args -joins 40
var joins = flag.Int("joins", 0, "connections for each cell of the table of joins, beside pion's; 0: a few, of ours alone")

// joinLimit is when a connection has failed.
const joinLimit = 20 * time.Second

// TestJoinsBesidePionDefaults measures how long it takes from the first
// description to an open data channel, on a network with 25 ms one way that
// loses packets both ways, with this package's settings and with pion's own.
func TestJoinsBesidePionDefaults(t *testing.T) {
	n, ways := 2, []joinWay{{"parley", ours}}
	if *joins > 0 {
		n, ways = *joins, []joinWay{{"pion", pionDefaults}, ways[0]}
	}
	var head, table strings.Builder
	for _, loss := range []int{0, 100, 200, 300} {
		fmt.Fprintf(&table, "\n| %d %% |", loss/10)
		for _, way := range ways {
			took := make([]time.Duration, n)
			failed := 0
			for seed := range took {
				took[seed] = joinTime(t, loss, uint64(seed), way.connect)
				if took[seed] == joinLimit {
					failed++
				}
			}
			slices.Sort(took)
			at := func(q int) float64 { return took[min(n*q/100, n-1)].Seconds() }
			fmt.Fprintf(&table, " %.2f s | %.2f s | %d of %d |", at(50), at(90), failed, n)
			if loss == 0 {
				fmt.Fprintf(&head, " %s: p50 | p90 | failed |", way.name)
			}
			if way.name == "parley" {
				require.Zero(t, failed)
			}
		}
	}
	t.Logf("joins under loss\n| loss |%s%s", &head, &table)
}

// joinWay makes a connection, and tells when it is open.
type joinWay struct {
	name    string
	connect func(t *testing.T, clients, servers *faultnet.Host) <-chan struct{}
}

func joinTime(t *testing.T, loss int, seed uint64, connect func(t *testing.T, clients, servers *faultnet.Host) <-chan struct{}) (took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		w := faultnet.NewWorld(t, faultnet.WorldConfig{OneWay: 25 * time.Millisecond, Seed: seed})
		client, server := w.Host("client"), w.Host("server")
		client.SetLoss(loss)
		began := time.Now()
		opened := connect(t, client, server)
		limit := time.NewTimer(joinLimit)
		defer limit.Stop()
		select {
		case <-opened:
			took = time.Since(began)
		case <-limit.C:
			took = joinLimit
		}
		client.SetLoss(0)
	})
	return took
}

func ours(t *testing.T, clients, servers *faultnet.Host) <-chan struct{} {
	t.Helper()
	side := func(host *faultnet.Host, prefix string) *side {
		api, err := New(Config{Net: host})
		require.NoError(t, err)
		return newSide(t, api, prefix)
	}
	client, server := side(clients, "c"), side(servers, "s")
	opened := openChannel(t, client.pc)
	join(t, client, server)
	return opened
}

func openChannel(t *testing.T, pc *webrtc.PeerConnection) <-chan struct{} {
	t.Helper()
	channel, err := pc.CreateDataChannel("c", nil)
	require.NoError(t, err)
	opened := make(chan struct{})
	channel.OnOpen(sync.OnceFunc(func() { close(opened) }))
	return opened
}

// pionDefaults changes only what has nothing to do with joining.
func pionDefaults(t *testing.T, clients, servers *faultnet.Host) <-chan struct{} {
	t.Helper()
	bare := func(host *faultnet.Host) *webrtc.PeerConnection {
		var s webrtc.SettingEngine
		s.SetNet(host)
		s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
		s.DisableCloseByDTLS(true)
		pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, pc.GracefulClose()) })
		return pc
	}
	client, server := bare(clients), bare(servers)
	opened := openChannel(t, client)
	offer, err := client.CreateOffer(nil)
	require.NoError(t, err)
	gathered := webrtc.GatheringCompletePromise(client)
	require.NoError(t, client.SetLocalDescription(offer))
	<-gathered
	require.NoError(t, server.SetRemoteDescription(*client.LocalDescription()))
	answer, err := server.CreateAnswer(nil)
	require.NoError(t, err)
	gathered = webrtc.GatheringCompletePromise(server)
	require.NoError(t, server.SetLocalDescription(answer))
	<-gathered
	require.NoError(t, client.SetRemoteDescription(*server.LocalDescription()))
	return opened
}
