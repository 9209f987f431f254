// Package soak_test runs rooms for long, with people that come and go, and
// looks at what grows, in virtual time. `go test` runs six minutes and 48 visits
// of it; with -tags e2e it is an hour with 20 people, and 2000 visits:
//
//	go test -tags e2e -v ./internal/e2e/soak/
package soak_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
