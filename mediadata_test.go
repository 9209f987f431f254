package parley_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// dataOf waits for the data track of the name.
func dataOf(t *testing.T, room *parley.Room, who, name string) *parley.RemoteDataTrack {
	t.Helper()
	for range 1000 {
		if p := room.Participant(who); p != nil {
			for _, pub := range p.DataTracks() {
				if track, ok := pub.Track().(*parley.RemoteDataTrack); ok && pub.TrackName() == name {
					return track
				}
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s has no data track %s", who, name)
	return nil
}

func messages(t *testing.T, opts *parley.DataTrackOptions) *parley.LocalDataTrack {
	t.Helper()
	track, err := parley.NewLocalDataTrack(opts)
	require.NoError(t, err)
	return track
}

func TestDataTracksTellTheirReliability(t *testing.T) {
	lifetime, tries, none := 1500*time.Millisecond, uint16(3), uint16(0)
	cases := []parley.DataTrackOptions{
		{Name: "default"},
		{Name: "unordered", Unordered: true},
		{Name: "lifetime", MaxPacketLifeTime: &lifetime},
		{Name: "tries", MaxRetransmits: &tries, Unordered: true},
		{Name: "once", MaxRetransmits: &none},
	}
	inStudio(t, func(t *testing.T, st *studio) {
		var tracks []parley.LocalTrack
		for _, c := range cases {
			tracks = append(tracks, messages(t, &c))
		}
		st.join("alice", tracks...)
		bob := st.join("bob")
		for _, c := range cases {
			got := dataOf(t, bob, "alice", c.Name)
			require.Equal(t, !c.Unordered, got.Ordered(), c.Name)
			require.Equal(t, c.MaxPacketLifeTime, got.MaxPacketLifeTime(), c.Name)
			require.Equal(t, c.MaxRetransmits, got.MaxRetransmits(), c.Name)
			require.Equal(t, c.MaxRetransmits == nil && c.MaxPacketLifeTime == nil, got.Reliable(), c.Name)
		}
	})
}

func TestDataMessagesArriveAsTheyAre(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		track := messages(t, &parley.DataTrackOptions{Name: "d"})
		st.join("alice", track)
		bob := st.join("bob")
		remote := dataOf(t, bob, "alice", "d")
		want := []parley.Message{
			{Data: []byte("text"), Text: true},
			{Data: []byte{0, 1, 2, 255}},
			{Data: nil, Text: true},
			{Data: nil},
			{Data: bytes.Repeat([]byte{7}, 16<<10)},
			{Data: bytes.Repeat([]byte("ä"), 8<<10), Text: true},
		}
		for _, m := range want {
			if m.Text {
				require.NoError(t, track.SendText(t.Context(), string(m.Data)))
			} else {
				require.NoError(t, track.Send(t.Context(), m.Data))
			}
		}
		for i, m := range want {
			got, err := remote.Receive(t.Context())
			require.NoError(t, err)
			require.Equal(t, m.Text, got.Text, i)
			require.True(t, bytes.Equal(m.Data, got.Data), "message %d: %d bytes, want %d", i, len(got.Data), len(m.Data))
			require.Zero(t, got.Dropped)
		}
		require.ErrorIs(t, track.Send(t.Context(), make([]byte, 16<<10+1)), parley.ErrMessageTooLarge)
		require.ErrorIs(t, track.SendText(t.Context(), string(make([]byte, 1<<20))), parley.ErrMessageTooLarge)
		require.NoError(t, track.SendText(t.Context(), "the channel lives"))
		got, err := remote.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, "the channel lives", string(got.Data))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = remote.Receive(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// TestSendWaitsWhileTooMuchIsUnderWay sends over a network that is gone.
func TestSendWaitsWhileTooMuchIsUnderWay(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		track := messages(t, &parley.DataTrackOptions{Name: "d"})
		st.join("alice", track)
		bob := st.join("bob")
		remote := dataOf(t, bob, "alice", "d")
		settle()
		st.srv.Cut("alice")
		sent := 0
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			began := time.Now()
			err := track.Send(ctx, fmt.Appendf(make([]byte, 0, 16<<10), "%0*d", 16<<10, sent))
			cancel()
			if err != nil {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, time.Second, time.Since(began))
				break
			}
			require.Less(t, time.Since(began), time.Millisecond)
			sent++
			require.Less(t, sent, 100)
		}
		require.InDelta(t, 1<<20, track.Buffered(), 32<<10)
		// One that waits goes on when there is room again, and in its turn.
		waiting := make(chan error, 1)
		go func() { waiting <- track.SendText(t.Context(), "last") }()
		synctest.Wait()
		require.Empty(t, waiting)
		st.srv.Restore("alice")
		require.NoError(t, <-waiting)
		for i := range sent {
			m, err := remote.Receive(t.Context())
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("%0*d", 16<<10, i), string(m.Data))
		}
		m, err := remote.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, "last", string(m.Data))
	})
}

