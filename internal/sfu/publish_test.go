package sfu_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

// Trap 5: a mid is used again for another track, and media follows the latest
// description.
func TestSectionsAreUsedAgainByTheirPublisher(t *testing.T) {
	w := newWorld(t)
	alice := w.client("alice", "demo")
	out := alice.publish(signaling.KindVideo, "one")
	require.NoError(t, alice.dial())
	alice.connected()
	alice.stream(out, media.VP8, 1)
	bob := w.client("bob", "demo")
	mid := bob.slot(media.Video)
	require.NoError(t, bob.dial())
	bob.connected()
	one := alice.readyWith("one")
	require.Equal(t, mid, bob.subscription(one).ID)
	read(t, bob.inlet(mid), 10)

	// The same section, in the next description under another id.
	alice.unpublish("one")
	alice.join.Participant.Revision++
	alice.join.Participant.Tracks = append(slices.Clone(alice.join.Participant.Tracks),
		signaling.LocalTrack{ID: "two", Name: "two", Kind: signaling.KindVideo})
	out.SetID("two", "")
	alice.renegotiate()
	two := alice.readyWith("two")
	require.NotEqual(t, one, two)
	sub := bob.subscription(two)
	require.Equal(t, mid, sub.ID)
	for {
		p := read(t, bob.inlet(mid), 1)[0]
		if int16(p.SequenceNumber-sub.From) >= 10 {
			break
		}
	}
}

// Trap 4: browsers describe simulcast in a way that pion refuses to answer.
func TestSimulcastOffersAreAnsweredWithOneLayer(t *testing.T) {
	w := newWorld(t)
	alice := w.client("alice", "demo")
	out := alice.publish(signaling.KindVideo, "cam")
	offer := alice.offer()
	sdp := offer.Description.SDP
	fid := regexp.MustCompile(`a=ssrc-group:FID (\d+) (\d+)\r\n`).FindStringSubmatch(sdp)
	require.NotNil(t, fid)
	lines := fmt.Sprintf("a=ssrc-group:SIM %s 1111 2222\r\na=ssrc-group:FID 1111 3333\r\na=ssrc-group:FID 2222 4444\r\n", fid[1])
	for _, ssrc := range []string{"1111", "2222", "3333", "4444"} {
		lines += "a=ssrc:" + ssrc + " cname:c\r\na=ssrc:" + ssrc + " msid:- cam\r\n"
	}
	offer.Description.SDP = strings.Replace(sdp, fid[0], fid[0]+lines, 1)
	alice.join.PeerConnections = []signaling.PeerConnection{offer}
	session, err := w.transport().Dial(t.Context(), alice.join)
	require.NoError(t, err)
	alice.begin(session)
	alice.connected()
	alice.stream(out, media.VP8, 1)
	bob := w.client("bob", "demo")
	mid := bob.slot(media.Video)
	require.NoError(t, bob.dial())
	require.Equal(t, mid, bob.subscription(alice.readyWith("cam")).ID)
	bob.connected()
	read(t, bob.inlet(mid), 10)
}

func TestEnabledAndPriorityAreForwarded(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.client("alice", "demo"), w.client("bob", "demo")
	alice.publish(signaling.KindData, "chat")
	require.NoError(t, alice.dial())
	require.NoError(t, bob.dial())
	sid := alice.readyWith("chat")
	first := bob.initial.Update.Participants[0]
	require.Equal(t, []signaling.RemoteTrack{{
		SID: sid, Kind: signaling.KindData, Name: "name of chat", Enabled: true, Priority: signaling.PriorityStandard,
	}}, first.Tracks)
	alice.join.Participant.Revision++
	alice.join.Participant.Tracks = []signaling.LocalTrack{{
		ID: "chat", Kind: signaling.KindVideo, Name: "kind and name are read once", Priority: signaling.PriorityHigh,
	}}
	alice.tell()
	bob.until("change", func() bool { return len(bob.participants) > 1 })
	next := bob.participants[1]
	require.Greater(t, next.Revision, first.Revision)
	require.Equal(t, []signaling.RemoteTrack{{
		SID: sid, Kind: signaling.KindData, Name: "name of chat", Priority: signaling.PriorityHigh,
	}}, next.Tracks)
	alice.tell() // the same revision again changes nothing
	alice.unpublish("chat")
	alice.tell()
	bob.until("unpublished", func() bool { return len(bob.participants) > 2 })
	require.Empty(t, bob.participants[2].Tracks)
}
