package signalingtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/signaling"
)

var cases = []suiteCase{
	{name: "join", run: testJoin},
	{name: "join reaches the server whole", run: testJoinFields},
	{name: "refusals keep their code", run: testRefusals},
	{name: "terminal busy", run: testBusy},
	{name: "dial ends with its context", run: testDialCanceled},
	{name: "dial with a dead context", run: testDialDead},
	{name: "dialing does not bound the session", run: testDialContextAfter},
	{name: "prepare", run: testPrepare},
	{name: "sections reach the server", run: testClientSections},
	{name: "sections reach the client", run: testServerSections},
	{name: "server's order", run: testOrder},
	{name: "coalescing keeps the newest", run: testCoalescing},
	{name: "stale revisions change nothing", run: testStale},
	{name: "an answer is not lost to an offer", run: testAnswerThenOffer},
	{name: "channel messages keep their order", run: testChannels},
	{name: "receive ends with its context", run: testReceiveCanceled},
	{name: "leave", run: testLeave},
	{name: "leave comes after what was sent", run: testLeaveOrder},
	{name: "replaced", run: testReplaced},
	{name: "resume", resume: true, run: testResume},
	{name: "close unblocks receive", run: testCloseUnblocks},
	{name: "close twice and at once", run: testCloseTwice},
	{name: "lost connection", run: testLost},
	{name: "ends keep code, reason and retry", run: testEnds},
	{name: "updates come before the end", run: testUpdatesBeforeEnd},
	{name: "send, receive and close at once", run: testConcurrent},
}

func state() signaling.State {
	return signaling.State{
		Session:     "session-1",
		Room:        signaling.Room{SID: "RM1", Name: "lobby", SessionTimeout: 30 * time.Second},
		Participant: signaling.Identity{SID: "PA1", Identity: "alice"},
		Capabilities: signaling.Capabilities{
			Resume: true, Slots: true, Subscribe: true,
		},
	}
}