func TestUnreadMessagesDropTheOldest(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		track := messages(t, &parley.DataTrackOptions{Name: "d"})
		st.join("alice", track)
		bob := st.join("bob")
		remote := dataOf(t, bob, "alice", "d")
		settle()
		const n = 200
		for i := range n {
			require.NoError(t, track.Send(t.Context(), fmt.Appendf(make([]byte, 0, 16<<10), "%0*d", 16<<10, i)))
		}
		time.Sleep(20 * time.Second)
		first, err := remote.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%0*d", 16<<10, first.Dropped), string(first.Data), "those before it were dropped")
		require.InDelta(t, n-64, first.Dropped, 2, "1 MiB is kept")
		for i := first.Dropped + 1; i < n; i++ {
			m, err := remote.Receive(t.Context())
			require.NoError(t, err)
			require.Zero(t, m.Dropped)
			require.Equal(t, fmt.Sprintf("%0*d", 16<<10, i), string(m.Data))
		}
	})
}

// TestUnreliableMessagesHoldNobodyUp loses a tenth of the packets each way.
func TestUnreliableMessagesHoldNobodyUp(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		none := uint16(0)
		once := messages(t, &parley.DataTrackOptions{Name: "once", Unordered: true, MaxRetransmits: &none})
		sure := messages(t, &parley.DataTrackOptions{Name: "sure"})
		st.join("alice", once, sure)
		bob := st.join("bob")
		remoteOnce, remoteSure := dataOf(t, bob, "alice", "once"), dataOf(t, bob, "alice", "sure")
		settle()
		st.srv.Loss("alice", 100)
		st.srv.Loss("bob", 100)
		const n = 500
		for i := range n {
			require.NoError(t, once.Send(t.Context(), fmt.Appendf(nil, "%d", i)))
			require.NoError(t, sure.Send(t.Context(), fmt.Appendf(nil, "%d", i)))
			time.Sleep(20 * time.Millisecond)
		}
		st.srv.Loss("alice", 0)
		st.srv.Loss("bob", 0)
		settle()
		for i := range n {
			m, err := remoteSure.Receive(t.Context())
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i), string(m.Data), "every one, in order")
		}
		seen := map[string]bool{}
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			m, err := remoteOnce.Receive(ctx)
			cancel()
			if err != nil {
				break
			}
			require.False(t, seen[string(m.Data)], "twice")
			seen[string(m.Data)] = true
		}
		t.Logf("%d of %d", len(seen), n)
		require.Less(t, len(seen), n)
		require.Greater(t, len(seen), n*6/10)
	})
}

// TestE09MessagesAndMediaAreNotEvents proves that what flows through a room is
// not in its timeline, however much it is.
func TestE09MessagesAndMediaAreNotEvents(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		video, write := st.written(media.VP8, "v")
		audio, speak := st.written(media.Opus, "a")
		data := messages(t, &parley.DataTrackOptions{Name: "d"})
		alice, bob := st.join("alice", video, audio, data), st.join("bob")
		dataOf(t, bob, "alice", "d")
		events := bob.Events()
		all, hers := bob.Messages(), bob.Participant("alice").Messages()
		settle()
		const n = 1000
		pictures, sounds := testclips.Samples(media.VP8), testclips.Samples(media.Opus)
		for i := range n {
			p, s := pictures[i%len(pictures)], sounds[i%len(sounds)]
			p.Timestamp, s.Timestamp = time.Duration(i)*40*time.Millisecond, time.Duration(i)*20*time.Millisecond
			write(p)
			speak(s)
			require.NoError(t, data.Send(t.Context(), fmt.Appendf(nil, "%d", i)))
			time.Sleep(20 * time.Millisecond)
		}
		settle()
		for _, ch := range []<-chan parley.TrackMessage{all, hers} {
			require.Len(t, ch, 256)
			count, dropped := 0, 0
			for len(ch) > 0 {
				m := <-ch
				count++
				dropped += m.Dropped
				require.Equal(t, fmt.Sprint(n-256+count-1), string(m.Data), "the newest are kept")
				require.Equal(t, "alice", m.Participant.Identity())
				require.Equal(t, "d", m.Track.Name())
			}
			require.Equal(t, n, count+dropped)
		}
		gone := bob.ParticipantDisconnected()
		require.NoError(t, alice.Disconnect())
		roomtest.Next[parley.ParticipantDisconnected](t, gone)
		require.NoError(t, bob.Disconnect())
		kinds := map[string]int{}
		for _, e := range roomtest.Rest(t, events) {
			kinds[reflect.TypeOf(e).Name()]++
		}
		require.Equal(t, map[string]int{
			"ParticipantConnected": 1, "TrackPublished": 3, "TrackSubscribed": 3, "TrackStarted": 2, "TrackDimensionsChanged": 1,
			"TrackUnsubscribed": 3, "ParticipantDisconnected": 1, "Disconnected": 1,
		}, kinds)
		_, open := <-all
		require.False(t, open)
	})
}
