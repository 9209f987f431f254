//go:build freebsd || openbsd || netbsd || dragonfly || darwin

package window

import (
	"errors"
	"image"

	"github.com/jezek/xgb"
)

// segment is memory that the display reads too, which is for Linux.
type segment struct{ memory []byte }

func share(*xgb.Conn, int) (*segment, error) { return nil, errors.ErrUnsupported }

func (s *segment) put(*Window, image.Rectangle) error { return errors.ErrUnsupported }

func (s *segment) free() {}
