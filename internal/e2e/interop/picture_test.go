//go:build e2e

package interop_test

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"

	"github.com/stretchr/testify/require"
)

// picture takes a screenshot of an element, "" for the page, and keeps it under
// a name.
func (p *page) picture(name, selector string) image.Image {
	p.t.Helper()
	path := filepath.Join(artifacts(p.t), "interop-"+name+".png")
	args := map[string]any{"path": path}
	if selector != "" {
		args["selector"] = selector
	}
	p.do(nil, "screenshot", args)
	file, err := os.Open(path)
	require.NoError(p.t, err)
	img, err := png.Decode(file)
	require.NoError(p.t, err)
	require.NoError(p.t, file.Close())
	return img
}

// shows waits until a video plays, and checks with two pictures, kept under the
// name, that it is neither black nor of one color, and moves.
func (p *page) shows(name, identity, track string) {
	p.t.Helper()
	p.plays(identity, track)
	selector := fmt.Sprintf("video[data-identity=%q][data-track=%q]", identity, track)
	first := p.picture(name+"-1", selector)
	second := first
	for i := 0; differ(first, second) <= 0.001; i++ {
		// What turns may look the same when the second one is taken.
		require.Less(p.t, i, 10, "%s does not move", name)
		p.plays(identity, track)
		second = p.picture(name+"-2", selector)
	}
	for _, img := range []image.Image{first, second} {
		require.Greater(p.t, lit(img), 0.3, "%s is black", name)
		require.Greater(p.t, colors(img), 3, "%s is empty", name)
	}
}

// lit is the share of the pixels that are not nearly black.
func lit(img image.Image) float64 {
	n := 0
	each(img, func(_, _ int, c color.RGBA) {
		if int(c.R)+int(c.G)+int(c.B) > 48 {
			n++
		}
	})
	return share(n, img)
}

// colors counts the colors, with four bits of each channel.
func colors(img image.Image) int {
	seen := map[[3]uint8]bool{}
	each(img, func(_, _ int, c color.RGBA) { seen[[3]uint8{c.R >> 4, c.G >> 4, c.B >> 4}] = true })
	return len(seen)
}

// differ is the share of the pixels that differ visibly between two pictures of
// one size.
func differ(a, b image.Image) float64 {
	n := 0
	each(a, func(x, y int, c color.RGBA) {
		d := color.RGBAModel.Convert(b.At(x, y)).(color.RGBA)
		if apart(c.R, d.R)+apart(c.G, d.G)+apart(c.B, d.B) > 60 {
			n++
		}
	})
	return share(n, a)
}

func apart(a, b uint8) int { return max(int(a), int(b)) - min(int(a), int(b)) }

func share(n int, img image.Image) float64 {
	return float64(n) / float64(img.Bounds().Dx()*img.Bounds().Dy())
}

func each(img image.Image, f func(x, y int, c color.RGBA)) {
	r := img.Bounds()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			f(x, y, color.RGBAModel.Convert(img.At(x, y)).(color.RGBA))
		}
	}
}