// bound is the test's context with the suite's limit.
func bound(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

type dialed struct {
	session signaling.Session
	err     error
}

func dial(ctx context.Context, f Fixture, join signaling.Join) <-chan dialed {
	ch := make(chan dialed, 1)
	go func() {
		s, err := f.Transport.Dial(ctx, join)
		ch <- dialed{s, err}
	}()
	return ch
}

// connect joins and is accepted.
func connect(t *testing.T, f Fixture) (signaling.Session, Peer) {
	t.Helper()
	ctx := bound(t)
	ch := dial(ctx, f, signaling.Join{Token: "token", Room: "lobby"})
	peer, err := f.Next(ctx)
	require.NoError(t, err)
	require.NoError(t, peer.Accept(state()))
	d := <-ch
	require.NoError(t, d.err)
	t.Cleanup(func() {
		_ = d.session.Close(context.Background(), signaling.ReasonReplaced)
		peer.Drop()
	})
	return d.session, peer
}

func requireCode(t *testing.T, err error, code signaling.Code) {
	t.Helper()
	require.Equal(t, code, asError(t, err).Code, "of %v", err)
}

func asError(t *testing.T, err error) (e *signaling.Error) {
	t.Helper()
	require.ErrorAs(t, err, &e)
	return e
}

// receive reads updates until one satisfies want.
func receive(t *testing.T, from func(context.Context) (signaling.Update, error), want func(signaling.Update) bool) signaling.Update {
	t.Helper()
	ctx := bound(t)
	for {
		u, err := from(ctx)
		require.NoError(t, err)
		if want(u) {
			return u
		}
	}
}

func testJoin(t *testing.T, f Fixture) {
	s, _ := connect(t, f)
	got := s.Initial()
	require.Equal(t, "session-1", got.Session)
	require.Equal(t, "RM1", got.Room.SID)
	require.Equal(t, "lobby", got.Room.Name)
	require.Equal(t, 30*time.Second, got.Room.SessionTimeout)
	require.Equal(t, signaling.Identity{SID: "PA1", Identity: "alice"}, got.Participant)
	require.True(t, got.Update.Full)
}

func testJoinFields(t *testing.T, f Fixture) {
	join := signaling.Join{
		Token: "token",
		Room:  "lobby",
		Participant: signaling.LocalParticipant{Revision: 3, Tracks: []signaling.LocalTrack{
			{ID: "t1", Kind: signaling.KindVideo, Name: "camera", Enabled: true, Priority: signaling.PriorityHigh, Stream: "head"},
			{ID: "t2", Kind: signaling.KindData, Name: "chat", Enabled: true, Priority: signaling.PriorityStandard},
		}},
		PeerConnections: []signaling.PeerConnection{offer("pc1", 1)},
		Subscribe:       signaling.Subscribe{Revision: 1, Rules: []signaling.Rule{{All: true}}},
	}
	ctx := bound(t)
	ch := dial(ctx, f, join)
	peer, err := f.Next(ctx)
	require.NoError(t, err)
	got := peer.Join()
	require.Equal(t, join.Token, got.Token)
	require.Equal(t, join.Room, got.Room)
	require.Empty(t, got.Resume)
	require.Equal(t, join.Participant, got.Participant)
	require.Equal(t, join.PeerConnections, got.PeerConnections)
	require.Equal(t, join.Subscribe, got.Subscribe)
	require.NoError(t, peer.Accept(state()))
	d := <-ch
	require.NoError(t, d.err)
	require.NoError(t, d.session.Close(ctx, signaling.ReasonReplaced))
	peer.Drop()
}

func offer(id string, revision int) signaling.PeerConnection {
	return signaling.PeerConnection{ID: id, Description: &signaling.Description{
		Type: signaling.DescriptionOffer, Revision: revision, SDP: fmt.Sprintf("v=0\r\ns=%d\r\n", revision),
	}}
}

func testRefusals(t *testing.T, f Fixture) {
	for _, code := range []signaling.Code{
		signaling.CodeTokenInvalid, signaling.CodeTokenExpired, signaling.CodeRoomNotFound,
		signaling.CodeMaxParticipantsExceeded, signaling.CodeIdentityInvalid, signaling.CodeServerRemoteDescription,
	} {
		ctx := bound(t)
		ch := dial(ctx, f, signaling.Join{Token: "token"})
		peer, err := f.Next(ctx)
		require.NoError(t, err)
		require.NoError(t, peer.Reject(signaling.NewError(code)))
		d := <-ch
		requireCode(t, d.err, code)
		require.Nil(t, d.session)
		peer.Drop()
	}
}

func testBusy(t *testing.T, f Fixture) {
	ctx := bound(t)
	ch := dial(ctx, f, signaling.Join{Token: "token"})
	peer, err := f.Next(ctx)
	require.NoError(t, err)
	busy := signaling.NewError(signaling.CodeServerBusy)
	busy.RetryAfter = -1
	require.NoError(t, peer.Reject(busy))
	d := <-ch
	requireCode(t, d.err, signaling.CodeServerBusy)
	require.Negative(t, asError(t, d.err).RetryAfter)
	peer.Drop()
}

func testDialCanceled(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(bound(t))
	ch := dial(ctx, f, signaling.Join{Token: "token"})
	peer, err := f.Next(ctx)
	require.NoError(t, err)
	cancel() // the server has the join and does not answer
	d := <-ch
	require.ErrorIs(t, d.err, context.Canceled)
	require.Nil(t, d.session)
	peer.Drop()
}

func testDialDead(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := f.Transport.Dial(ctx, signaling.Join{Token: "token"})
	require.ErrorIs(t, err, context.Canceled)
	require.Nil(t, s)
}

func testDialContextAfter(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(bound(t))
	ch := dial(ctx, f, signaling.Join{Token: "token"})
	peer, err := f.Next(bound(t))
	require.NoError(t, err)
	require.NoError(t, peer.Accept(state()))
	d := <-ch
	require.NoError(t, d.err)
	cancel()
	require.NoError(t, peer.Send(signaling.Update{Recording: &signaling.Recording{Revision: 1, Active: true}}))
	u, err := d.session.Receive(bound(t))
	require.NoError(t, err)
	require.True(t, u.Recording.Active)
	require.NoError(t, d.session.Close(t.Context(), signaling.ReasonReplaced))
	peer.Drop()
}

func testPrepare(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(bound(t))
	defer cancel()
	_, err := f.Transport.Prepare(ctx, "token")
	require.NoError(t, err)
}

func testClientSections(t *testing.T, f Fixture) {
	s, peer := connect(t, f)
	sent := signaling.Update{
		Participant: &signaling.LocalParticipant{Revision: 9, Tracks: []signaling.LocalTrack{
			{ID: "t1", Kind: signaling.KindAudio, Name: "mic", Enabled: false, Priority: signaling.PriorityLow},
		}},
		PeerConnections: []signaling.PeerConnection{offer("pc1", 4)},
	}
	require.NoError(t, s.Send(sent))
	got := receive(t, peer.Receive, func(u signaling.Update) bool { return u.PeerConnections != nil })
	require.Equal(t, sent.Participant, got.Participant)
	require.Equal(t, sent.PeerConnections, got.PeerConnections)
}

func testServerSections(t *testing.T, f Fixture) {
	s, peer := connect(t, f)
	sent := signaling.Update{
		Participants: []signaling.RemoteParticipant{{
			SID: "PA2", Identity: "bob", Revision: 5, State: signaling.StateConnected,
			Tracks: []signaling.RemoteTrack{{
				SID: "MT1", Kind: signaling.KindVideo, Name: "camera", Enabled: true, Priority: signaling.PriorityStandard,
				Stream: "head",
			}},
		}},
		Published: &signaling.Published{Revision: 2, Tracks: []signaling.PublishedTrack{
			{ID: "t1", State: signaling.PublishReady, SID: "MT2"},
			{ID: "t2", State: signaling.PublishFailed, Err: signaling.NewError(signaling.CodeTrackNameTooLong)},
		}},
		Subscribed: &signaling.Subscribed{Revision: 3, Tracks: []signaling.Subscription{{SID: "MT1", ID: "s1"}}},
	}
	require.NoError(t, peer.Send(sent))
	got := receive(t, s.Receive, func(u signaling.Update) bool { return u.Subscribed != nil })
	require.False(t, got.Full)
	require.Equal(t, sent.Participants, got.Participants)
	require.Equal(t, sent.Published, got.Published)
	require.Equal(t, sent.Subscribed, got.Subscribed)
}

func testOrder(t *testing.T, f Fixture) {
	s, peer := connect(t, f)
	const n = 200
	for i := range n {
		require.NoError(t, peer.Send(signaling.Update{Published: &signaling.Published{Revision: i + 1}}))
	}
	for i := range n {
		u, err := s.Receive(bound(t))
		require.NoError(t, err)
		require.Equal(t, i+1, u.Published.Revision)
	}
}

func testCoalescing(t *testing.T, f Fixture) {
	s, peer := connect(t, f)
	const n = 2000
	for i := range n {
		require.NoError(t, s.Send(signaling.Update{
			Participant:     &signaling.LocalParticipant{Revision: i + 1},
			PeerConnections: []signaling.PeerConnection{offer("pc1", i+1), offer("pc2", i+1)},
		}))
	}
	revision, descriptions := 0, map[string]int{}
	receive(t, peer.Receive, func(u signaling.Update) bool {
		require.GreaterOrEqual(t, u.Participant.Revision, revision)
		revision = u.Participant.Revision
		for _, pc := range u.PeerConnections {
			require.Greater(t, pc.Description.Revision, descriptions[pc.ID], "of %s", pc.ID)
			descriptions[pc.ID] = pc.Description.Revision
		}
		return revision == n && descriptions["pc1"] == n && descriptions["pc2"] == n
	})
}

func testStale(t *testing.T, f Fixture) {
	s, peer := connect(t, f)
	require.NoError(t, s.Send(signaling.Update{Participant: &signaling.LocalParticipant{Revision: 7}}))
	require.NoError(t, s.Send(signaling.Update{Participant: &signaling.LocalParticipant{Revision: 6}}))
	require.NoError(t, s.Send(signaling.Update{PeerConnections: []signaling.PeerConnection{offer("pc1", 1)}}))
	highest := 0
	receive(t, peer.Receive, func(u signaling.Update) bool {
		require.GreaterOrEqual(t, u.Participant.Revision, highest)
		highest = u.Participant.Revision
		return u.PeerConnections != nil
	})
	require.Equal(t, 7, highest)
}

// testAnswerThenOffer: when both wait, the server needs both, in this order.
func testAnswerThenOffer(t *testing.T, f Fixture) {
	s, peer := connect(t, f)
	const n = 150 // enough to make updates wait for one another
	for i := range n {
		pc := offer("pc1", 2*i+1)
		pc.Description.Type = signaling.DescriptionAnswer
		require.NoError(t, s.Send(signaling.Update{PeerConnections: []signaling.PeerConnection{pc}}))
		if i == n-1 {
			require.NoError(t, s.Send(signaling.Update{PeerConnections: []signaling.PeerConnection{offer("pc1", 2*i+2)}}))
		}
	}
	var seen []signaling.Description
	receive(t, peer.Receive, func(u signaling.Update) bool {
		for _, pc := range u.PeerConnections {
			seen = append(seen, *pc.Description)
		}
		return len(seen) > 0 && seen[len(seen)-1].Type == signaling.DescriptionOffer
	})
	require.GreaterOrEqual(t, len(seen), 2)
	require.Equal(t, signaling.DescriptionAnswer, seen[len(seen)-2].Type)
	require.Equal(t, 2*n-1, seen[len(seen)-2].Revision)
	require.Equal(t, 2*n, seen[len(seen)-1].Revision)
}

// testChannels: sections may replace each other, messages may not. Each arrives
// once, in order, both ways.
func testChannels(t *testing.T, f Fixture) {
	s, peer := connect(t, f)
	const n = 200
	message := func(i int) []signaling.Channel {
		return []signaling.Channel{{Name: "control", Payload: fmt.Appendf(nil, `{"id":%d}`, i)}}
	}
	check := func(from func(context.Context) (signaling.Update, error)) {
		t.Helper()
		next := 0
		receive(t, from, func(u signaling.Update) bool {
			for _, c := range u.Channels {
				require.Equal(t, message(next)[0], c)
				next++
			}
			return next == n
		})
	}
	for i := range n {
		require.NoError(t, s.Send(signaling.Update{
			Participant: &signaling.LocalParticipant{Revision: i + 1}, Channels: message(i),
		}))
	}
	check(peer.Receive)
	for i := range n {
		require.NoError(t, peer.Send(signaling.Update{Channels: message(i)}))
	}
	check(s.Receive)
}

func testReceiveCanceled(t *testing.T, f Fixture) {
	s, peer := connect(t, f)
	ctx, cancel := context.WithCancel(bound(t))
	got := make(chan error, 1)
	go func() {
		_, err := s.Receive(ctx)
		got <- err
	}()
	cancel()
	require.ErrorIs(t, <-got, context.Canceled)
	require.NoError(t, peer.Send(signaling.Update{Published: &signaling.Published{Revision: 1}}))
	u, err := s.Receive(bound(t))
	require.NoError(t, err)
	require.Equal(t, 1, u.Published.Revision)
}

func testLeave(t *testing.T, f Fixture) {
	s, peer := connect(t, f)
	require.NoError(t, s.Close(bound(t), signaling.ReasonLeave))
	_, err := peer.Receive(bound(t))
	require.ErrorIs(t, err, io.EOF)
	_, err = peer.Receive(bound(t))
	require.ErrorIs(t, err, io.EOF)
}

func testLeaveOrder(t *testing.T, f Fixture) {
	s, peer := connect(t, f)
	require.NoError(t, s.Send(signaling.Update{Participant: &signaling.LocalParticipant{Revision: 5}}))
	require.NoError(t, s.Close(bound(t), signaling.ReasonLeave))
	u, err := peer.Receive(bound(t))
	require.NoError(t, err)
	require.Equal(t, 5, u.Participant.Revision)
	_, err = peer.Receive(bound(t))
	require.ErrorIs(t, err, io.EOF)
}

func testReplaced(t *testing.T, f Fixture) {
	s, peer := connect(t, f)
	require.NoError(t, s.Close(bound(t), signaling.ReasonReplaced))
	_, err := peer.Receive(bound(t))
	requireCode(t, err, signaling.CodeSignalingDisconnected)
	require.Error(t, s.Send(signaling.Update{}))
}

func testResume(t *testing.T, f Fixture) {
	s, peer := connect(t, f)
	require.True(t, s.Initial().Capabilities.Resume)
	require.NoError(t, s.Close(bound(t), signaling.ReasonReplaced))
	_, err := peer.Receive(bound(t))
	require.Error(t, err)

	ctx := bound(t)
	ch := dial(ctx, f, signaling.Join{
		Token: "token", Room: "lobby", Resume: s.Initial().Session,
		Participant:     signaling.LocalParticipant{Revision: 8},
		PeerConnections: []signaling.PeerConnection{offer("pc1", 2)},
	})
	again, err := f.Next(ctx)
	require.NoError(t, err)
	require.Equal(t, "session-1", again.Join().Resume)
	require.Equal(t, 8, again.Join().Participant.Revision)
	require.Equal(t, []signaling.PeerConnection{offer("pc1", 2)}, again.Join().PeerConnections)
	st := state()
	st.Update.Participants = []signaling.RemoteParticipant{{SID: "PA2", Identity: "bob", Revision: 1, State: signaling.StateConnected}}
	require.NoError(t, again.Accept(st))
	d := <-ch
	require.NoError(t, d.err)
	require.Equal(t, "session-1", d.session.Initial().Session)
	require.True(t, d.session.Initial().Update.Full)
	require.Len(t, d.session.Initial().Update.Participants, 1)
	require.NoError(t, d.session.Close(ctx, signaling.ReasonReplaced))
	again.Drop()
}

func testCloseUnblocks(t *testing.T, f Fixture) {
	for _, reason := range []signaling.Reason{signaling.ReasonLeave, signaling.ReasonReplaced} {
		s, _ := connect(t, f)
		got := make(chan error, 1)
		go func() {
			_, err := s.Receive(bound(t))
			got <- err
		}()
		require.NoError(t, s.Close(bound(t), reason))
		err := <-got
		require.Error(t, err)
		require.NotErrorIs(t, err, context.Canceled)
		_, again := s.Receive(bound(t))
		require.Equal(t, err, again)
	}
}

func testCloseTwice(t *testing.T, f Fixture) {
	s, _ := connect(t, f)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { _ = s.Close(bound(t), signaling.Reason(i%2)) })
	}
	wg.Wait()
	require.NoError(t, s.Close(bound(t), signaling.ReasonLeave))
}

