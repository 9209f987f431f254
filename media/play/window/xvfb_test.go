//go:build e2e && linux

// Tests on a real display: Xvfb, of the Debian package xvfb.
package window

import (
	"bufio"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/play"
	"github.com/stretchr/testify/require"
)

// display is an X server of a test's own, and a look at it.
type display struct {
	*testing.T
	name string
	cmd  *exec.Cmd
	x    *xgb.Conn
	root xproto.Window
}

func newDisplay(t *testing.T, args ...string) *display {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	args = append([]string{"-displayfd", "3", "-nolisten", "tcp", "-noreset", "-screen", "0", "800x600x24"}, args...)
	d := &display{T: t, cmd: exec.Command("Xvfb", args...)}
	d.cmd.ExtraFiles = []*os.File{w}
	require.NoError(t, d.cmd.Start(), "Xvfb is of the Debian package xvfb")
	t.Cleanup(d.end)
	require.NoError(t, w.Close())
	number, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, r.Close())
	d.name = ":" + strings.TrimSpace(number)
	d.x, err = xgb.NewConnDisplay(d.name)
	require.NoError(t, err)
	d.root = xproto.Setup(d.x).DefaultScreen(d.x).Root
	return d
}

func (d *display) end() {
	if d.x != nil {
		d.x.Close()
		for {
			if ev, err := d.x.WaitForEvent(); ev == nil && err == nil {
				break
			}
		}
	}
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

// look returns what the display shows.
func (d *display) look() *image.RGBA {
	d.Helper()
	r, err := xproto.GetImage(d.x, xproto.ImageFormatZPixmap, xproto.Drawable(d.root), 0, 0, 800, 600, 0xffffffff).Reply()
	require.NoError(d, err)
	img := image.NewRGBA(image.Rect(0, 0, 800, 600))
	for i := 0; i < len(img.Pix); i += 4 {
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = r.Data[i+2], r.Data[i+1], r.Data[i], 255
	}
	return img
}

// shows waits until the display shows that.
func (d *display) shows(what string, is func(img *image.RGBA) bool) *image.RGBA {
	d.Helper()
	until := time.Now().Add(10 * time.Second)
	for {
		img := d.look()
		if is(img) {
			return img
		}
		if time.Now().After(until) {
			d.Fatalf("the display does not show %s; it is in %s", what, d.keep("failed", img))
		}
	}
}

// keep writes a picture where it can be looked at after the test.
func (d *display) keep(name string, img image.Image) string {
	d.Helper()
	dir := d.TempDir()
	if a, ok := any(d.T).(interface{ ArtifactDir() string }); ok { // since Go 1.26
		dir = a.ArtifactDir()
	}
	path := filepath.Join(dir, name+".png")
	f, err := os.Create(path)
	require.NoError(d, err)
	require.NoError(d, png.Encode(f, img))
	require.NoError(d, f.Close())
	return path
}

func (d *display) open(o Options) *Window {
	d.Helper()
	o.Display = d.name
	w, err := Open(&o)
	require.NoError(d, err)
	d.Cleanup(func() { require.NoError(d, w.Close()) })
	return w
}

func alike(a, b color.RGBA, most int) bool {
	diff := func(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }
	return diff(a.R, b.R) <= most && diff(a.G, b.G) <= most && diff(a.B, b.B) <= most
}

// bars makes a picture of eight upright stripes.
func bars(t testing.TB, w, h int) (*media.VideoFrame, []color.RGBA) {
	f := &media.VideoFrame{}
	require.NoError(t, f.Reset(media.I420, w, h))
	var colors []color.RGBA
	for i, c := range [][3]byte{
		{235, 128, 128}, {210, 16, 146}, {170, 166, 16}, {145, 54, 34}, {106, 202, 222}, {81, 90, 240}, {41, 240, 110}, {16, 128, 128},
	} {
		for y := range h {
			for x := i * w / 8; x < (i+1)*w/8; x++ {
				f.Planes[0][y*f.Strides[0]+x] = c[0]
				f.Planes[1][y/2*f.Strides[1]+x/2] = c[1]
				f.Planes[2][y/2*f.Strides[2]+x/2] = c[2]
			}
		}
		cr, cg, cb := color.YCbCrToRGB(byte((int(c[0])-16)*255/219), byte(128+(int(c[1])-128)*127/112), byte(128+(int(c[2])-128)*127/112))
		colors = append(colors, color.RGBA{cr, cg, cb, 255})
	}
	return f, colors
}

// A picture of stripes is seen as it is, letterboxed in the window.
func TestPictureIsSeen(t *testing.T) {
	for name, args := range map[string][]string{"shared memory": nil, "sent": {"-extension", "MIT-SHM"}} {
		t.Run(name, func(t *testing.T) {
			d := newDisplay(t, args...)
			w := d.open(Options{Width: 800, Height: 600})
			p, err := w.Open("ann")
			require.NoError(t, err)
			f, colors := bars(t, 640, 360)
			require.NoError(t, p.Show(f))
			// 800 by 450 in the middle.
			img := d.shows("the stripes", func(img *image.RGBA) bool {
				for i, c := range colors {
					if !alike(img.RGBAAt(50+100*i, 300), c, 4) || !alike(img.RGBAAt(50+100*i, 520), c, 4) {
						return false
					}
				}
				return true
			})
			t.Log(d.keep("bars", img))
			for x := 150; x < 800; x += 50 {
				require.Equal(t, color.RGBA{0, 0, 0, 255}, img.RGBAAt(x, 70), "above")
				require.Equal(t, color.RGBA{0, 0, 0, 255}, img.RGBAAt(x, 530), "below")
				if x%100 != 0 {
					require.True(t, alike(colors[x/100], img.RGBAAt(x, 80), 4), "the first rows")
					require.True(t, alike(colors[x/100], img.RGBAAt(x, 520), 4), "the last rows")
				}
			}
			white := 0
			for y := range 20 {
				for x := range 40 {
					if img.RGBAAt(x, y) == (color.RGBA{255, 255, 255, 255}) {
						white++
					}
				}
			}
			require.Greater(t, white, 20, "the name")
			require.Equal(t, args == nil, w.local, "shared where it can be")
		})
	}
}

// Several people are in a grid; who leaves makes room.
func TestPicturesAreInAGrid(t *testing.T) {
	d := newDisplay(t)
	w := d.open(Options{Width: 800, Height: 600})
	var list []play.Pane
	for i, y := range []byte{60, 120, 180} {
		p, err := w.Open(fmt.Sprint("person ", i))
		require.NoError(t, err)
		require.NoError(t, p.Show(picture(t, 320, 240, y, 128, 128)))
		list = append(list, p)
	}
	gray := func(y int) color.RGBA {
		v := byte((y - 16) * 255 / 219)
		return color.RGBA{v, v, v, 255}
	}
	img := d.shows("three people", func(img *image.RGBA) bool {
		return alike(img.RGBAAt(200, 150), gray(60), 2) && alike(img.RGBAAt(600, 150), gray(120), 2) &&
			alike(img.RGBAAt(200, 450), gray(180), 2) && alike(img.RGBAAt(600, 450), color.RGBA{}, 0)
	})
	t.Log(d.keep("grid", img))
	require.NoError(t, list[0].Close())
	d.shows("two people", func(img *image.RGBA) bool {
		return alike(img.RGBAAt(200, 300), gray(120), 2) && alike(img.RGBAAt(600, 300), gray(180), 2)
	})
	require.NoError(t, list[1].Close())
	d.shows("one", func(img *image.RGBA) bool { return alike(img.RGBAAt(400, 300), gray(180), 2) })
	require.NoError(t, list[2].Show(picture(t, 320, 240, 200, 128, 128)))
	d.shows("the next picture", func(img *image.RGBA) bool { return alike(img.RGBAAt(400, 300), gray(200), 2) })
}

func TestWindowIsResized(t *testing.T) {
	d := newDisplay(t)
	w := d.open(Options{Width: 200, Height: 100})
	p, err := w.Open("")
	require.NoError(t, err)
	f, colors := bars(t, 80, 60)
	require.NoError(t, p.Show(f))
	d.shows("a small picture", func(img *image.RGBA) bool { return alike(img.RGBAAt(40, 50), colors[0], 4) })
	for _, size := range []uint32{600, 8, 1, 300, 599} {
		require.NoError(t, xproto.ConfigureWindowChecked(d.x, w.id, xproto.ConfigWindowWidth|xproto.ConfigWindowHeight, []uint32{size, size}).Check())
	}
	d.shows("a large picture", func(img *image.RGBA) bool {
		return alike(img.RGBAAt(37, 300), colors[0], 4) && alike(img.RGBAAt(112, 300), colors[1], 4) && alike(img.RGBAAt(300, 590), color.RGBA{}, 0)
	})
}

// The button in the window's frame is told, and is not the end of the program.
func TestCloseButton(t *testing.T) {
	d := newDisplay(t)
	w := d.open(Options{Title: "lab"})
	title, err := xproto.GetProperty(d.x, false, w.id, xproto.AtomWmName, xproto.AtomString, 0, 100).Reply()
	require.NoError(t, err)
	require.Equal(t, "lab", string(title.Value))
	select {
	case <-w.Done():
		t.Fatal("nobody closed it")
	default:
	}
	protocols, err := xproto.InternAtom(d.x, false, 12, "WM_PROTOCOLS").Reply()
	require.NoError(t, err)
	ev := xproto.ClientMessageEvent{
		Format: 32, Window: w.id, Type: protocols.Atom,
		Data: xproto.ClientMessageDataUnionData32New([]uint32{uint32(w.bye), 0, 0, 0, 0}),
	}
	require.NoError(t, xproto.SendEventChecked(d.x, false, w.id, 0, string(ev.Bytes())).Check())
	select {
	case <-w.Done():
	case <-t.Context().Done():
		t.Fatal("it is not told")
	}
	_, err = w.Open("ann")
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, w.Close())
	require.NoError(t, w.Close())
}

// A display that goes away ends the window, and nobody waits for it.
func TestDisplayGoesAway(t *testing.T) {
	d := newDisplay(t)
	w := d.open(Options{})
	p, err := w.Open("ann")
	require.NoError(t, err)
	f, _ := bars(t, 64, 48)
	require.NoError(t, p.Show(f))
	require.NoError(t, d.cmd.Process.Kill())
	<-w.Done()
	require.Eventually(t, func() bool { return p.Show(f) != nil }, 5*time.Second, time.Millisecond)
	require.ErrorIs(t, p.Show(f), ErrClosed)
	require.NoError(t, p.Close())
	require.NoError(t, w.Close())
}

func TestStrangeDisplaysAreRefused(t *testing.T) {
	d := newDisplay(t, "-screen", "0", "640x480x16")
	_, err := Open(&Options{Display: d.name})
	require.ErrorIs(t, err, ErrDisplay)
	require.ErrorContains(t, err, "bits")
}
