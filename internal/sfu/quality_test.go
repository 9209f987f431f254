package sfu

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestC87LevelsFollowTheTable(t *testing.T) {
	for _, tc := range []struct {
		flow flow
		want int
	}{
		{flow{}, 5},
		{flow{loss: 0.01, rtt: 0.150, jitter: 0.030}, 5},
		{flow{loss: 0.011}, 4},
		{flow{loss: 0.07}, 3},
		{flow{loss: 0.08}, 2},
		{flow{loss: 0.16}, 1},
		{flow{rtt: 0.3}, 4},
		{flow{rtt: 0.31}, 3},
		{flow{rtt: 0.6}, 2},
		{flow{rtt: 1.1}, 1},
		{flow{jitter: 0.05}, 4},
		{flow{jitter: 0.3}, 1},
		{flow{rate: 1e6, available: 2e6}, 5},
		{flow{rate: 1e6, available: 8e5}, 4},
		{flow{rate: 1e6, available: 1e5}, 1},
		{flow{loss: 0.02, rtt: 0.4, jitter: 0.01}, 3},
	} {
		require.Equal(t, tc.want, tc.flow.level(), "%+v", tc.flow)
	}
}

func TestLossIsOfTheLastIntervalAndFadesAway(t *testing.T) {
	var f flow
	f.advance(flow{packets: 100, lost: 10, bytes: 1000}, time.Second)
	require.InDelta(t, 0.1, f.loss, 1e-9)
	require.InDelta(t, 8000, f.rate, 1e-9)
	for _, want := range []float64{0.05, 0.025, 0.0125, 0.00625, 0} {
		f.advance(flow{packets: f.packets + 100, lost: f.lost}, time.Second)
		require.InDelta(t, want, f.loss, 1e-9)
	}
	f.advance(flow{packets: 10, lost: 1}, time.Second) // sections have ended
	require.Zero(t, f.loss)
	require.EqualValues(t, 10, f.packets)
	f.advance(flow{packets: 11, lost: 500}, time.Second)
	require.InDelta(t, 1, f.loss, 1e-9, "no more than all")
}

func TestMeasurementsOfAnySortAreTaken(t *testing.T) {
	for _, text := range []string{
		`{"type":"network_quality","ice":null,"send":null,"audio":{},"reportLevel":3,"remoteReportLevel":3}`,
		`{"type":"network_quality","ice":{"rtt":-1,"availableSend":1e300},"reportLevel":1e300}`,
		`{"type":"network_quality"}`,
	} {
		var m measurement
		require.NoError(t, json.Unmarshal([]byte(text), &m))
		p := &peer{roster: &roster{}}
		q := p.measure(&m)
		require.Equal(t, 5, q.level())
		_, err := json.Marshal(q.report("PA1", 3))
		require.NoError(t, err)
	}
}
