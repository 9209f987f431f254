package picture_test

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/e2e/picture"
)

func TestPicture(t *testing.T) {
	black := image.NewRGBA(image.Rect(0, 0, 10, 10))
	half := image.NewRGBA(black.Rect)
	for y := range 5 {
		for x := range 10 {
			half.Set(x, y, color.RGBA{R: 200, G: uint8(x * 16), A: 255})
		}
	}
	path := filepath.Join(t.TempDir(), "half.png")
	file, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, png.Encode(file, half))
	require.NoError(t, file.Close())
	read, err := picture.Open(path)
	require.NoError(t, err)

	require.InDelta(t, 0, picture.Lit(black, 48), 0)
	require.InDelta(t, 0.5, picture.Lit(half, 48), 0)
	require.InDelta(t, 0.45, picture.Lit(half, 200), 0)
	require.Equal(t, 1, picture.Colors(black))
	require.Equal(t, 11, picture.Colors(half))
	require.InDelta(t, 0.5, picture.Differ(black, half), 0)
	require.InDelta(t, 0, picture.Differ(half, read), 0)
	require.InDelta(t, -1, picture.Differ(half, half.SubImage(image.Rect(0, 0, 5, 5))), 0)

	_, err = picture.Open(filepath.Join(t.TempDir(), "none.png"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
