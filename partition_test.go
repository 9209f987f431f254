package parley_test

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// A quiet room notices as soon as a busy one that the network is gone, and
// counts from there.
func TestPartitionOf31SecondsEndsAQuietRoom(t *testing.T) {
	began := time.Now()
	inStudio(t, func(t *testing.T, st *studio) {
		room := st.join("bot")
		roomtest.Next[parley.ParticipantConnected](t, st.join("app").Events())
		time.Sleep(20 * time.Second)
		st.srv.Cut("bot")
		time.Sleep(29 * time.Second)
		require.Equal(t, parley.StateReconnecting, room.State())
		time.Sleep(2 * time.Second)
		st.srv.Restore("bot")
		require.Equal(t, parley.StateDisconnected, room.State())
		require.ErrorIs(t, room.Err(), parley.ErrSignalingDisconnected)
		events := room.Events()
		require.ErrorIs(t, roomtest.Next[parley.Disconnected](t, events).Err, parley.ErrSignalingDisconnected)
	})
	t.Logf("it took %v", time.Since(began))
}
