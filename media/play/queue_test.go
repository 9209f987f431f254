package play

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

func TestQueueIsInOrder(t *testing.T) {
	var q queue
	for _, at := range []time.Duration{5, 1, 3, 3, 2, 9, 4} {
		require.Zero(t, q.put(media.Sample{Timestamp: at, Data: []byte{byte(at)}}))
	}
	for _, want := range []time.Duration{1, 2, 3, 4, 5, 9} {
		s, ok := q.first()
		require.True(t, ok)
		require.Equal(t, want, s.Timestamp)
		q.pop()
	}
	_, ok := q.first()
	require.False(t, ok)
	q.pop()
	require.Zero(t, q.len())
	require.Zero(t, q.bytes)
}

// A queue that nobody takes from drops its oldest, and says so to whom comes
// behind them.
func TestQueueIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		each, size int
		most       int
	}{
		"many": {1, 1, maxSamples}, "long": {100, 1, 51}, "large": {1, 1 << 20, 32},
	} {
		t.Run(name, func(t *testing.T) {
			var q queue
			dropped := 0
			for n := range 2000 {
				at := time.Duration(n*c.each) * time.Millisecond
				dropped += q.put(media.Sample{Timestamp: at, Data: make([]byte, c.size), Lost: 1})
				require.LessOrEqual(t, q.len(), c.most)
			}
			require.Equal(t, 2000-c.most, dropped)
			s, _ := q.first()
			require.Equal(t, 2*dropped+1, s.Lost)
			require.LessOrEqual(t, cap(q.items), 4*maxSamples)
		})
	}
	var q queue
	require.Zero(t, q.put(media.Sample{Data: make([]byte, 2*maxBytes)}), "there is always room for one")
}
