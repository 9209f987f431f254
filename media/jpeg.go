package media

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
)

func decodeJPEG(dst, src *VideoFrame) error {
	data := src.Planes[0]
	if cfg, err := jpeg.DecodeConfig(bytes.NewReader(data)); err != nil {
		return src.failed(fmt.Errorf("%w: %w", ErrPicture, err))
	} else if err := checkSize(I420, cfg.Width, cfg.Height); err != nil {
		return err
	}
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return src.failed(fmt.Errorf("%w: %w", ErrPicture, err))
	}
	size := img.Bounds().Size()
	if err := dst.Reset(I420, size.X, size.Y); err != nil {
		return err
	}
	dst.Timestamp, dst.Captured = src.Timestamp, src.Captured
	switch img := img.(type) {
	case *image.Gray:
		f := VideoFrame{Format: Gray, Width: size.X, Height: size.Y, Planes: [3][]byte{img.Pix}, Strides: [3]int{img.Stride}}
		convertGray(dst, &f)
	case *image.YCbCr:
		convertYCbCr(dst, img)
	default:
		return src.failed(fmt.Errorf("%w: colors of %T", ErrPicture, img))
	}
	return nil
}

// convertYCbCr converts what a JPEG holds: any subsampling, full range.
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
func limitedChroma(sum int) byte { return byte(128 + (sum-512)*224/1020) }
