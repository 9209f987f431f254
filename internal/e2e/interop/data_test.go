//go:build e2e

package interop_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
)

// reliability is how hard a data track tries.
type reliability struct {
	name        string
	ordered     bool
	retransmits *uint16
	lifetime    *time.Duration
}

func reliabilities() []reliability {
	never, thrice := uint16(0), uint16(3)
	life := 250 * time.Millisecond
	return []reliability{
		{"reliable", true, nil, nil},
		{"unordered", false, nil, nil},
		{"ordered, never again", true, &never, nil},
		{"unordered, thrice", false, &thrice, nil},
		{"ordered, for a while", true, nil, &life},
		{"unordered, for a while", false, nil, &life},
	}
}

// js is what LocalDataTrack of the npm client takes.
func (r *reliability) js() options {
	o := options{"ordered": r.ordered}
	if r.retransmits != nil {
		o["maxRetransmits"] = *r.retransmits
	}
	if r.lifetime != nil {
		o["maxPacketLifeTime"] = r.lifetime.Milliseconds()
	}
	return track("data", r.name, o)
}

// told is how the npm client tells it of a remote track.
func (r *reliability) told() string {
	text := func(v any, set bool) string {
		if !set {
			return "null"
		}
		return fmt.Sprint(v)
	}
	retransmits, lifetime := "null", "null"
	if r.retransmits != nil {
		retransmits = text(*r.retransmits, true)
	}
	if r.lifetime != nil {
		lifetime = text(r.lifetime.Milliseconds(), true)
	}
	return fmt.Sprintf("%v %v %s %s", r.ordered, r.retransmits == nil && r.lifetime == nil, retransmits, lifetime)
}

func (p *page) told(identity, name string) string {
	p.t.Helper()
	p.wait(fmt.Sprintf("lab.track(%s, %s)", js(identity), js(name)) + " !== null")
	return p.text(fmt.Sprintf(`((t) => [t.ordered, t.reliable, t.maxRetransmits, t.maxPacketLifeTime].map(String).join(" "))(lab.track(%s, %s))`,
		js(identity), js(name)))
}

// TestDataReliability has a browser and a program publish data tracks of every
// kind, and compares what each of them, and a third, sees of the others'.
func TestDataReliability(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ours []parley.LocalTrack
	var theirs []options
	for _, r := range reliabilities() {
		ours = append(ours, dataTrack(t, parley.DataTrackOptions{
			Name: r.name, Unordered: !r.ordered, MaxRetransmits: r.retransmits, MaxPacketLifeTime: r.lifetime,
		}))
		theirs = append(theirs, r.js())
	}
	alice := w.program("alice", ours...)
	p := w.join("browser", options{"tracks": theirs})
	q := w.join("second", nil)
	for _, r := range reliabilities() {
		require.Equal(t, r.told(), p.told("alice", r.name), "%s of the program", r.name)
		require.Equal(t, r.told(), q.told("alice", r.name), "%s of the program", r.name)
		require.Equal(t, r.told(), q.told("browser", r.name), "%s of the browser", r.name)
		got := receives[*parley.RemoteDataTrack](alice, "browser", r.name)
		require.Equal(t, r.ordered, got.Ordered(), r.name)
		require.Equal(t, r.retransmits == nil && r.lifetime == nil, got.Reliable(), r.name)
		require.Equal(t, r.retransmits, got.MaxRetransmits(), r.name)
		require.Equal(t, r.lifetime, got.MaxPacketLifeTime(), r.name)
	}
	p.quiet()
	q.quiet()
}

// TestDataMessages sends text and bytes from each side to the others.
func TestDataMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	chat := dataTrack(t, parley.DataTrackOptions{Name: "from alice"})
	alice := w.program("alice", chat)
	messages := alice.Messages()
	p := w.join("browser", options{"tracks": []options{track("data", "from browser")}})
	q := w.join("second", nil)
	for _, page := range []*page{p, q} {
		page.told("alice", "from alice")
	}
	q.told("browser", "from browser")
	receives[*parley.RemoteDataTrack](alice, "browser", "from browser")

	long := strings.Repeat("é", 8<<10) // 16 KiB
	require.NoError(t, chat.SendText(t.Context(), "good day"))
	require.NoError(t, chat.Send(t.Context(), []byte{0, 1, 254, 255}))
	require.NoError(t, chat.SendText(t.Context(), long))
	want := `[{"text":"good day"},{"bytes":[0,1,254,255]},{"text":` + js(long) + `}]`
	for _, page := range []*page{p, q} {
		page.wait(`lab.messages.filter((m) => m.from === "alice").length === 3`)
		require.JSONEq(t, want, page.text(`JSON.stringify(lab.messages.filter((m) => m.from === "alice").map(({ text, bytes }) => ({ text, bytes })))`))
	}

	p.run(`lab.send("from browser", "good night")`)
	p.run(`lab.send("from browser", [255, 0, 7])`)
	p.run(`lab.send("from browser", ` + js(long) + `)`)
	q.wait(`lab.messages.filter((m) => m.from === "browser").length === 3`)
	require.JSONEq(t, `[{"text":"good night"},{"bytes":[255,0,7]},{"text":`+js(long)+`}]`,
		q.text(`JSON.stringify(lab.messages.filter((m) => m.from === "browser").map(({ text, bytes }) => ({ text, bytes })))`))
	for _, want := range []parley.Message{{Data: []byte("good night"), Text: true}, {Data: []byte{255, 0, 7}}, {Data: []byte(long), Text: true}} {
		select {
		case m := <-messages:
			require.Equal(t, want, m.Message)
			require.Equal(t, "from browser", m.Track.Name())
			require.Equal(t, "browser", m.Participant.Identity())
		case <-time.After(patience * time.Millisecond):
			require.FailNow(t, "no message came")
		}
	}
	require.InDelta(t, 3, p.count(`lab.seen("Room", "trackMessage")`), 0)
	p.quiet()
	q.quiet()
}
