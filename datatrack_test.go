package parley_test

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/stretchr/testify/require"
)

func TestDataTrackTellsItsLimits(t *testing.T) {
	track, err := parley.NewLocalDataTrack(nil)
	require.NoError(t, err)
	require.True(t, track.Ordered())
	require.True(t, track.Reliable())
	require.Nil(t, track.MaxPacketLifeTime())
	require.Nil(t, track.MaxRetransmits())

	life, again := 100*time.Millisecond, uint16(3)
	track, err = parley.NewLocalDataTrack(&parley.DataTrackOptions{Unordered: true, MaxPacketLifeTime: &life})
	require.NoError(t, err)
	require.False(t, track.Ordered())
	require.False(t, track.Reliable())
	require.Equal(t, life, *track.MaxPacketLifeTime())

	track, err = parley.NewLocalDataTrack(&parley.DataTrackOptions{MaxRetransmits: &again})
	require.NoError(t, err)
	require.False(t, track.Reliable())
	require.Equal(t, again, *track.MaxRetransmits())

	_, err = parley.NewLocalDataTrack(&parley.DataTrackOptions{MaxPacketLifeTime: &life, MaxRetransmits: &again})
	require.ErrorIs(t, err, parley.ErrOption)
}