func testLost(t *testing.T, f Fixture) {
	s, peer := connect(t, f)
	peer.Drop()
	_, err := s.Receive(bound(t))
	requireCode(t, err, signaling.CodeSignalingDisconnected)
	_, again := s.Receive(bound(t))
	require.Equal(t, err, again)
	require.Equal(t, err, s.Send(signaling.Update{}))
	require.NoError(t, s.Close(bound(t), signaling.ReasonLeave))
	_, again = s.Receive(bound(t))
	requireCode(t, again, signaling.CodeSignalingDisconnected)
}

func testEnds(t *testing.T, f Fixture) {
	for _, c := range []struct {
		name   string
		err    *signaling.Error
		reason signaling.DisconnectReason
		retry  time.Duration
		code   signaling.Code
	}{
		{"duplicate", signaling.NewError(signaling.CodeDuplicateIdentity), signaling.DisconnectDuplicate, 0, signaling.CodeDuplicateIdentity},
		{"completed", nil, signaling.DisconnectCompleted, 0, signaling.CodeRoomCompleted},
		{"removed", nil, signaling.DisconnectRemoved, 0, 0},
		{"shutdown", nil, signaling.DisconnectShutdown, 1500 * time.Millisecond, 0},
		{"never", signaling.NewError(signaling.CodeRoomConnectFailed), "", -time.Millisecond, signaling.CodeRoomConnectFailed},
	} {
		s, peer := connect(t, f)
		go peer.End(c.err, c.reason, c.retry)
		_, err := s.Receive(bound(t))
		requireCode(t, err, c.code)
		e := asError(t, err)
		require.Equal(t, c.reason, e.Reason, c.name)
		require.Equal(t, c.retry, e.RetryAfter, c.name)
		require.NoError(t, s.Close(bound(t), signaling.ReasonReplaced))
	}
}

