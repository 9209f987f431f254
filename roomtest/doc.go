// Package roomtest runs a real room server for tests, in the manner of
// net/http/httptest: one line starts it, the end of the test closes it, and a
// test that leaves somebody connected fails with that somebody's name.
//
//	srv := roomtest.NewServer(t)
//	room, err := parley.Connect(srv.Token("alice", "lab"), &parley.ConnectOptions{URL: srv.URL()})
//
// [NewServer] listens on the loopback interface. [NewVirtual] does the same on
// a network in memory, for tests in a testing/synctest bubble, where waiting
// costs nothing and takes exactly as long as it says.
//
// # Faults
//
// A participant whose network the test wants to break gets one of its own, under
// a name that the test chooses and that is its identity as a rule:
//
//	room, err := parley.Connect(srv.Token("alice", "lab"), &parley.ConnectOptions{
//		URL:             srv.URL(),
//		Transport:       srv.Transport("alice"),
//		ConfigureWebRTC: srv.WebRTC("alice"),
//	})
//	…
//	srv.Cut("alice")
//
// On a virtual network every participant needs both options.
//
// # Events
//
// [Next], [Expect], [Exactly], [Quiet] and [Rest] read channels of events. They
// wait, and fail the test with all that was read from the channel so far.
package roomtest
