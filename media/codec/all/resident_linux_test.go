//go:build cgo && codecs

package all_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// resident returns how much memory the process has, with that of C.
func resident(t *testing.T) int64 {
	text, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	var size, pages int64
	_, err = fmt.Sscan(string(text), &size, &pages)
	require.NoError(t, err)
	return pages * int64(os.Getpagesize())
}
