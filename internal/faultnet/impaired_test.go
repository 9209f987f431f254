package faultnet_test

import (
	"encoding/binary"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/parley-rtc/parley/internal/faultnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// loop is a packet socket without a network: it reads what was written to it.
type loop struct {
	packets chan []byte
	closed  chan struct{}
	once    sync.Once
}

func newLoop() *loop { return &loop{packets: make(chan []byte, 1<<16), closed: make(chan struct{})} }

func (l *loop) WriteTo(b []byte, _ net.Addr) (int, error) {
	l.packets <- append([]byte(nil), b...)
	return len(b), nil
}

func (l *loop) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-l.packets:
		return copy(b, p), l.LocalAddr(), nil
	case <-l.closed:
		return 0, nil, net.ErrClosed
	}
}

func (l *loop) Close() error                     { l.once.Do(func() { close(l.closed) }); return nil }
func (l *loop) LocalAddr() net.Addr              { return &net.UDPAddr{Port: 1} }
func (l *loop) SetDeadline(time.Time) error      { return nil }
func (l *loop) SetReadDeadline(time.Time) error  { return nil }
func (l *loop) SetWriteDeadline(time.Time) error { return nil }

// send writes packets with the numbers from 0, one each interval.
func send(t *testing.T, c net.PacketConn, n, size int, interval time.Duration) {
	t.Helper()
	for i := range n {
		b := make([]byte, size)
		binary.BigEndian.PutUint32(b, uint32(i))
		wrote, err := c.WriteTo(b, c.LocalAddr())
		require.NoError(t, err)
		require.Equal(t, size, wrote)
		time.Sleep(interval)
	}
}

type arrival struct {
	number int
	at     time.Duration
}

// receive reads until nothing has come for a second.
func receive(t *testing.T, c net.PacketConn) (got []arrival) {
	t.Helper()
	start := time.Now()
	b := make([]byte, 1500)
	for {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Second)))
		_, _, err := c.ReadFrom(b)
		if err != nil {
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			return got
		}
		got = append(got, arrival{int(binary.BigEndian.Uint32(b)), time.Since(start)})
	}
}

// through sends packets with the faults on their way out and returns what
// arrives.
func through(t *testing.T, f faultnet.Faults, seed uint64, n, size int, interval time.Duration) (got []arrival, counts faultnet.Counts) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := faultnet.Impair(newLoop(), seed)
		defer c.Close()
		c.SetSendFaults(f)
		var sender sync.WaitGroup
		sender.Go(func() { send(t, c, n, size, interval) })
		got = receive(t, c)
		sender.Wait()
		counts = c.Sent()
		require.Equal(t, n, counts.Offered)
	})
	return got, counts
}

func TestImpairedPassesEverythingWithoutFaults(t *testing.T) {
	got, counts := through(t, faultnet.Faults{}, 1, 100, 100, time.Millisecond)
	require.Len(t, got, 100)
	for i, a := range got {
		require.Equal(t, arrival{i, time.Duration(i) * time.Millisecond}, a)
	}
	require.Equal(t, faultnet.Counts{Offered: 100}, counts)
}

func TestImpairedLoss(t *testing.T) {
	got, counts := through(t, faultnet.Faults{Loss: 200}, 1, 5000, 100, time.Millisecond)
	require.InDelta(t, 1000, counts.Lost, 100)
	require.Len(t, got, counts.Passed())

	again, _ := through(t, faultnet.Faults{Loss: 200}, 1, 5000, 100, time.Millisecond)
	require.Equal(t, got, again, "the same seed loses the same packets")
	other, _ := through(t, faultnet.Faults{Loss: 200}, 2, 5000, 100, time.Millisecond)
	require.NotEqual(t, got, other)
}

func TestImpairedDelayAndJitter(t *testing.T) {
	got, _ := through(t, faultnet.Faults{Delay: 50 * time.Millisecond, Jitter: 10 * time.Millisecond}, 1, 500, 100, 3*time.Millisecond)
	require.Len(t, got, 500)
	reordered := 0
	early, late := time.Hour, time.Duration(0)
	for i, a := range got {
		took := a.at - time.Duration(a.number)*3*time.Millisecond
		early, late = min(early, took), max(late, took)
		if i > 0 && a.number < got[i-1].number {
			reordered++
		}
	}
	require.InDelta(t, 50*time.Millisecond, early, float64(time.Millisecond))
	require.InDelta(t, 60*time.Millisecond, late, float64(time.Millisecond))
	require.NotZero(t, reordered)
}

