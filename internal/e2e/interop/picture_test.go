//go:build e2e

package interop_test

import (
	"fmt"
	"image"
	"path/filepath"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/e2e/picture"
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
	img, err := picture.Open(path)
	require.NoError(p.t, err)
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
	for i := 0; picture.Differ(first, second) <= 0.001; i++ {
		// What turns may look the same when the second one is taken.
		require.Less(p.t, i, 10, "%s does not move", name)
		p.plays(identity, track)
		second = p.picture(name+"-2", selector)
	}
	for _, img := range []image.Image{first, second} {
		require.Greater(p.t, picture.Lit(img, 48), 0.3, "%s is black", name)
		require.Greater(p.t, picture.Colors(img), 3, "%s is empty", name)
	}
}
