package window

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/play"
	"github.com/stretchr/testify/require"
)

// picture makes a picture of one color.
func picture(t testing.TB, w, h int, y, u, v byte) *media.VideoFrame {
	f := &media.VideoFrame{}
	require.NoError(t, f.Reset(media.I420, w, h))
	for i, b := range []byte{y, u, v} {
		for j := range f.Planes[i] {
			f.Planes[i][j] = b
		}
	}
	return f
}

func newCanvas(w, h int) *canvas { return &canvas{make([]byte, 4*w*h), w, h} }

func (c *canvas) at(x, y int) color.RGBA {
	p := c.row(x, y, 1)
	return color.RGBA{p[2], p[1], p[0], 255}
}

func near(t *testing.T, want, got color.RGBA, most float64, what ...any) {
	t.Helper()
	for _, d := range []float64{float64(want.R) - float64(got.R), float64(want.G) - float64(got.G), float64(want.B) - float64(got.B)} {
		if math.Abs(d) > most { // called for each pixel
			require.Fail(t, "another color", "want %v, got %v %v", want, got, what)
		}
	}
}

func TestColors(t *testing.T) {
	for name, c := range map[string]struct {
		y, u, v byte
		want    color.RGBA
	}{
		"black":  {16, 128, 128, color.RGBA{0, 0, 0, 255}},
		"white":  {235, 128, 128, color.RGBA{255, 255, 255, 255}},
		"gray":   {126, 128, 128, color.RGBA{128, 128, 128, 255}},
		"red":    {81, 90, 240, color.RGBA{255, 0, 0, 255}},
		"green":  {145, 54, 34, color.RGBA{0, 255, 0, 255}},
		"blue":   {41, 240, 110, color.RGBA{0, 0, 255, 255}},
		"darker": {0, 128, 128, color.RGBA{0, 0, 0, 255}},
		"bright": {255, 255, 255, color.RGBA{255, 125, 255, 255}},
	} {
		for _, size := range []image.Point{{64, 48}, {33, 77}, {200, 150}, {1, 1}} {
			cv := newCanvas(size.X, size.Y)
			(&painter{}).draw(cv, picture(t, 64, 48, c.y, c.u, c.v), image.Rect(0, 0, size.X, size.Y))
			near(t, c.want, cv.at(size.X/2, size.Y/2), 2, name, size)
		}
	}
}

func TestPicturesKeepTheirShape(t *testing.T) {
	for _, c := range []struct{ w, h, boxW, boxH, wantW, wantH int }{
		{640, 480, 640, 480, 640, 480},
		{640, 480, 320, 320, 320, 240},
		{640, 480, 1000, 240, 320, 240},
		{16384, 1, 100, 100, 100, 1},
		{1, 16384, 100, 100, 1, 100},
		{320, 180, 1920, 1080, 1920, 1080},
	} {
		in := image.Rect(7, 9, 7+c.boxW, 9+c.boxH)
		got := fit(c.w, c.h, in)
		require.Equal(t, image.Pt(c.wantW, c.wantH), got.Size(), c)
		require.True(t, got.In(in), c)
		require.InDelta(t, got.Min.X-in.Min.X, in.Max.X-got.Max.X, 1)
		require.InDelta(t, got.Min.Y-in.Min.Y, in.Max.Y-got.Max.Y, 1)
	}
}

// A picture in its own size is what every other converter makes of it.
func TestPicturesAreExactInTheirOwnSize(t *testing.T) {
	const w, h = 61, 47
	rnd := rand.New(rand.NewPCG(1, 2))
	f := picture(t, w, h, 0, 0, 0)
	for i := range f.Planes {
		for j := range f.Planes[i] {
			f.Planes[i][j] = byte(16 + rnd.IntN(220))
		}
	}
	cv := newCanvas(w, h)
	(&painter{}).draw(cv, f, image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			l := 255.0 / 219 * (float64(f.Planes[0][y*f.Strides[0]+x]) - 16)
			u := float64(f.Planes[1][y/2*f.Strides[1]+x/2]) - 128
			v := float64(f.Planes[2][y/2*f.Strides[2]+x/2]) - 128
			clip := func(v float64) byte { return byte(max(0, min(255, math.Round(v)))) }
			near(t, color.RGBA{clip(l + 1.596*v), clip(l - 0.813*v - 0.392*u), clip(l + 2.017*u), 255}, cv.at(x, y), 2, x, y)
		}
	}
}

