//go:build cgo && codecs && !linux

package all_test

import "testing"

// resident is known on Linux only.
func resident(*testing.T) int64 { return 0 }
