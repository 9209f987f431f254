//go:build e2e && linux && cgo && codecs

package window

import (
	"context"
	"image"
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec/all"
	"github.com/parley-rtc/parley/media/play"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/stretchr/testify/require"
)

// film is a track with the samples of a source.
type film struct {
	src  media.Source
	done chan struct{}
}

func (f film) Done() <-chan struct{}   { return f.done }
func (f film) Detach(media.Sink) error { return f.src.Close() }

func (f film) Attach(sink media.Sink) error {
	go func() {
		for {
			s, err := f.src.Next(context.Background())
			if err != nil || sink.WriteSample(s) != nil {
				return
			}
		}
	}()
	return nil
}

// The test picture, encoded, goes through a player onto the display; what is
// seen there is one of its pictures.
func TestPlayerShowsPictures(t *testing.T) {
	pictures := decoded(t)
	d := newDisplay(t)
	w := d.open(Options{Width: 640, Height: 240, Title: "lab"})
	p, err := play.New(&play.Options{Screen: w})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	ann, bob := film{synth.Video(), make(chan struct{})}, film{synth.Video(), make(chan struct{})}
	require.NoError(t, p.Add("ann", ann))
	require.Eventually(t, func() bool { return p.Stats()[0].Shown > 0 }, 10*time.Second, time.Millisecond)
	require.NoError(t, p.Add("bob", bob))
	require.Eventually(t, func() bool { return len(p.Stats()) == 2 && p.Stats()[1].Shown > 20 }, 20*time.Second, time.Millisecond)
	img := d.look()
	t.Log(d.keep("player", img))
	for i, corner := range []image.Point{{0, 0}, {320, 0}} {
		best := 1e9
		for _, c := range pictures {
			var sum float64
			for y := 40; y < 240; y++ {
				for x := range 320 {
					a, b := c.at(x, y), img.RGBAAt(corner.X+x, corner.Y+y)
					for _, d := range [3]float64{float64(a.R) - float64(b.R), float64(a.G) - float64(b.G), float64(a.B) - float64(b.B)} {
						sum += d * d
					}
				}
			}
			best = min(best, sum/(200*320*3))
		}
		require.Zero(t, best, "place %d shows none of the pictures", i)
	}
	for _, s := range p.Stats() {
		require.Zero(t, s.Failed)
	}
	close(ann.done)
	d.shows("bob alone, larger", func(img *image.RGBA) bool { return len(p.Stats()) == 1 && img.RGBAAt(2, 120) == img.RGBAAt(637, 120) })
}

// decoded returns the pictures of the test clip as they are drawn.
func decoded(t *testing.T) []*canvas {
	src := synth.Video()
	dec, err := all.NewVideoDecoder(media.VP8)
	require.NoError(t, err)
	defer func() { require.NoError(t, dec.Close()) }()
	var list []*canvas
	var p painter
	for range 125 {
		s, err := src.Next(t.Context())
		require.NoError(t, err)
		var f media.VideoFrame
		ok, err := dec.Decode(s, &f)
		require.NoError(t, err)
		if ok {
			c := newCanvas(320, 240)
			p.draw(c, &f, image.Rect(0, 0, 320, 240))
			list = append(list, c)
		}
	}
	require.NoError(t, src.Close())
	return list
}
