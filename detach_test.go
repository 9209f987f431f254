package parley_test

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

func TestDetachAll(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		track, write := st.written(media.VP8, "v")
		st.join("alice", track)
		remote := of(t, st.join("bob"), "alice", "v").(*parley.RemoteVideoTrack)
		require.Empty(t, remote.DetachAll(), "there is none")
		one, two := &reel{}, &reel{}
		require.NoError(t, remote.Attach(one))
		require.NoError(t, remote.Attach(two))
		settle()
		d := &drawing{label: "v", width: 64, height: 48}
		draw := func() {
			for i := range 10 {
				write(d.next(i == 0))
				time.Sleep(40 * time.Millisecond)
			}
			settle()
		}
		draw()
		require.ElementsMatch(t, []media.Sink{one, two}, remote.DetachAll())
		draw()
		require.Len(t, one.all(), 10, "nothing comes after DetachAll")
		require.Len(t, two.all(), 10)
		require.NoError(t, remote.Attach(one), "it may come again")
		draw()
		require.Len(t, one.all(), 20)
		require.Len(t, two.all(), 10)
		require.Equal(t, []media.Sink{one}, remote.DetachAll())
	})
}
