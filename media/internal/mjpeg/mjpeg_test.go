package mjpeg_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media/internal/mjpeg"
)

// Made with ffmpeg 5.1 (-c:v mjpeg) from its testsrc with noise, 411, 440, odd,
// gray, fine, progressive and cmyk from those with ImageMagick.
var baseline = []string{"420", "422", "444", "440", "411", "odd", "gray", "fine", "optimal", "restart"}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".jpg"))
	require.NoError(t, err)
	return data
}

func decode(d *mjpeg.Decoder, data []byte) error {
	if err := d.Header(data); err != nil {
		return err
	}
	return d.Decode()
}

// requireLike compares with what image/jpeg decodes, brought to limited range.
func requireLike(t *testing.T, data []byte, d *mjpeg.Decoder) {
	t.Helper()
	want, err := jpeg.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, want.Bounds().Size(), image.Pt(d.Width, d.Height))
	if gray, ok := want.(*image.Gray); ok {
		want = &image.YCbCr{Y: gray.Pix, YStride: gray.Stride, Rect: gray.Rect}
		require.Len(t, d.Planes, 1)
	}
	w := want.(*image.YCbCr)
	requireLuma(t, w, d.Planes[0])
	for i, p := range d.Planes[1:] {
		plane := [][]byte{w.Cb, w.Cr}[i]
		for y := range p.Height {
			for x := range p.Width {
				require.InDelta(t, 128+(float64(plane[y*w.CStride+x])-128)*224/255, p.Pixels[y*p.Stride+x], 2, "plane %d at %d,%d", i+1, x, y)
			}
		}
	}
}

func requireLuma(t *testing.T, w *image.YCbCr, p mjpeg.Plane) {
	t.Helper()
	for y := range p.Height {
		for x := range p.Width {
			require.InDelta(t, 16+float64(w.Y[y*w.YStride+x])*219/255, p.Pixels[y*p.Stride+x], 2, "luminance at %d,%d", x, y)
		}
	}
}

func TestDecodeLikeTheStandardLibrary(t *testing.T) {
	var d mjpeg.Decoder // one for all: nothing of the last picture remains
	for range 2 {
		for _, name := range baseline {
			t.Run(name, func(t *testing.T) {
				data := read(t, name)
				require.NoError(t, decode(&d, data))
				requireLike(t, data, &d)
			})
		}
	}
}

func TestSubsamplingIsTold(t *testing.T) {
	var d mjpeg.Decoder
	for name, want := range map[string][4]int{
		"420": {2, 2, 35, 23}, "422": {2, 1, 35, 46}, "444": {1, 1, 69, 45}, "440": {1, 2, 69, 23}, "411": {4, 1, 18, 45}, "odd": {2, 2, 35, 23},
	} {
		require.NoError(t, decode(&d, read(t, name)))
		p := d.Planes[2]
		require.Equal(t, want, [4]int{p.Across, p.Down, p.Width, p.Height}, name)
	}
}

// withoutTables removes the Huffman tables, as many cameras do.
func withoutTables(t *testing.T, data []byte) []byte {
	out := data[:2:2]
	for rest := data[2:]; ; {
		n := 2 + int(rest[2])<<8 + int(rest[3])
		if rest[1] != 0xc4 {
			out = append(out, rest[:n]...)
		}
		if rest[1] == 0xda {
			return append(out, rest[n:]...)
		}
		rest = rest[n:]
	}
}

func TestMissingHuffmanTablesAreTheStandards(t *testing.T) {
	var d mjpeg.Decoder
	// One with tables of its own comes before: they do not remain.
	require.NoError(t, decode(&d, read(t, "optimal")))
	for _, name := range []string{"420", "422", "restart"} {
		data := read(t, name)
		bare := withoutTables(t, data)
		require.Less(t, len(bare), len(data)-400)
		_, err := jpeg.Decode(bytes.NewReader(bare))
		require.Error(t, err, "the standard library needs them")
		require.NoError(t, decode(&d, bare))
		requireLike(t, data, &d)
	}
	require.Error(t, decode(&d, withoutTables(t, read(t, "optimal"))))
}

func TestLeavesOtherPicturesToOthers(t *testing.T) {
	var d mjpeg.Decoder
	for _, name := range []string{"progressive", "cmyk"} {
		require.ErrorIs(t, d.Header(read(t, name)), mjpeg.ErrUnsupported, name)
	}
}

func TestTornPicturesAreBroken(t *testing.T) {
	var d mjpeg.Decoder
	for _, name := range baseline {
		data := read(t, name)
		for n := 0; n < len(data)-2; n += 1 + n/16 {
			require.ErrorIs(t, decode(&d, data[:n]), mjpeg.ErrBroken, "%s: the first %d bytes", name, n)
		}
	}
	require.ErrorIs(t, d.Decode(), mjpeg.ErrBroken, "no header")
}

// A picture that is nothing but a header takes no memory for its pixels.
func TestSizeNeedsData(t *testing.T) {
	data := bytes.Clone(read(t, "420"))
	at := bytes.Index(data, []byte{0xff, 0xc0})
	copy(data[at+5:], []byte{0xff, 0xff, 0xff, 0xff})
	var d mjpeg.Decoder
	require.NoError(t, d.Header(data))
	require.Equal(t, 65535, d.Width)
	require.ErrorIs(t, d.Decode(), mjpeg.ErrBroken)
	require.Empty(t, d.Planes)
}

func TestNoGarbage(t *testing.T) {
	var d mjpeg.Decoder
	data := read(t, "422")
	require.NoError(t, decode(&d, data))
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = decode(&d, data) }))
}

func FuzzDecode(f *testing.F) {
	for _, name := range append([]string{"progressive", "cmyk"}, baseline...) {
		f.Add(read(f, name))
	}
	var d mjpeg.Decoder
	f.Fuzz(func(t *testing.T, data []byte) {
		if decode(&d, data) != nil {
			return
		}
		for i, p := range d.Planes {
			if p.Width < 1 || p.Height < 1 || p.Stride < p.Width || len(p.Pixels) < p.Stride*(p.Height-1)+p.Width {
				t.Fatalf("plane %d of %dx%d: %dx%d, stride %d, %d bytes", i, d.Width, d.Height, p.Width, p.Height, p.Stride, len(p.Pixels))
			}
		}
	})
}
