package media_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
)

func readJPEG(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("internal/mjpeg/testdata/" + name + ".jpg")
	require.NoError(t, err)
	return data
}

func jpegFrame(data []byte) *media.VideoFrame {
	f := &media.VideoFrame{Format: media.MJPEG}
	f.Planes[0] = data
	return f
}

func TestConvertOfEachKindOfJPEG(t *testing.T) {
	for _, name := range []string{"420", "422", "444", "440", "411", "odd", "gray", "fine", "optimal", "restart", "progressive"} {
		t.Run(name, func(t *testing.T) {
			data := readJPEG(t, name)
			img, err := jpeg.Decode(bytes.NewReader(data))
			require.NoError(t, err)
			src := jpegFrame(data)
			src.Timestamp, src.Captured = time.Second, epoch
			var got media.VideoFrame
			require.NoError(t, media.Convert(&got, src))
			require.NoError(t, got.Validate())
			require.Equal(t, src.Timestamp, got.Timestamp)
			require.Equal(t, src.Captured, got.Captured)
			requireImage(t, img, &got)
		})
	}
}

// requireImage compares with the pixels of the image, as the standard library
// has them.
func requireImage(t *testing.T, img image.Image, got *media.VideoFrame) {
	t.Helper()
	require.Equal(t, img.Bounds().Size(), image.Pt(got.Width, got.Height))
	at := func(x, y int) (luma, cb, cr float64) {
		c := color.YCbCrModel.Convert(img.At(min(x, got.Width-1), min(y, got.Height-1))).(color.YCbCr)
		return 16 + float64(c.Y)*219/255, 128 + (float64(c.Cb)-128)*224/255, 128 + (float64(c.Cr)-128)*224/255
	}
	for y := range got.Height {
		for x := range got.Width {
			want, _, _ := at(x, y)
			luma, u, v := yuv(got, x, y)
			require.InDelta(t, want, luma, 2, "luminance at %d,%d", x, y)
			if x%2 != 0 || y%2 != 0 {
				continue
			}
			var wantU, wantV float64
			for i := range 4 {
				_, cb, cr := at(x+i%2, y+i/2)
				wantU, wantV = wantU+cb/4, wantV+cr/4
			}
			require.InDelta(t, wantU, u, 2.5, "U at %d,%d", x, y)
			require.InDelta(t, wantV, v, 2.5, "V at %d,%d", x, y)
		}
	}
}

func TestConvertRefusesWhatIsNoJPEG(t *testing.T) {
	torn := readJPEG(t, "progressive")
	huge := bytes.Clone(torn)
	copy(huge[bytes.Index(huge, []byte{0xff, 0xc2})+5:], []byte{0x1f, 0xff, 0x1f, 0xff})
	wide := bytes.Clone(readJPEG(t, "420"))
	copy(wide[bytes.Index(wide, []byte{0xff, 0xc0})+5:], []byte{0xff, 0xff, 0xff, 0xff})
	var dst media.VideoFrame
	for name, tc := range map[string]struct {
		data []byte
		want error
	}{
		"text":             {[]byte("no picture"), media.ErrPicture},
		"torn":             {readJPEG(t, "422")[:1500], media.ErrPicture},
		"torn progressive": {torn[:700], media.ErrPicture},
		"torn header":      {torn[:30], media.ErrPicture},
		"CMYK":             {readJPEG(t, "cmyk"), media.ErrPicture},
		"little for much":  {huge, media.ErrPicture},
		"too large":        {wide, media.ErrSize},
		"nothing":          {nil, media.ErrPlane},
	} {
		err := media.Convert(&dst, jpegFrame(tc.data))
		var frameError *media.FrameError
		require.ErrorAs(t, err, &frameError, name)
		require.ErrorIs(t, err, tc.want, name)
	}
}

func TestConvertOfJPEGMakesNoGarbage(t *testing.T) {
	var dst media.VideoFrame
	src := jpegFrame(readJPEG(t, "422"))
	require.NoError(t, media.Convert(&dst, src))
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = media.Convert(&dst, src) }))
}

func BenchmarkConvertMJPEG(b *testing.B) {
	for _, size := range [][2]int{{640, 480}, {1280, 720}} {
		src := jpegFrame(scenery(b, size[0], size[1]))
		b.Run(fmt.Sprint(size[1]), func(b *testing.B) {
			var dst media.VideoFrame
			b.SetBytes(int64(len(src.Planes[0])))
			b.ReportAllocs()
			for b.Loop() {
				if err := media.Convert(&dst, src); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint(size[1], "/image/jpeg"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jpeg.Decode(bytes.NewReader(src.Planes[0])); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// scenery returns a JPEG with edges, slopes and noise.
func scenery(b *testing.B, width, height int) []byte {
	img := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	seed := uint32(1)
	for y := range height {
		for x := range width {
			seed = seed*1664525 + 1013904223
			v := 100 + 60*math.Sin(float64(x)/40)*math.Cos(float64(y)/60) + float64(seed>>28) + float64((x/80+y/60)%2*40)
			img.Y[img.YOffset(x, y)] = byte(v)
			img.Cb[img.COffset(x, y)], img.Cr[img.COffset(x, y)] = byte(100+x*50/width), byte(120+y*60/height)
		}
	}
	var buf bytes.Buffer
	require.NoError(b, jpeg.Encode(&buf, img, &jpeg.Options{Quality: 85}))
	return buf.Bytes()
}
