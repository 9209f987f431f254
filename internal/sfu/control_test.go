package sfu_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
)

// told is a message of the control channel, as a client gets it.
type told struct {
	Type   string
	ID     int
	Number int
	Track  string
	Signal struct{ Type, Data string }
	From   struct{ SID, Identity string }
	Error  *struct{ Code signaling.Code }
}

func (c *client) control(payloads ...string) {
	c.t.Helper()
	var u signaling.Update
	for _, p := range payloads {
		u.Channels = append(u.Channels, signaling.Channel{Name: "control", Payload: []byte(p)})
	}
	require.NoError(c.t, c.session.Send(u))
}

// told returns all control messages of a type, once there are n.
func (c *client) told(kind string, n int) (list []told) {
	c.t.Helper()
	c.until(fmt.Sprintf("%d %ss", n, kind), func() bool {
		list = nil
		for _, m := range c.said {
			var got told
			if m.Name == "control" && json.Unmarshal(m.Payload, &got) == nil && got.Type == kind {
				list = append(list, got)
			}
		}
		return len(list) >= n
	})
	return list
}

// withRole joins with a role, with nothing but signaling.
func (w *world) withRole(identity, room string, role accesstoken.Role) *client {
	w.t.Helper()
	c := w.client(identity, room)
	token, err := accesstoken.Token{Identity: identity, Role: role}.Sign(w.key)
	require.NoError(w.t, err)
	c.join.Token = token
	require.NoError(w.t, c.dial())
	return c
}

// Requests that come again are not done again, and get the same answer; what
// was delivered is delivered again until the client says that it has it.
func TestControlIsExactlyOnce(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.withRole("alice", "demo", ""), w.withRole("bob", "demo", "")
	require.Equal(t, []string{"control"}, alice.initial.Capabilities.Channels)
	one := `{"type":"request","id":1,"action":"signal","signal":{"type":"n","data":"1"}}`
	two := `{"type":"request","id":5,"action":"signal","signal":{"type":"n","data":"2","to":"dave"}}`
	alice.control(one, one, two, one, two)
	answers := alice.told("answer", 2) // none for what is under way
	require.Equal(t, 1, answers[0].ID)
	alice.cut()
	require.NoError(t, alice.resume())
	alice.change(func() { alice.said = nil })
	alice.control(one, two, `{"type":"request","id":6,"action":"signal","signal":{"type":"n","data":"3"}}`)
	answers = alice.told("answer", 3)
	require.Nil(t, answers[0].Error)
	require.Equal(t, signaling.CodeParticipantNotFound, answers[1].Error.Code)
	require.Equal(t, 6, answers[2].ID)

	got := bob.told("signal", 2)
	require.Equal(t, []string{"1", "3"}, []string{got[0].Signal.Data, got[1].Signal.Data})
	require.Equal(t, []int{1, 2}, []int{got[0].Number, got[1].Number})
	require.Equal(t, alice.initial.Participant.SID, got[0].From.SID)
	bob.control(`{"type":"received","number":1}`, `{"type":"request","id":1}`)
	bob.told("answer", 1)
	bob.cut()
	bob.change(func() { bob.said = nil })
	require.NoError(t, bob.resume())
	require.Equal(t, 2, bob.told("signal", 1)[0].Number, "the first is not told again")
	require.NoError(t, w.srv.Signal("demo", "last", "", "bob"))
	require.Len(t, bob.told("signal", 2), 2)
}

// Roles hold against clients that do not know them, and what is no request costs
// nobody anything.
func TestControlAgainstModifiedClients(t *testing.T) {
	w := newWorld(t)
	bob := w.withRole("bob", "demo", "")
	for _, role := range []accesstoken.Role{accesstoken.RoleSubscriber, accesstoken.RolePublisherOnly} {
		mallory := w.withRole("mallory "+string(role), "demo", role)
		mallory.control(`{"type":"request","id":1,"action":"signal","signal":{"type":"x","data":"1"}}`)
		require.Equal(t, signaling.CodeTokenGrantsInvalid, mallory.told("answer", 1)[0].Error.Code)
	}
	mallory := w.withRole("mallory", "demo", "")
	mallory.control(
		`7`, `[]`, `null`, `"x"`, `{"type":"request"}`, `{"type":"request","id":-1,"action":"signal"}`, `{"type":"request","id":"1"}`,
		`{"type":"received","number":1e300}`, `{"type":"received","number":99999}`, `{"type":"answer","id":1}`,
		`{"type":"request","id":1,"action":"signal"}`,
		`{"type":"request","id":2,"action":"signal","signal":{"type":"a b","data":""}}`,
		`{"type":"request","id":3,"action":"signal","signal":{"type":"`+strings.Repeat("x", 129)+`","data":""}}`,
		`{"type":"request","id":4,"action":"signal","signal":{"data":"`+strings.Repeat("x", 8<<10+1)+`"}}`,
		`{"type":"request","id":5,"action":"fly"}`,
		`{"type":"request","id":6,"action":"signal","signal":{"data":"`+strings.Repeat("x", 70<<10)+`"}}`,
		`{"type":"request","id":9007199254740991,"action":"signal","signal":{"data":"good"}}`,
	)
	var codes []signaling.Code
	for _, a := range mallory.told("answer", 6)[:5] {
		codes = append(codes, a.Error.Code)
	}
	require.Equal(t, []signaling.Code{
		signaling.CodeSignalingOutgoingInvalid, signaling.CodeSignalTypeInvalid, signaling.CodeSignalTooLong, signaling.CodeSignalTooLong,
		signaling.CodeSignalingOutgoingInvalid,
	}, codes)
	require.Len(t, bob.told("signal", 1), 1)
	require.Equal(t, "good", bob.told("signal", 1)[0].Signal.Data)
	mallory.told("signal", 1)

	flooder := w.withRole("flooder", "demo", "")
	for i := range 300 {
		flooder.control(fmt.Sprintf(`{"type":"request","id":%d,"action":"signal","signal":{"to":"bob"}}`, i+1))
	}
	busy := 0
	for _, a := range flooder.told("answer", 300) {
		if a.Error != nil {
			require.Equal(t, signaling.CodeServerBusy, a.Error.Code)
			busy++
		}
	}
	require.Greater(t, busy, 100)
	require.NoError(t, w.srv.Signal("demo", "calm", "", "bob"))
	bob.told("signal", 300-busy+2)
}

// A browser hears nothing of all this.
func TestControlIsNotForBrowsers(t *testing.T) {
	w := newWorld(t)
	alice := w.withRole("alice", "demo", "")
	b := w.browser("browser", "demo", "control")
	b.dial()
	alice.sees("browser", signaling.StateConnected)
	alice.control(`{"type":"request","id":1,"action":"signal","signal":{"to":"browser"}}`,
		`{"type":"request","id":2,"action":"signal","signal":{"type":"all"}}`)
	answers := alice.told("answer", 2)
	require.Equal(t, signaling.CodeParticipantNotFound, answers[0].Error.Code)
	require.Nil(t, answers[1].Error)
	alice.told("signal", 1)
	b.change(func() { require.Empty(t, b.channels) })
}
