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
//
// # When a test fails
//
// Its log has all events that were read, and the paths of three files: the
// packets of media for Wireshark, with the keys of DTLS in them, the same keys
// by themselves, and the signaling messages as lines of JSON without tokens and
// passwords. The packets are those at the server, and those that a fault of a
// participant kept from it, which say so; the newest 4 MiB are kept. In virtual
// time they have that time, as the events do. The files are in the test's
// artifacts if go test -artifacts keeps them, and else in the system's folder
// for temporary files, where they stay.
package roomtest
