//go:build !linux

package bench

import (
	"errors"
	"time"
)

var errSystem = errors.New("only measured on Linux")

func (s *server) cpu() (time.Duration, error) { return 0, errSystem }

func (s *server) rss() (float64, error) { return 0, errSystem }
