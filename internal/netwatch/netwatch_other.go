//go:build !linux

package netwatch

import "io"

func open() (io.ReadCloser, error) { return nil, ErrUnsupported }

func lost(error) bool { return false }
