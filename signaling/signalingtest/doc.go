// Package signalingtest holds what a signaling transport is tested with, and
// what tests use in its place.
//
// [TestTransport] is the conformance suite: everything that a room relies on,
// asked of any [signaling.Transport]. Its fixture pairs the transport with the
// server's side of it:
//
//	func TestConformance(t *testing.T) {
//		signalingtest.TestTransport(t, func(t *testing.T) signalingtest.Fixture {
//			server := startServer(t)
//			return signalingtest.Fixture{Transport: New(server.URL), Next: server.Next}
//		})
//	}
//
// [Transport] keeps everything in memory. Its [Conn] is the server's side, to
// be scripted by a test: it sends whatever it is told to, sensible or not.
package signalingtest
