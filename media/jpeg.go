package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"

	"github.com/parley-rtc/parley/media/internal/mjpeg"
)

var jpegDecoders = make(freeList[mjpeg.Decoder], 4)

func decodeJPEG(dst, src *VideoFrame) error {
	d := jpegDecoders.take()
	defer jpegDecoders.put(d)
	err := d.Header(src.Planes[0])
	if err == nil {
		if err := checkSize(I420, d.Width, d.Height); err != nil {
			return err
		}
		err = d.Decode()
	}
	if errors.Is(err, mjpeg.ErrUnsupported) {
		return decodeAnyJPEG(dst, src)
	}
	if err != nil {
		return src.failed(fmt.Errorf("%w: %w", ErrPicture, err))
	}
	if err := dst.Reset(I420, d.Width, d.Height); err != nil {
		return err
	}
	dst.Timestamp, dst.Captured = src.Timestamp, src.Captured
	luma := d.Planes[0]
	copyRows(dst.Planes[0], dst.Width, luma.Pixels, luma.Stride, dst.Width, dst.Height)
	for i, p := range dst.Planes[1:] {
		if len(d.Planes) == 1 {
			fill(p, 128)
			continue
		}
		subsample(p, (dst.Width+1)/2, (dst.Height+1)/2, &d.Planes[1+i])
	}
	return nil
}

// subsample makes a plane of I420 of the chroma of a JPEG.
func subsample(dst []byte, w, h int, src *mjpeg.Plane) {
	switch {
	case src.Across == 2 && src.Down == 2:
		copyRows(dst, w, src.Pixels, src.Stride, w, h)
	case src.Across == 2 && src.Down == 1:
		for y := range h {
			a := src.Pixels[2*y*src.Stride:]
			b := src.Pixels[min(2*y+1, src.Height-1)*src.Stride:]
			averageRows(dst[y*w:][:w], a, b)
		}
	default:
		fx, fy := src.Across, src.Down
		for y := range h {
			a := src.Pixels[2*y/fy*src.Stride:]
			b := src.Pixels[min((2*y+1)/fy, src.Height-1)*src.Stride:]
			for x := range w {
				left, right := 2*x/fx, min((2*x+1)/fx, src.Width-1)
				dst[y*w+x] = byte((int(a[left]) + int(a[right]) + int(b[left]) + int(b[right]) + 2) / 4)
			}
		}
	}
}

func averageRows(dst, a, b []byte) {
	n := len(dst)
	a, b = a[:n], b[:n]
	i := 0
	for ; i+8 <= n; i += 8 {
		x, y := binary.LittleEndian.Uint64(a[i:]), binary.LittleEndian.Uint64(b[i:])
		// Half of what differs is taken off the greater, rounded up.
		binary.LittleEndian.PutUint64(dst[i:], x|y-(x^y)>>1&0x7f7f7f7f7f7f7f7f)
	}
	for ; i < n; i++ {
		dst[i] = byte((int(a[i]) + int(b[i]) + 1) / 2)
	}
}

// decodeAnyJPEG decodes what cameras do not make, such as progressive pictures.
// It makes garbage.
func decodeAnyJPEG(dst, src *VideoFrame) error {
	data := src.Planes[0]
	cfg, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return src.failed(fmt.Errorf("%w: %w", ErrPicture, err))
	}
	// A block takes more than a hundredth of a byte, also over several scans.
	if err := checkSize(I420, cfg.Width, cfg.Height); err != nil || cfg.Width*cfg.Height > 6400*len(data) {
		return src.failed(fmt.Errorf("%w: %d bytes for %dx%d", ErrPicture, len(data), cfg.Width, cfg.Height))
	}
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return src.failed(fmt.Errorf("%w: %w", ErrPicture, err))
	}
	width, height := img.Bounds().Dx(), img.Bounds().Dy()
	if err := dst.Reset(I420, width, height); err != nil {
		return err
	}
	dst.Timestamp, dst.Captured = src.Timestamp, src.Captured
	f := VideoFrame{Width: width, Height: height}
	switch img := img.(type) {
	case *image.Gray:
		f.Planes[0], f.Strides[0] = img.Pix, img.Stride
		convertGray(dst, &f)
	case *image.RGBA:
		f.Planes[0], f.Strides[0] = img.Pix, img.Stride
		convertRGB(dst, &f, 16)
	case *image.YCbCr:
		convertYCbCr(dst, img)
	default:
		return src.failed(fmt.Errorf("%w: colors of %T", ErrPicture, img))
	}
	return nil
}

// convertYCbCr converts any subsampling, in full range.
func convertYCbCr(dst *VideoFrame, img *image.YCbCr) {
	for y := range dst.Height {
		grayRow(dst.Planes[0][y*dst.Width:][:dst.Width], img.Y[y*img.YStride:])
	}
	half := (dst.Width + 1) / 2
	for y := range (dst.Height + 1) / 2 {
		for x := range half {
			var cb, cr int
			for i := range 4 {
				at := img.COffset(min(2*x+i&1, dst.Width-1)+img.Rect.Min.X, min(2*y+i>>1, dst.Height-1)+img.Rect.Min.Y)
				cb, cr = cb+int(img.Cb[at]), cr+int(img.Cr[at])
			}
			dst.Planes[1][y*half+x], dst.Planes[2][y*half+x] = limitedChroma(cb), limitedChroma(cr)
		}
	}
}

// limitedChroma brings the sum of four full range values to limited range.
func limitedChroma(sum int) byte { return byte(((sum-512)*224 + 1020*128 + 510) / 1020) }
