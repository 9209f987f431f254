//go:build e2e

// Package nets_test puts a server and clients on networks of the kernel's own,
// behind a router, and takes those networks away from them. It needs root and
// the commands ip, nft and turnserver:
//
//	apt-get install iproute2 nftables coturn
//	go test -tags e2e ./internal/e2e/nets/
//
// The test program is run again in each network namespace, in one of the roles
// below.
package nets_test

import (
	"fmt"
	"os"
	"testing"
)

// roleVariable names what this process is, if it is not the test.
const roleVariable = "PARLEY_NETS_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		status := m.Run()
		if programs != "" {
			_ = os.RemoveAll(programs) // of a temporary directory
		}
		os.Exit(status)
	}
	if err := play(role); err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		os.Exit(1)
	}
}
