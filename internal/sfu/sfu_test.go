package sfu_test

import (
	"testing"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

func TestVideoAndDataReachASubscriber(t *testing.T) {
	w := newWorld(t)
	alice := w.client("alice", "demo")
	out := alice.publish(signaling.KindVideo, "cam")
	alice.publish(signaling.KindData, "chat")
	dc, err := alice.pc.CreateChannel("chat", nil)
	require.NoError(t, err)
	require.NoError(t, alice.dial())
	cam, chat := alice.readyWith("cam"), alice.readyWith("chat")
	alice.connected()
	alice.stream(out, media.VP8, 65500)

	bob := w.client("bob", "demo")
	mid := bob.slot(media.Video)
	require.NoError(t, bob.dial())
	sub := bob.subscription(cam)
	require.Equal(t, mid, sub.ID, "in the answer to the join")
	require.Equal(t, []string{"alice"}, identities(bob.initial.Update.Participants))
	bob.connected()
	packets := read(t, bob.inlet(mid), 100)
	// The very first can be lost while the connection comes up.
	require.Less(t, packets[0].SequenceNumber-sub.From, uint16(50))
	for i, p := range packets {
		require.Equal(t, packets[0].SequenceNumber+uint16(i), p.SequenceNumber)
		require.Len(t, p.Extensions, 1, "the number across the transport, and nothing of the publisher's")
	}

	label := bob.subscription(chat).ID
	bob.until("channel", func() bool { return bob.channels[label] != nil })
	alice.until("open", func() bool { return dc.ReadyState() == webrtc.DataChannelStateOpen })
	require.NoError(t, dc.SendText("hello"))
	require.NoError(t, dc.Send([]byte{1, 2, 3}))
	bob.until("messages", func() bool { return len(bob.messages[label]) == 2 })
	require.True(t, bob.messages[label][0].IsString)
	require.Equal(t, "hello", string(bob.messages[label][0].Data))
	require.False(t, bob.messages[label][1].IsString)
	require.Equal(t, []byte{1, 2, 3}, bob.messages[label][1].Data)

	require.NoError(t, alice.session.Close(t.Context(), signaling.ReasonLeave))
	gone := bob.sees("alice", signaling.StateDisconnected)
	require.Equal(t, signaling.DisconnectLeft, gone.Reason)
	require.Len(t, gone.Tracks, 2, "the tracks stay in the last word")
}

func identities(ps []signaling.RemoteParticipant) (list []string) {
	for _, p := range ps {
		list = append(list, p.Identity)
	}
	return list
}
