package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/front"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// asServer makes the test program be the server, as parley serve is.
const asServer = "serve"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asServer {
		os.Exit(serve())
	}
	goleak.VerifyTestMain(m)
}

func serve() int {
	key := accesstoken.Secret(os.Getenv("PARLEY_API_SECRET"))
	srv, err := front.Start(front.Config{Listen: "127.0.0.1:0", SFU: sfu.Config{
		AccountSID: os.Getenv("PARLEY_ACCOUNT_SID"), Keys: map[string]accesstoken.Secret{os.Getenv("PARLEY_API_KEY"): key},
		Media: sfu.Media{Loopback: true}, MaxParticipants: 200,
		Limits: sfu.Limits{JoinRate: -1, Sockets: -1, DataBytes: -1, DataMessages: -1},
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintf(os.Stderr, "%s%s\n", announce, srv.SignalingURL())
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := srv.Shutdown(context.Background(), 0); err != nil {
		return 1
	}
	return 0
}

func TestEveryFigureIsMeasured(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	var steps []string
	result, err := Run(t.Context(), Config{
		Server: []string{self, asServer}, Quick: true, few: 1,
		Progress: func(what string) { steps = append(steps, what) },
	})
	require.NoError(t, err)
	require.Len(t, steps, 9)
	for _, key := range []string{
		"join_p50_ms", "join_p95_ms", "join_first_message_p50_ms", "late_first_rtp_p50_ms", "publish_first_rtp_p50_ms",
		"media_latency_p50_us", "media_latency_p99_us", "data_round_trip_p50_us", "data_round_trip_p99_us",
		"data_throughput_mb_per_s", "idle_participant_goroutines", "idle_participant_mib", "fan_out_10_packets",
		"fan_out_50_packets",
	} {
		value, ok := result.Get(key)
		require.True(t, ok, key)
		require.Positive(t, value, key)
	}
	loss, ok := result.Get("fan_out_10_packets_lost")
	require.True(t, ok)
	require.Zero(t, loss)
	data, err := json.Marshal(result)
	require.NoError(t, err)
	var flat map[string]float64
	require.NoError(t, json.Unmarshal(data, &flat), "%s", data)
	require.Len(t, flat, len(result))
	var table bytes.Buffer
	require.NoError(t, result.Print(&table))
	require.Equal(t, len(result)+1, strings.Count(table.String(), "\n"))
}

func TestServerThatDoesNotStart(t *testing.T) {
	_, err := Run(t.Context(), Config{Server: []string{"/no/such/program"}})
	require.ErrorContains(t, err, "starting the server")
	_, err = Run(t.Context(), Config{Server: []string{"/bin/sh", "-c", "echo no port left >&2; exit 1"}})
	require.ErrorContains(t, err, "no port left")
	_, err = Run(t.Context(), Config{})
	require.Error(t, err)
}

func TestPercentiles(t *testing.T) {
	require.Zero(t, samples(nil).at(.5))
	s := samples{4, 1, 3, 2}
	require.Equal(t, time.Duration(2), s.at(.5))
	require.Equal(t, time.Duration(4), s.at(.99))
	require.Equal(t, time.Duration(1), s.at(0))
	require.Equal(t, samples{4, 1, 3, 2}, s, "it is left as it was")
}

func TestRound(t *testing.T) {
	for v, want := range map[float64]float64{0: 0, 1234.5: 1235, 12.345: 12.3, 0.012345: 0.0123, -2.3456: -2.35} {
		require.InDelta(t, want, round(v), 1e-9)
	}
}

func TestAge(t *testing.T) {
	_, ok := age(&rtp.Packet{Payload: []byte("something else")})
	require.False(t, ok)
	_, ok = age(&rtp.Packet{Payload: append([]byte{0x10}, marker...)})
	require.False(t, ok, "cut off")
}
