package migration

import (
	"fmt"
	"strings"
)

const head = `<!-- Generated from internal/migration. Do not edit: go generate . -->

# From JavaScript to Go

Each name of the two JavaScript SDKs that many programs are written for, with
its counterpart in package parley: first twilio-video, versions 1 and 2, then
OpenTok. A test checks that every Go name in here exists.

How events differ:

- A listener becomes a channel. ` + "`room.TrackSubscribed()`" + ` gives one kind of event,
  ` + "`room.Events()`" + ` all of them, in the one order in which they happened.
- The arguments of a listener are the fields of the event's type. The tables
  name them in the listener's order.
- A channel begins with the present: who and what is there already comes first.
  There is nothing to enumerate before listening.
- A channel is one stream. Two goroutines that read the same one share its
  events; ` + "`room.Events()`" + ` and ` + "`room.TrackSubscribed()`" + ` are two, and each has all
  of its own.
- Nothing has to be removed: a channel that nobody asks for costs nothing, and
  every channel closes at the end.

Marks: **not sent yet** has its Go side, but nothing asks for it and the bundled
server does not tell it yet. **later** will come. **none** will not, for the
reason given.
`

// Markdown returns the table as a document.
func Markdown() string {
	var b strings.Builder
	b.WriteString(head)
	for _, s := range Table() {
		fmt.Fprintf(&b, "\n## %s\n\n", s.Title)
		if s.Intro != "" {
			fmt.Fprintf(&b, "%s\n\n", s.Intro)
		}
		if s.Events {
			b.WriteString("| JavaScript | Go type | read from | arguments | notes |\n|---|---|---|---|---|\n")
		} else {
			b.WriteString("| there | here | notes |\n|---|---|---|\n")
		}
		for _, r := range s.Rows {
			cells := []string{name(r.Name), list(r.Go), r.note()}
			if s.Events {
				cells = []string{name(r.Name), list(r.Types), list(r.Go), r.arguments(), r.note()}
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		}
	}
	return b.String()
}

func (r Row) note() string {
	mark := map[Status]string{Quiet: "**not sent yet**", Later: "**later**", Not: "**none**"}[r.Status]
	if mark == "" || r.Note == "" {
		return mark + r.Note
	}
	return mark + ": " + r.Note
}

func (r Row) arguments() string {
	var parts []string
	for _, a := range r.Args {
		in := a.Says
		if len(a.In) > 0 {
			in = r.carriers(a.In)
		}
		parts = append(parts, fmt.Sprintf("%s: %s", a.Name, in))
	}
	return strings.Join(parts, "; ")
}

// carriers names the fields, without their type where it is plain.
func (r Row) carriers(in []string) string {
	short := make([]string, len(in))
	for i, ref := range in {
		short[i] = ref
		if len(r.Types) == 1 {
			short[i] = strings.TrimPrefix(ref, r.Types[0]+".")
		}
	}
	return list(short)
}

func list(refs []string) string {
	coded := make([]string, len(refs))
	for i, ref := range refs {
		coded[i] = code(ref)
	}
	return strings.Join(coded, ", ")
}

func code(s string) string { return "`" + s + "`" }

// name sets off what the program writes from what we say about it.
func name(s string) string {
	if s == "(none)" {
		return s
	}
	if parts := strings.Split(s, ", "); len(parts) > 1 {
		return list(parts)
	}
	js, about, ok := strings.Cut(s, " ")
	if !ok {
		return code(s)
	}
	return code(js) + " " + about
}
