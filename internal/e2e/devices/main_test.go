//go:build devicevm

package devices_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// settled lets go what nobody reads of the events of tracks: they stay for a
// second after the end.
type settled struct{ *testing.M }

func (s settled) Run() int {
	defer time.Sleep(2 * time.Second)
	return s.M.Run()
}

// The tests unplug cameras and unload drivers, which is for no other machine.
func TestMain(m *testing.M) {
	if os.Getenv("DEVICEVM") == "" {
		fmt.Fprintln(os.Stderr, "these tests need the machine of internal/devicevm: go test -exec \"$PWD/internal/devicevm/run\"")
		os.Exit(1)
	}
	goleak.VerifyTestMain(settled{m})
}
