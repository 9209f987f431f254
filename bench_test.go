package parley_test

import (
	"testing"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// BenchmarkJoin is one participant that joins an empty room and leaves it.
func BenchmarkJoin(b *testing.B) {
	srv := roomtest.NewServer(b)
	token := srv.Token("bench", "lab")
	b.ReportAllocs()
	for b.Loop() {
		room, err := parley.Connect(token, &parley.ConnectOptions{URL: srv.URL()})
		require.NoError(b, err)
		b.StopTimer()
		require.NoError(b, room.Disconnect())
		b.StartTimer()
	}
}
