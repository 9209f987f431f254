package rsp_test

import (
	"testing"

	"github.com/parley-rtc/parley/signaling/rsp"
	"github.com/parley-rtc/parley/signaling/signalingtest"
)

func TestConformance(t *testing.T) {
	signalingtest.TestTransport(t, func(t *testing.T) signalingtest.Fixture {
		return loopback(t, rsp.ServerOptions{}).fixture(rsp.Options{})
	})
}

func TestConformanceVirtual(t *testing.T) {
	signalingtest.TestTransportVirtual(t, func(t *testing.T) signalingtest.Fixture {
		return virtual(t, rsp.ServerOptions{}).fixture(rsp.Options{})
	})
}
