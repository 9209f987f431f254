package sfu

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

func TestMeterCountsFullSeconds(t *testing.T) {
	var m meter
	at := time.Unix(1000, 0)
	for range 30 { // 100 bytes each 100 ms
		m.count(100, at)
		at = at.Add(100 * time.Millisecond)
	}
	require.InDelta(t, 8000, m.rate.Load(), 900)
	m.count(100, at.Add(time.Minute))
	require.Zero(t, m.rate.Load(), "a pause is no rate")
}

func TestBitratesOfLayersThatDoNotFlowAreRemembered(t *testing.T) {
	u := newUplink(media.Video, 0)
	u.grow(3)
	defer u.close()
	flow := func(bits ...int64) {
		u.flowing.Store(0)
		for i, l := range *u.layers.Load() {
			l.meter.rate.Store(bits[i])
			l.heard.Store(time.Now().UnixNano())
			if bits[i] > 0 {
				u.flowing.Or(l.bit())
			}
		}
	}
	s := &subscription{pub: &publication{up: u}}
	rates := func() (list []int) {
		for _, l := range s.measure() {
			list = append(list, l.Bitrate)
		}
		return list
	}
	require.Equal(t, []int{0, 0, 0}, rates(), "nothing is known")
	flow(100, 300, 0)
	require.Equal(t, []int{100, 300, 900}, rates(), "three times the one below")
	flow(200, 300, 0)
	require.Equal(t, []int{150, 300, 900}, rates(), "the mean of some time")
	flow(150, 0, 0)
	require.Equal(t, []int{150, 300, 900}, rates(), "nobody wants it now")
	s.Layer = 1
	require.Equal(t, []int{150, 150, 450}, rates(), "it is wanted, and less comes")
	for _, l := range *u.layers.Load() {
		l.meter.rate.Store(1000)
		l.heard.Store(time.Now().Add(-3 * time.Second).UnixNano())
	}
	require.Equal(t, []int{75, 75, 225}, rates(), "nothing comes")
	s.Off = true
	flow(0, 0, 0)
	require.Equal(t, []int{75, 75, 225}, rates(), "nothing is sent because it is off")
}