func TestImpairedKeepsOrderWithoutJitter(t *testing.T) {
	got, _ := through(t, faultnet.Faults{Delay: 50 * time.Millisecond}, 1, 200, 100, 0)
	require.Len(t, got, 200)
	for i, a := range got {
		require.Equal(t, i, a.number)
		require.Equal(t, 50*time.Millisecond, a.at)
	}
}

func TestImpairedBursts(t *testing.T) {
	burst := faultnet.Burst{Enter: 10, Leave: 200}
	got, counts := through(t, faultnet.Faults{Burst: burst}, 1, 20000, 100, time.Millisecond)
	// One packet in 21 is in a burst, and a burst lasts five.
	require.InDelta(t, 20000/21, counts.Lost, 200)
	bursts := 0
	for i := 1; i < len(got); i++ {
		if got[i].number != got[i-1].number+1 {
			bursts++
		}
	}
	require.InDelta(t, 5, float64(counts.Lost)/float64(bursts), 1)

	_, half := through(t, faultnet.Faults{Burst: faultnet.Burst{Enter: 10, Leave: 200, Loss: 500}}, 1, 20000, 100, time.Millisecond)
	require.InDelta(t, counts.Lost/2, half.Lost, 100)
}

func TestImpairedDuplication(t *testing.T) {
	got, counts := through(t, faultnet.Faults{Duplicate: 100}, 1, 2000, 100, time.Millisecond)
	require.InDelta(t, 200, counts.Duplicated, 50)
	require.Len(t, got, 2000+counts.Duplicated)
}

func TestImpairedRateAndQueue(t *testing.T) {
	// 1000 bytes each 5 ms are 1.6 Mbit/s; half of that goes through.
	got, counts := through(t, faultnet.Faults{Rate: 800_000, Queue: 10_000}, 1, 1000, 1000, 5*time.Millisecond)
	require.InDelta(t, 500, len(got), 20)
	require.Equal(t, 1000-len(got), counts.Overflowed)
	for _, a := range got {
		require.LessOrEqual(t, a.at-time.Duration(a.number)*5*time.Millisecond, 110*time.Millisecond, "a full queue is 100 ms")
	}
}

func TestImpairedIsChangedWhileInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := faultnet.Impair(newLoop(), 1)
		defer c.Close()
		c.SetFaults(faultnet.Faults{Blackhole: true})
		send(t, c, 10, 10, 0)
		require.Empty(t, receive(t, c))
		require.Equal(t, faultnet.Counts{Offered: 10, Lost: 10}, c.Sent())

		c.SetSendFaults(faultnet.Faults{})
		send(t, c, 10, 10, 0)
		require.Empty(t, receive(t, c))
		require.Equal(t, faultnet.Counts{Offered: 10, Lost: 10}, c.Received())

		c.SetReceiveFaults(faultnet.Faults{Delay: time.Millisecond})
		send(t, c, 10, 10, 0)
		require.Len(t, receive(t, c), 10)
	})
}

func TestImpairedCloseLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := faultnet.Impair(newLoop(), 1)
		c.SetFaults(faultnet.Faults{Delay: time.Hour})
		send(t, c, 100, 10, 0)
		var reader sync.WaitGroup
		reader.Go(func() {
			_, _, err := c.ReadFrom(make([]byte, 10))
			require.ErrorIs(t, err, net.ErrClosed)
		})
		synctest.Wait()
		start := time.Now()
		require.NoError(t, c.Close())
		require.NoError(t, c.Close())
		reader.Wait()
		require.Zero(t, time.Since(start))
		_, err := c.WriteTo([]byte{1}, c.LocalAddr())
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

func TestImpairedRealSocket(t *testing.T) {
	listen := func() net.PacketConn {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		return c
	}
	c, peer := faultnet.Impair(listen(), 1), listen()
	defer c.Close()
	defer peer.Close()
	c.SetFaults(faultnet.Faults{Delay: time.Millisecond, Loss: 300})
	// Echo until the peer has answered a hundred times; loss makes it take more.
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 100)
		for range 100 {
			n, from, err := peer.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = peer.WriteTo(b[:n], from)
		}
	}()
	for i := 0; ; i++ {
		_, err := c.WriteTo([]byte("ping"), peer.LocalAddr())
		require.NoError(t, err)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(5*time.Millisecond)))
		_, _, _ = c.ReadFrom(make([]byte, 10))
		select {
		case <-done:
			require.GreaterOrEqual(t, c.Sent().Passed(), 100)
			require.Greater(t, c.Sent().Lost, 10)
			require.Greater(t, c.Received().Lost, 5)
			return
		default:
		}
	}
}
