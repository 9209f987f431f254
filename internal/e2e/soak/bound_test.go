package soak_test

// What may stay, in bytes.
const (
	// Of each visit, with who is in the room all the time. Pion keeps every
	// data channel of a connection, closed ones too, until the connection
	// closes: about 6.5 KB for each visitor with a data track.
	keptByResident = 12 << 10
	// Of each visit to rooms that are empty again. The server remembers the
	// last 1000 rooms and who was in them, for those who ask: 6 KB of a room,
	// which four visit.
	keptByServer = 2 << 10
	// What the heap's size varies by from one look to the next, whatever
	// happens.
	noise = 512 << 10

	// Goroutines of the runtime itself, for finalizers and the like, which come
	// when they are needed and are counted with ours.
	ofRuntime = 3
)
