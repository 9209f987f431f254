// Package picture tells the tests with browsers what is to be seen on a
// screenshot.
package picture

import (
	"image"
	"image/color"
	"image/png"
	"os"
)

// Open reads a PNG file.
func Open(path string) (image.Image, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	img, err := png.Decode(file)
	_ = file.Close() // it was only read
	return img, err
}

// Lit is the share of the pixels, 0 to 1, whose three channels, of 255 each, add
// up to more than dark.
func Lit(img image.Image, dark int) float64 {
	return share(img, func(_, _ int, c color.RGBA) bool { return int(c.R)+int(c.G)+int(c.B) > dark })
}

// Colors counts the colors, with four bits of each channel.
func Colors(img image.Image) int {
	seen := map[[3]uint8]bool{}
	share(img, func(_, _ int, c color.RGBA) bool {
		seen[[3]uint8{c.R >> 4, c.G >> 4, c.B >> 4}] = true
		return true
	})
	return len(seen)
}

// Differ is the share of the pixels, 0 to 1, that differ visibly between two
// pictures; -1 if they are not of one size.
func Differ(a, b image.Image) float64 {
	if a.Bounds() != b.Bounds() {
		return -1
	}
	return share(a, func(x, y int, c color.RGBA) bool {
		d := rgba(b, x, y)
		return apart(c.R, d.R)+apart(c.G, d.G)+apart(c.B, d.B) > 60
	})
}

func apart(a, b uint8) int { return max(int(a), int(b)) - min(int(a), int(b)) }

func rgba(img image.Image, x, y int) color.RGBA {
	r, g, b, a := img.At(x, y).RGBA()
	return color.RGBA{R: uint8(r >> 8), G: uint8(g >> 8), B: uint8(b >> 8), A: uint8(a >> 8)}
}

// share is that of the pixels for which f is true.
func share(img image.Image, f func(x, y int, c color.RGBA) bool) float64 {
	r, n := img.Bounds(), 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if f(x, y, rgba(img, x, y)) {
				n++
			}
		}
	}
	return float64(n) / float64(r.Dx()*r.Dy())
}
