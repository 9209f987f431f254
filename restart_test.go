package parley_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// crash kills the server under so many members, of whom the first publishes a
// picture that all others watch, and data to the second. It returns how long
// each was without its room, and without the picture, after the server was
// there again.
func crash(l *lab, members int, down time.Duration) (reconnected, media []time.Duration) {
	t := l.t
	t.Helper()
	data := dataTrack(t, "data")
	alice := l.join("alice", picture(t), data)
	all := []*member{alice}
	var views []*viewer
	for i := range members - 1 {
		m := l.join(fmt.Sprintf("bob%d", i))
		all = append(all, m)
		views = append(views, m.watch("alice", "picture"))
	}
	talk := l.talk(data, all[1], 10*time.Millisecond)
	for _, v := range views {
		v.after(t, time.Now())
	}
	time.Sleep(2 * time.Second)

	marks := make([]int, members)
	for i, m := range all {
		marks[i] = m.log.mark()
	}
	l.kill()
	time.Sleep(down)
	l.start()
	up := time.Now()
	for i, m := range all {
		_, at := await[parley.Reconnected](m, marks[i])
		reconnected = append(reconnected, at.Sub(up))
	}
	for i, v := range views {
		media = append(media, v.after(t, up).Sub(up))
		// Reconnected is told when media is back, or about to come.
		require.Less(t, media[i]-reconnected[i+1], time.Second, all[i+1].log)
	}
	time.Sleep(10 * time.Second)
	for i, m := range all {
		require.Equal(t, parley.StateConnected, m.room.State())
		require.Len(t, m.room.Participants(), members-1)
		news := m.log.since(marks[i])
		require.Equal(t, "Reconnecting", news[0])
		require.Equal(t, 1, count(news, "Reconnecting"), m.log)
		require.Equal(t, 1, count(news, "Reconnected"), m.log)
	}
	// What was lost before the publisher had a new connection is told. What
	// it sent from then on until the receiver was there too, nobody heard.
	told, at := await[parley.MessagesUnconfirmed](alice, marks[0])
	require.Equal(t, 1, count(alice.log.since(marks[0]), "MessagesUnconfirmed"), alice.log)
	_, there := await[parley.Reconnected](all[1], marks[1])
	if mark := marks[1]; count(all[1].log.since(mark), "TrackSubscribed alice/data") > 0 {
		_, there = await(all[1], mark, func(e parley.TrackSubscribed) bool { return e.Track.Name() == "data" })
	}
	sent, lost := talk.end()
	silent := talk.lost(time.Time{}, at)
	t.Logf("messages %d, lost %d, of those before the publisher was back %d, of which told %d; after all were back %d",
		sent, lost, silent, told.Messages, talk.lost(there, time.Now()))
	require.GreaterOrEqual(t, told.Messages, silent, "messages were lost in silence")
	require.Zero(t, talk.lost(there, time.Now()))
	return reconnected, media
}

func count(list []string, what string) int {
	n := 0
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}

func TestR11ServerRestart(t *testing.T) {
	inLab(t, 11, func(l *lab) {
		reconnected, media := crash(l, 20, time.Second)
		l.t.Logf("R11 server restarted after 1 s, 20 clients: Reconnected p50 %v, max %v; media p50 %v, max %v (after it was up)",
			quantile(reconnected, .5), quantile(reconnected, 1), quantile(media, .5), quantile(media, 1))
		require.LessOrEqual(l.t, quantile(reconnected, 1)+time.Second, 5*time.Second)
		require.LessOrEqual(l.t, quantile(media, 1)+time.Second, 5*time.Second)
	})
}

func TestR14ThunderingHerd(t *testing.T) {
	const clients = 100
	inLab(t, 14, func(l *lab) {
		// They are all behind one address, and the server lets ten a second
		// in from there, after the first twenty.
		office := l.world.LAN("office", faultnet.FullCone, "")
		all := make([]*member, clients)
		var joining sync.WaitGroup
		l.mint = func(identity string) string {
			return l.token(identity, func(t *accesstoken.Token) { t.Room = "lab" + identity[len(identity)-1:] })
		}
		for i := range all {
			who := fmt.Sprintf("client%d", i)
			host := office.Host(who)
			joining.Go(func() {
				var err error
				all[i], err = l.dialFrom(l.t.Context(), host, who)
				assert.NoError(l.t, err)
			})
		}
		joining.Wait()
		time.Sleep(5 * time.Second)
		l.kill()
		time.Sleep(time.Second)
		l.config.Limits.JoinRate = 0 // the default, as everywhere but in tests
		l.start()
		up := time.Now()
		var back []time.Duration
		for _, m := range all {
			_, at := await[parley.Reconnected](m, 0)
			back = append(back, at.Sub(up))
		}
		slices.Sort(back)
		peak := 0
		for i := range back {
			n := 0
			for n < len(back)-i && back[i+n] < back[i]+time.Second {
				n++
			}
			peak = max(peak, n)
		}
		l.t.Logf("R14 %d clients lose the server for 1 s: back p50 %v, max %v after it is up, at most %d joins in a second",
			clients, quantile(back, .5), quantile(back, 1), peak)
		require.LessOrEqual(l.t, quantile(back, 1), 10*time.Second)
		require.LessOrEqual(l.t, peak, 30)
	})
}
