//go:build devicevm

package devices_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// The tests unplug cameras and unload drivers, which is for no other machine.
func TestMain(m *testing.M) {
	if os.Getenv("DEVICEVM") == "" {
		fmt.Fprintln(os.Stderr, "these tests need the machine of internal/devicevm: go test -exec \"$PWD/internal/devicevm/run\"")
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}
