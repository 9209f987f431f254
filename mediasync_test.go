package parley_test

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// stamped returns a sample that says itself when it was captured.
func stamped(head []byte, at time.Time, timestamp time.Duration) media.Sample {
	return media.Sample{
		Data: binary.BigEndian.AppendUint64(head, uint64(at.UnixNano())), Timestamp: timestamp, Captured: at, Keyframe: true,
	}
}

// Audio and video come from two devices, one of which counts its samples 200 ppm
// too fast, and take different times to encode. Who receives them learns from
// the sender's reports when each was captured, to within milliseconds.
func TestCaptureTimesStayInStep(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		audio, writeAudio := st.written(media.Opus, "mic")
		video, writeVideo := st.written(media.VP8, "camera")
		alice := st.join("alice", audio, video)
		bob := st.join("bob")
		const length = 2 * time.Minute
		rnd := rand.New(rand.NewPCG(1, 2))
		var playing sync.WaitGroup
		record := func(every, clock time.Duration, delay func() time.Duration, head []byte, write func(media.Sample)) {
			playing.Go(func() {
				began := time.Now()
				for i := range int(length / every) {
					at := began.Add(time.Duration(i) * every)
					time.Sleep(time.Until(at.Add(delay())))
					write(stamped(head, at, time.Duration(i)*clock))
				}
			})
		}
		slow := 20*time.Millisecond - 4*time.Microsecond // 200 ppm
		record(slow, 20*time.Millisecond, func() time.Duration { return 10 * time.Millisecond }, []byte{0xfc}, writeAudio)
		record(33*time.Millisecond, 33*time.Millisecond, func() time.Duration {
			return 20*time.Millisecond + time.Duration(rnd.Int64N(int64(30*time.Millisecond)))
		},
			[]byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0}, writeVideo)
		var reading sync.WaitGroup
		for name, head := range map[string]int{"mic": 1, "camera": 10} {
			track := of(t, bob, "alice", name)
			reading.Go(func() {
				var first, known, total int
				var worst time.Duration
				for s, err := range track.Samples(t.Context()) {
					require.NoError(t, err)
					total++
					if s.Captured.IsZero() {
						continue
					}
					if known++; known == 1 {
						first = total
					}
					truth := time.Unix(0, int64(binary.BigEndian.Uint64(s.Data[head:])))
					worst = max(worst, s.Captured.Sub(truth).Abs())
				}
				t.Logf("%s: %d of %d samples have a time, from number %d on; the worst is off by %v", name, known, total, first, worst)
				require.Less(t, first, 10, name)
				require.Equal(t, total-first+1, known, name)
				require.Less(t, worst, 5*time.Millisecond, name)
			})
		}
		playing.Wait()
		settle()
		require.NoError(t, alice.Disconnect())
		reading.Wait()
	}, func(o *roomtest.Options) { o.Latency = 30 * time.Millisecond })
}
