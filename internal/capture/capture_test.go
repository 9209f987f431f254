package capture_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/capture"
	"github.com/stretchr/testify/require"
)

var (
	v4a = netip.MustParseAddrPort("127.0.0.1:1000")
	v4b = netip.MustParseAddrPort("10.1.2.3:60000")
	v6a = netip.MustParseAddrPort("[fe80::1%eth0]:1")
	v6b = netip.MustParseAddrPort("[2001:db8::ffff:1]:65535")
)

func written(t *testing.T, r *capture.Recorder) file {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.WritePackets(&b))
	return parse(t, b.Bytes())
}

func TestPacketsComeBack(t *testing.T) {
	r := capture.NewRecorder(0)
	server, alice := r.Interface("server"), r.Interface("alice")
	at := time.Date(2000, 1, 1, 0, 0, 0, 123456789, time.UTC)
	in := []capture.Packet{
		{Interface: server, Time: at, Inbound: true, From: v4a, To: v4b, Data: []byte("hello")},
		{Interface: alice, Time: at.Add(1), From: v4b, To: v4a, Data: []byte("lost"), Comment: "lost on purpose"},
		{Interface: server, Time: at.Add(time.Hour), From: v6a, To: v6b, Data: []byte("odd")},
		{Interface: server, Time: at, From: v6a, To: v6b, Data: nil},
		{Interface: server, Time: at, From: netip.AddrPortFrom(netip.MustParseAddr("::ffff:127.0.0.1"), 7), To: v4b, Data: make([]byte, 65507)},
	}
	for _, p := range in {
		r.Packet(p)
	}
	_, err := r.KeyLog().Write([]byte("CLIENT_RANDOM 00 11\n"))
	require.NoError(t, err)
	f := written(t, r)
	require.Equal(t, []string{"server", "alice"}, f.interfaces)
	require.Equal(t, "CLIENT_RANDOM 00 11\n", string(f.secrets))
	require.Empty(t, f.comment)
	require.Len(t, f.packets, len(in))
	for i, got := range f.packets {
		src, dst, payload := udp(t, got.ip)
		require.Equal(t, in[i].From.Port(), src)
		require.Equal(t, in[i].To.Port(), dst)
		require.Equal(t, len(in[i].Data), len(payload))
		require.True(t, bytes.Equal(in[i].Data, payload))
		require.Equal(t, in[i].Comment, got.comment)
		require.Equal(t, in[i].Interface, got.on)
		require.EqualValues(t, in[i].Time.UnixNano(), got.ns)
		require.Equal(t, in[i].Inbound, got.flags == 1)
	}
}

func TestWhatIsNoPacketIsLeftOut(t *testing.T) {
	r := capture.NewRecorder(0)
	on := r.Interface("server")
	r.Packet(capture.Packet{Interface: on, From: v4a, Data: []byte("to nobody")})
	r.Packet(capture.Packet{Interface: on, From: v4a, To: v4b, Data: make([]byte, 1<<20)})
	require.Empty(t, written(t, r).packets)
}

func TestNewestPacketsStay(t *testing.T) {
	const limit = 1 << 20
	r := capture.NewRecorder(limit)
	on := r.Interface("server")
	for i := range 5000 {
		data := fmt.Appendf(make([]byte, 0, 1000), "%04d", i)
		r.Packet(capture.Packet{Interface: on, From: v4a, To: v4b, Data: data[:1000]})
	}
	var b bytes.Buffer
	require.NoError(t, r.WritePackets(&b))
	require.Less(t, b.Len(), limit+1024)
	f := parse(t, b.Bytes())
	require.Greater(t, len(f.packets), 800, "what may be used is used")
	require.Equal(t, 5000, len(f.packets)+r.Forgotten())
	require.Equal(t, fmt.Sprintf("%d older packets were not kept", r.Forgotten()), f.comment)
	for i, p := range f.packets {
		_, _, payload := udp(t, p.ip)
		require.Equal(t, fmt.Sprintf("%04d", r.Forgotten()+i), string(payload[:4]))
	}
}

func TestKeysAreBounded(t *testing.T) {
	r := capture.NewRecorder(0)
	line := append(bytes.Repeat([]byte("k"), 199), '\n')
	for range 5000 {
		n, err := r.KeyLog().Write(line)
		require.NoError(t, err)
		require.Equal(t, len(line), n, "a handshake is not failed by its capture")
	}
	var b bytes.Buffer
	require.NoError(t, r.WriteKeys(&b))
	require.LessOrEqual(t, b.Len(), 256<<10)
	require.Zero(t, b.Len()%len(line), "lines are whole")
}

type full struct{}

var errFull = errors.New("disk full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestFailingFileIsTold(t *testing.T) {
	r := capture.NewRecorder(0)
	on := r.Interface("server")
	r.Packet(capture.Packet{Interface: on, From: v4a, To: v4b})
	require.ErrorIs(t, r.WritePackets(full{}), errFull)
	require.ErrorIs(t, r.WriteKeys(full{}), errFull)
}

// Packets are copied into memory that is used again.
func TestPacketsCostNoAllocation(t *testing.T) {
	r := capture.NewRecorder(1)
	p := capture.Packet{Interface: r.Interface("server"), From: v4a, To: v4b, Data: make([]byte, 1200)}
	for range 1000 { // until chunks are used again
		r.Packet(p)
	}
	require.Zero(t, testing.AllocsPerRun(1000, func() { r.Packet(p) }))
}

func BenchmarkPacket(b *testing.B) {
	r := capture.NewRecorder(0)
	p := capture.Packet{Interface: r.Interface("server"), From: v4a, To: v4b, Data: make([]byte, 1200)}
	b.SetBytes(1200)
	b.ReportAllocs()
	for b.Loop() {
		r.Packet(p)
	}
}
