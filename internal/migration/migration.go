// Package migration holds the table that leads people who know the JavaScript
// SDKs to what they need here: each name there with its counterpart.
//
// The table is the source of docs/events.md, see internal/tools/eventtable. A
// test of the root package keeps it complete, and checks that every Go name in
// it exists.
package migration

// Status says whether a row has a counterpart.
type Status string

// The states of a row. There is a counterpart where it is empty.
const (
	// Quiet rows have one, but nothing happens to it yet: the program cannot
	// ask for it, or the bundled server does not tell it.
	Quiet Status = "quiet"
	// Later rows get one.
	Later Status = "later"
	// Not rows get none; their note says why.
	Not Status = "not"
)

// Section is the part of the table about one kind of object.
type Section struct {
	Title string
	Intro string
	// Events is true where rows are events, with arguments.
	Events bool
	Rows   []Row
}

// Row is one name and its counterpart.
type Row struct {
	// Name is what the JavaScript program writes.
	Name string
	// Args are what an event's listener gets, in that order.
	Args []Arg
	// Go is what takes its place: references, see Arg.In. For an event that
	// is where to read it from.
	Go []string
	// Types are the event types that tell it.
	Types  []string
	Note   string
	Status Status
}

// Arg is an argument of a listener.
type Arg struct {
	Name string
	// In are references to what carries it: "TrackSubscribed.Track" is a
	// field of an event, "Room.Name()" a method. A path goes on through what
	// they hold, and names of other packages stand behind their path, as in
	// "media/file.Open".
	In []string
	// Says is what is to know where nothing carries it.
	Says string
}

// Table is all of it.
func Table() []Section {
	return []Section{
		module, options, room, roomEvents,
		participant, localParticipant, localEvents, remoteEvents,
		publications, publicationEvents, tracks, trackEvents,
		openTokEvents, openTokCalls, openTokCodes, codes,
	}
}

// arg is an argument that one of the references carries.
func arg(name string, in ...string) Arg { return Arg{Name: name, In: in} }

// itself is the argument that is the very object that tells the event.
func itself(name string) Arg { return Arg{Name: name, Says: "the object itself"} }

// says is an argument that needs no carrier.
func says(name, text string) Arg { return Arg{Name: name, Says: text} }