func testUpdatesBeforeEnd(t *testing.T, f Fixture) {
	s, peer := connect(t, f)
	const n = 50
	for i := range n {
		require.NoError(t, peer.Send(signaling.Update{Published: &signaling.Published{Revision: i + 1}}))
	}
	go peer.End(signaling.NewError(signaling.CodeDuplicateIdentity), "", 0)
	for i := range n {
		u, err := s.Receive(bound(t))
		require.NoError(t, err)
		require.Equal(t, i+1, u.Published.Revision)
	}
	_, err := s.Receive(bound(t))
	requireCode(t, err, signaling.CodeDuplicateIdentity)
}

func testConcurrent(t *testing.T, f Fixture) {
	s, peer := connect(t, f)
	ctx := bound(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				if s.Send(signaling.Update{Participant: &signaling.LocalParticipant{Revision: i}}) != nil {
					return
				}
			}
		})
	}
	wg.Go(func() {
		for {
			if _, err := s.Receive(ctx); err != nil {
				return
			}
		}
	})
	closing := make(chan struct{})
	var once sync.Once
	wg.Go(func() {
		for i := 0; ; i++ {
			u, err := peer.Receive(ctx)
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Errorf("server received %v", err)
				}
				once.Do(func() { close(closing) })
				return
			}
			if u.Participant.Revision > 100 {
				once.Do(func() { close(closing) })
			}
			if peer.Send(signaling.Update{Published: &signaling.Published{Revision: i + 1}}) != nil {
				return
			}
		}
	})
	<-closing
	require.NoError(t, s.Close(ctx, signaling.ReasonLeave))
	require.Error(t, s.Send(signaling.Update{}))
	wg.Wait()
}
