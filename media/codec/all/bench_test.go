//go:build cgo && codecs && unix

package all_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/codectest"
)

// BenchmarkEncode tells the time of one picture: at 30 a second, 33 ms would be
// a whole processor. The time of the processor is what to compare on a machine
// that has other work.
func BenchmarkEncode(b *testing.B) {
	for name, m := range makers() {
		for _, threads := range []int{1, 2} {
			for _, size := range []struct{ width, height, bitrate int }{{640, 480, 1_000_000}, {1280, 720, 2_000_000}} {
				b.Run(fmt.Sprintf("%s/%dp/threads=%d", name, size.height, threads), func(b *testing.B) {
					enc := m.newEncoder(b, codec.VideoOptions{Bitrate: size.bitrate, Threads: threads})
					frames := make([]media.VideoFrame, 60)
					scene := codectest.NewScene(size.width, size.height)
					for n := range frames {
						scene.Draw(&frames[n], n)
					}
					n := 0
					encode := func() {
						f := &frames[n%len(frames)]
						f.Timestamp = codectest.Time(n, 30)
						_, err := enc.Encode(f, false)
						require.NoError(b, err)
						n++
					}
					encode()
					b.ReportAllocs()
					b.ResetTimer()
					began := cpuTime(b)
					for range b.N {
						encode()
					}
					b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N), "cpu-ns/op")
				})
			}
		}
	}
}

func cpuTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
