// Package codectest makes the pictures and sounds that the codecs are tested
// with, and measures what came back.
package codectest

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec/internal/picture"
)

const margin = 128

// Scene is a moving picture: a textured ground that the camera circles over,
// boxes that cross it, and the noise of a sensor.
type Scene struct {
	width, height int
	ground        [3][]byte // larger than the picture by the margin
	noise         []byte    // added to the luma, modulo its length
}

var scenes sync.Map // by size

// NewScene returns the same scene for the same size. It may be used by several
// goroutines.
func NewScene(width, height int) *Scene {
	size := [2]int{width, height}
	if s, ok := scenes.Load(size); ok {
		return s.(*Scene)
	}
	s := newScene(width, height)
	scenes.Store(size, s)
	return s
}

func newScene(width, height int) *Scene {
	s := &Scene{width: width, height: height, noise: make([]byte, 9973)}
	r := rand.New(rand.NewPCG(uint64(width), uint64(height)))
	for i := range s.noise {
		s.noise[i] = byte(r.IntN(5))
	}
	for i := range s.ground {
		w, h := picture.Plane(width+2*margin, height+2*margin, i)
		s.ground[i] = make([]byte, w*h)
		scale := 1.0
		if i > 0 {
			scale = 2
		}
		for y := range h {
			for x := range w {
				fx, fy := float64(x)*scale, float64(y)*scale
				v := 120 + 40*math.Sin(fx/23+float64(i))*math.Cos(fy/31) + 25*math.Sin((fx+fy)/7) + 12*math.Sin(fx*fy/900)
				s.ground[i][y*w+x] = byte(v)
			}
		}
	}
	return s
}

// Draw puts the nth picture into f, in the memory of f.
func (s *Scene) Draw(f *media.VideoFrame, n int) {
	if err := f.Reset(media.I420, s.width, s.height); err != nil {
		panic(err) // a test asks for an impossible size
	}
	angle := float64(n) / 20
	dx, dy := margin+int(100*math.Cos(angle)), margin+int(100*math.Sin(angle))
	for i := range f.Planes {
		w, h := picture.Plane(s.width, s.height, i)
		gw, _ := picture.Plane(s.width+2*margin, 0, i)
		x, y := dx, dy
		if i > 0 {
			x, y = dx/2, dy/2
		}
		picture.Copy(f.Planes[i], w, s.ground[i][y*gw+x:], gw, w, h)
	}
	for b := range 3 {
		s.box(f, n, b)
	}
	luma, offset := f.Planes[0], (n*7919)%len(s.noise)
	for len(luma) > 0 {
		noise := s.noise[offset:]
		for i := range min(len(noise), len(luma)) {
			luma[i] += noise[i]
		}
		luma, offset = luma[min(len(noise), len(luma)):], 0
	}
}

func (s *Scene) box(f *media.VideoFrame, n, b int) {
	side := s.height / 5
	x0 := (n*(3+2*b) + b*s.width/3) % max(1, s.width-side)
	y0 := b * (s.height - side) / 3
	for y := range side {
		row := f.Planes[0][(y0+y)*f.Strides[0]+x0:]
		for x := range side {
			row[x] = byte(60 + 50*b + (x*y)&15)
		}
	}
}

// PSNR compares the luma of two pictures of one size, in dB; equal ones give 99.
func PSNR(a, b *media.VideoFrame) float64 {
	if a.Width > b.Width || a.Height > b.Height {
		a, b = b, a
	}
	sum := 0
	for y := range a.Height {
		p, q := a.Planes[0][y*a.Strides[0]:][:a.Width], b.Planes[0][y*b.Strides[0]:][:a.Width]
		for x := range p {
			d := int(p[x]) - int(q[x])
			sum += d * d
		}
	}
	if sum == 0 {
		return 99
	}
	return 10 * math.Log10(255*255*float64(a.Width*a.Height)/float64(sum))
}

// Time returns the timestamp of the nth picture at the rate.
func Time(n int, fps float64) time.Duration {
	return time.Duration(float64(n) / fps * float64(time.Second))
}