// Larger or smaller, a slope stays a slope.
func TestScalingIsSmooth(t *testing.T) {
	f := picture(t, 200, 100, 0, 128, 128)
	for y := range 100 {
		for x := range 200 {
			f.Planes[0][y*f.Strides[0]+x] = byte(16 + x*7/8 + y/4)
		}
	}
	for _, w := range []int{50, 131, 200, 333, 1000} {
		cv := newCanvas(w, w/2)
		(&painter{}).draw(cv, f, image.Rect(0, 0, w, w/2))
		to := fit(200, 100, image.Rect(0, 0, w, w/2))
		for y := to.Min.Y; y < to.Max.Y; y++ {
			for x := to.Min.X; x < to.Max.X; x++ {
				sx := max(0, min(199, (float64(x-to.Min.X)+.5)*200/float64(to.Dx())-.5))
				sy := max(0, min(99, (float64(y-to.Min.Y)+.5)*100/float64(to.Dy())-.5))
				want := byte(255.0 / 219 * (sx*7/8 + sy/4))
				near(t, color.RGBA{want, want, want, 255}, cv.at(x, y), 4, w, x, y)
			}
		}
	}
}

func TestTilesCoverTheWindow(t *testing.T) {
	for n := 1; n <= 17; n++ {
		seen := image.Rectangle{}
		for i := range n {
			r := tile(i, n, 1001, 777)
			require.False(t, r.Empty())
			seen = seen.Union(r)
			for j := range i {
				require.False(t, r.Overlaps(tile(j, n, 1001, 777)), "%d and %d of %d", i, j, n)
			}
		}
		require.Equal(t, 1001, seen.Dx(), n)
		require.GreaterOrEqual(t, seen.Dy(), 777*(n+1)/(n+2)-300, n)
	}
	require.True(t, tile(3, 4, 1, 1).Dx() <= 1, "windows may be smaller than their pictures are many")
}

func TestLabelsAreReadableAndHarmless(t *testing.T) {
	cv := newCanvas(200, 40)
	for i := range cv.pix {
		cv.pix[i] = 200
	}
	newLabel("ann").draw(cv, image.Rect(10, 5, 200, 40))
	white, dark := 0, 0
	for y := range 40 {
		for x := range 200 {
			switch cv.at(x, y).R {
			case 255:
				white++
			case 50:
				dark++
			default:
				require.Equal(t, uint8(200), cv.at(x, y).R)
			}
		}
	}
	require.Greater(t, white, 20)
	require.Greater(t, dark, 200)
	require.Equal(t, uint8(200), cv.at(9, 5).R)
	for _, text := range []string{"", "日本語\x00\n\u202e", string(make([]byte, 1<<20))} {
		newLabel(text).draw(cv, image.Rect(150, 30, 200, 40))
		newLabel(text).draw(cv, image.Rectangle{})
	}
}

func TestPanesRefuseWhatIsNoPicture(t *testing.T) {
	p := panes{ready: make(chan struct{}, 1)}
	n, err := p.add("ann")
	require.NoError(t, err)
	require.ErrorIs(t, n.Show(&media.VideoFrame{Format: media.BGRA, Width: 2, Height: 2}), play.ErrOption)
	require.Error(t, n.Show(&media.VideoFrame{Format: media.I420, Width: 2, Height: 2}))
	require.Error(t, n.Show(&media.VideoFrame{Format: media.I420, Width: -1, Height: 1 << 40}))
	require.False(t, n.any)
	f := picture(t, 4, 4, 1, 2, 3)
	require.NoError(t, n.Show(f))
	f.Planes[0][0] = 99
	require.EqualValues(t, 1, n.frame.Planes[0][0], "it is a copy")
	p.end()
	require.ErrorIs(t, n.Show(f), ErrClosed)
	require.NoError(t, n.Close())
	for range maxPanes {
		_, err = p.add("x")
		if err != nil {
			break
		}
	}
	_, err = p.add("one too many")
	require.Error(t, err)
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{Width: -1, Height: 5}, {Width: 5}, {Width: 1, Height: maxSize + 1}} {
		_, err := Open(&o)
		require.ErrorIs(t, err, play.ErrOption)
	}
	t.Setenv("DISPLAY", "")
	for _, display := range []string{"", "nonsense", ":notanumber", "/nowhere/at/all:0"} {
		_, err := Open(&Options{Display: display})
		require.ErrorIs(t, err, ErrDisplay, display)
	}
}

func BenchmarkDraw(b *testing.B) {
	for name, size := range map[string]image.Point{"same": {1280, 720}, "smaller": {960, 540}, "larger": {1920, 1080}} {
		b.Run(name, func(b *testing.B) {
			f := picture(b, 1280, 720, 90, 100, 110)
			cv := newCanvas(size.X, size.Y)
			var p painter
			b.ReportAllocs()
			for b.Loop() {
				p.draw(cv, f, image.Rect(0, 0, size.X, size.Y))
			}
		})
	}
}
