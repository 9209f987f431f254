package play_test

import (
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/play"
	"github.com/stretchr/testify/require"
)

func TestOptions(t *testing.T) {
	for _, o := range []play.Options{
		{MinDelay: -1}, {MaxDelay: -1}, {MaxDelay: 3 * time.Second}, {MinDelay: 2, MaxDelay: 1},
	} {
		_, err := play.New(&o)
		require.ErrorIs(t, err, play.ErrOption, "%+v", o)
	}
	p, err := play.New(nil)
	require.NoError(t, err)
	require.Equal(t, 2, p.Mixer().Channels())
	require.NoError(t, p.Close())
}

// refusing is a track that takes no sinks.
type refusing struct{ *line }

var errRefused = errors.New("refused")

func (refusing) Attach(media.Sink) error { return errRefused }

func TestAddAndRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(t)
		require.ErrorIs(t, p.Add("ann", nil), play.ErrOption)
		l := newLine()
		require.NoError(t, p.Add("ann", l))
		require.ErrorIs(t, p.Add("bob", l), play.ErrOption, "it is being played")
		require.ErrorIs(t, p.Add("bob", refusing{newLine()}), errRefused)
		require.Len(t, p.Stats(), 1)
		for _, g := range []float64{-1, 9, math.NaN(), math.Inf(1)} {
			require.ErrorIs(t, p.SetGain(l, g), play.ErrOption)
		}
		p.Remove(l)
		require.Empty(t, p.Stats())
		p.Remove(l)
		require.NoError(t, p.SetGain(l, 1))
		require.Empty(t, l.sinks)
		require.NoError(t, p.Add("ann", l), "again")
		tone := tone(440, 0.5)
		l.send(tone(0))
		require.NoError(t, p.Close())
		require.Empty(t, l.sinks)
		require.ErrorIs(t, p.Add("ann", newLine()), play.ErrClosed)
		require.NoError(t, p.Close())
	})
}

func TestThereIsAnEndToTracks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(t)
		var err error
		n := 0
		for ; err == nil && n < 1000; n++ {
			err = p.Add("ann", newLine())
		}
		require.ErrorIs(t, err, play.ErrOption)
		require.Equal(t, 257, n)
	})
}

// Everybody does everything at once; the race detector looks on.
func TestConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(t, func(o *play.Options) {
			o.Screen = &easel{}
			o.VideoDecoder = rawDecoder
		})
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				made := tone(440, 0.5)
				for n := range 50 {
					audio, video := newLine(), newLine()
					_ = p.Add("ann", audio) // the player may be closed
					_ = p.Add("ann", video)
					for k := range 10 {
						s := made(k)
						s.Timestamp = time.Duration(k) * 20 * time.Millisecond
						audio.send(s)
						video.send(rawPicture(time.Duration(k)*20*time.Millisecond, byte(k), true))
						time.Sleep(time.Duration(i+1) * time.Millisecond)
					}
					_ = p.SetGain(audio, 0.5)
					_ = p.Stats()
					if n%2 == 0 {
						p.Remove(audio)
						video.end()
					} else {
						audio.end()
						p.Remove(video)
					}
				}
			})
		}
		all.Go(func() { listen(p, 2*time.Second, nil) })
		all.Go(func() {
			time.Sleep(1900 * time.Millisecond)
			require.NoError(t, p.Close())
		})
		all.Wait()
		require.Empty(t, p.Stats())
	})
}
