package parley_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// drawing makes samples of VP8 that no decoder likes, of any size and with a
// name inside.
type drawing struct {
	label         string
	width, height int
	n             int
	at            time.Duration
}

func (d *drawing) next(key bool) media.Sample {
	d.n++
	d.at += 40 * time.Millisecond
	data := []byte{0x11, 0, 0} // not a key frame, shown
	if key {
		data = []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a}
		data = binary.LittleEndian.AppendUint16(data, uint16(d.width))
		data = binary.LittleEndian.AppendUint16(data, uint16(d.height))
	}
	data = fmt.Appendf(data, "|%s|%d|%s", d.label, d.n, strings.Repeat("x", d.n*97%3000))
	return media.Sample{Codec: media.VP8, Data: data, Timestamp: d.at, Keyframe: key, Width: d.width, Height: d.height}
}

func label(s media.Sample) string {
	parts := strings.SplitN(string(s.Data), "|", 3)
	if len(parts) < 3 {
		return ""
	}
	return parts[1]
}

func TestRTPPassesAsItIs(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		local, err := parley.NewLocalVideoTrack(nil, &parley.TrackOptions{Codec: media.VP8, Name: "raw"})
		require.NoError(t, err)
		st.join("alice", local)
		bob := st.join("bob")
		remote := of(t, bob, "alice", "raw").(*parley.RemoteVideoTrack)
		settle()
		var sent []*rtp.Packet
		for i := range 500 {
			p := &rtp.Packet{
				Header:  rtp.Header{Version: 2, SequenceNumber: uint16(40000 + i), Timestamp: uint32(i/3) * 3000, Marker: i%3 == 2, SSRC: 7, PayloadType: 1},
				Payload: append([]byte{0x10, 0x10, 0, 0, 0x9d, 1, 0x2a, 64, 1, 240, 0}, fmt.Appendf(nil, "packet %d %s", i, strings.Repeat("y", i*2))...),
			}
			before := p.Clone()
			require.NoError(t, local.WriteRTP(p))
			require.Equal(t, before, p, "it is the caller's")
			sent = append(sent, before)
			time.Sleep(5 * time.Millisecond)
		}
		var first *rtp.Packet
		for i, want := range sent {
			got, err := remote.ReadRTP()
			require.NoError(t, err)
			if i == 0 {
				first = got
			}
			require.Equal(t, want.Payload, got.Payload, i)
			require.Equal(t, want.Marker, got.Marker, i)
			require.Equal(t, uint16(i), got.SequenceNumber-first.SequenceNumber, i)
			require.Equal(t, want.Timestamp-sent[0].Timestamp, got.Timestamp-first.Timestamp, i)
		}
		require.ErrorIs(t, local.WriteRTP(nil), parley.ErrOption)
		local.Stop()
		require.ErrorIs(t, local.WriteRTP(sent[0]), parley.ErrTrackStopped)
	})
}

func TestLateJoinersGetAKeyFrame(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		local, err := parley.NewLocalVideoTrack(nil, &parley.TrackOptions{Codec: media.VP8, Name: "v"})
		require.NoError(t, err)
		st.join("alice", local)
		bob := st.join("bob")
		_ = of(t, bob, "alice", "v")
		settle()
		d := &drawing{label: "v", width: 64, height: 48}
		var asked []time.Time
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			key := true
			for {
				_ = local.WriteSample(d.next(key))
				key = false
				select {
				case <-stop:
					return
				case <-local.KeyframeRequests():
					asked = append(asked, time.Now())
					key = true
				case <-time.After(40 * time.Millisecond):
				}
			}
		}()
		settle()
		began := time.Now()
		type late struct {
			room *parley.Room
			err  error
		}
		rooms := make(chan late)
		for i := range 5 {
			who := fmt.Sprint("late", i)
			token, transport, configure := st.srv.Token(who, "studio"), st.srv.Transport(who), st.srv.WebRTC(who)
			go func() {
				room, err := parley.Connect(token, &parley.ConnectOptions{Transport: transport, ConfigureWebRTC: configure})
				rooms <- late{room, err}
			}()
		}
		for range 5 {
			l := <-rooms
			require.NoError(t, l.err)
			defer roomtest.Rest(t, l.room.Events())
			defer func() { require.NoError(t, l.room.Disconnect()) }()
			roomtest.Next[parley.TrackStarted](t, l.room.TrackStarted())
		}
		require.Less(t, time.Since(began), 2*time.Second)
		settle()
		close(stop)
		<-done
		var late5 []time.Time
		for _, at := range asked {
			if at.After(began) {
				late5 = append(late5, at)
			}
		}
		require.NotEmpty(t, late5)
		for i, at := range late5[1:] {
			require.GreaterOrEqual(t, at.Sub(late5[i]), 490*time.Millisecond, "at most twice a second")
		}
		require.LessOrEqual(t, len(late5), 4)
	})
}

func TestDisablingSendsNothingAndNegotiatesNothing(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		local, err := parley.NewLocalVideoTrack(nil, &parley.TrackOptions{Codec: media.VP8, Name: "v"})
		require.NoError(t, err)
		alice := st.join("alice", local)
		bob := st.join("bob")
		remote := of(t, bob, "alice", "v")
		var film reel
		require.NoError(t, remote.Attach(&film))
		settle()
		d := &drawing{label: "v", width: 64, height: 48}
		draw := func(n int, key bool) {
			for i := range n {
				require.NoError(t, local.WriteSample(d.next(key && i == 0)))
				time.Sleep(40 * time.Millisecond)
			}
			settle()
		}
		draw(25, true)
		require.Len(t, film.all(), 25)
		said := func() []int {
			var n []int
			for _, who := range []string{"alice", "bob"} {
				sent, came := st.spies[who].descriptions()
				n = append(n, len(sent), len(came))
			}
			return n
		}
		before := said()
		events, own := remote.Events(), alice.LocalParticipant().Events()
		for range 3 {
			local.Disable()
			roomtest.Next[parley.TrackDisabled](t, events)
			roomtest.Next[parley.LocalTrackDisabled](t, own)
			require.False(t, remote.IsEnabled())
			settle()
			packets, samples := remote.Stats().Packets, len(film.all())
			draw(25, true)
			require.Equal(t, packets, remote.Stats().Packets, "nothing is sent")
			require.Len(t, film.all(), samples)
			for len(local.KeyframeRequests()) > 0 {
				<-local.KeyframeRequests()
			}
			local.Enable()
			roomtest.Next[parley.TrackEnabled](t, events)
			roomtest.Next[parley.LocalTrackEnabled](t, own)
			require.Len(t, local.KeyframeRequests(), 1, "a key frame is asked for")
			draw(5, false)
			require.Len(t, film.all(), samples, "and waited for")
			draw(25, true)
			require.Len(t, film.all(), samples+25)
			require.True(t, film.all()[samples].Keyframe)
			require.Zero(t, film.all()[samples].Lost)
		}
		require.Equal(t, before, said(), "no description was exchanged")
	})
}

// TestRepublishingUsesSectionsAgain publishes and withdraws fifty times, with
// codecs and sizes that change, and looks whether anybody gets what belonged to
// the track before.
func TestRepublishingUsesSectionsAgain(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		alice, bob := st.join("alice"), st.join("bob")
		settle()
		h264 := testclips.Samples(media.H264)[:5]
		longest := func(who string) (n, sections int) {
			sent, _ := st.spies[who].descriptions()
			for _, d := range sent {
				if d.Type == signaling.DescriptionOffer {
					n, sections = max(n, len(d.SDP)), max(sections, strings.Count(d.SDP, "\nm="))
				}
			}
			return n, sections
		}
		var early, earlySections, bobEarly int
		for i := range 50 {
			name := fmt.Sprint("take", i)
			codec := media.VP8
			if i%3 == 2 {
				codec = media.H264
			}
			track, write := st.written(codec, name)
			_, err := alice.LocalParticipant().PublishTrack(t.Context(), track, nil)
			require.NoError(t, err)
			remote := of(t, bob, "alice", name)
			var film reel
			require.NoError(t, remote.Attach(&film))
			time.Sleep(200 * time.Millisecond)
			d := &drawing{label: name, width: 16 * (i + 1), height: 8 * (i + 1)}
			for j := range 5 {
				if codec == media.VP8 {
					write(d.next(j == 0))
				} else {
					write(h264[j])
				}
				time.Sleep(20 * time.Millisecond)
			}
			if i%2 == 0 {
				time.Sleep(200 * time.Millisecond) // or else the last are still under way
			}
			require.NoError(t, alice.LocalParticipant().UnpublishTrack(t.Context(), track))
			<-remote.Done()
			require.NoError(t, remote.Detach(&film))
			got := film.all()
			if i%2 == 0 {
				require.Len(t, got, 5, name)
			}
			require.NotEmpty(t, got, name)
			for j, s := range got {
				require.Equal(t, codec, s.Codec, name)
				require.Zero(t, s.Lost, "%s, sample %d", name, j)
				if codec == media.VP8 {
					require.Equal(t, name, label(s), "sample %d of %s", j, name)
				}
			}
			if codec == media.VP8 {
				w, h := remote.(*parley.RemoteVideoTrack).Dimensions()
				require.Equal(t, [2]int{d.width, d.height}, [2]int{w, h})
			}
			if i == 5 {
				early, earlySections = longest("alice")
				bobEarly, _ = longest("bob")
			}
		}
		late, lateSections := longest("alice")
		bobLate, _ := longest("bob")
		require.Equal(t, earlySections, lateSections)
		require.InDelta(t, early, late, 100)
		require.InDelta(t, bobEarly, bobLate, 100)
		t.Logf("offers of %d bytes after 5 tracks and %d after 50", early, late)
	})
}

// TestTracksKeepTheirIdentity publishes eight pictures at once, of eight sizes
// and with a name inside each.
func TestTracksKeepTheirIdentity(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		var tracks []parley.LocalTrack
		var writers []func(media.Sample)
		for i := range 8 {
			track, write := st.written(media.VP8, fmt.Sprint("camera", i))
			tracks, writers = append(tracks, track), append(writers, write)
		}
		bob := st.join("bob")
		st.join("alice", tracks...)
		films := make([]*reel, 8)
		remotes := make([]mediaTrack, 8)
		for i := range 8 {
			remotes[i], films[i] = of(t, bob, "alice", fmt.Sprint("camera", i)), &reel{}
			require.NoError(t, remotes[i].Attach(films[i]))
		}
		settle()
		drawings := make([]*drawing, 8)
		for i := range 8 {
			drawings[i] = &drawing{label: fmt.Sprint("camera", i), width: 100 + i, height: 200 + i}
		}
		for n := range 50 {
			for i, d := range drawings {
				writers[i](d.next(n%25 == 0))
			}
			time.Sleep(40 * time.Millisecond)
		}
		settle()
		for i, film := range films {
			require.Len(t, film.all(), 50)
			for _, s := range film.all() {
				require.Equal(t, fmt.Sprint("camera", i), label(s))
			}
			w, h := remotes[i].(*parley.RemoteVideoTrack).Dimensions()
			require.Equal(t, [2]int{100 + i, 200 + i}, [2]int{w, h})
		}
	})
}

func TestSinksGetTheSame(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		track, write := st.written(media.VP8, "v")
		st.join("alice", track)
		bob := st.join("bob")
		remote := of(t, bob, "alice", "v")
		quick := []*reel{{}, {}, {}, {}}
		slow := &reel{pause: 400 * time.Millisecond}
		broken := &reel{err: errors.New("the disk is full")}
		for _, sink := range append(quick, slow, broken) {
			require.NoError(t, remote.Attach(sink))
			require.ErrorIs(t, remote.Attach(sink), parley.ErrOption)
		}
		settle()
		d := &drawing{label: "v", width: 64, height: 48}
		const n = 1500
		for i := range n {
			write(d.next(i%25 == 0))
			time.Sleep(40 * time.Millisecond)
			if i == n/2 {
				go func() { _ = remote.Detach(quick[3]) }() // while it is written to
			}
		}
		settle()
		// When something was captured is known as soon as a report has come,
		// which sinks may see at different samples.
		undated := func(r *reel) []media.Sample {
			all := slices.Clone(r.all())
			for i := range all {
				all[i].Captured = time.Time{}
			}
			return all
		}
		want := undated(quick[0])
		require.Len(t, want, n)
		for _, sink := range quick[1:3] {
			require.Equal(t, want, undated(sink))
		}
		require.Zero(t, quick[0].lost())
		half := len(undated(quick[3]))
		require.InDelta(t, n/2, half, 3)
		require.Equal(t, want[:half], undated(quick[3]))
		require.ErrorIs(t, remote.Detach(broken), broken.err)
		require.Len(t, undated(broken), 1, "its own error detached it")
		require.Positive(t, slow.lost(), "what it missed is counted")
		require.Less(t, len(undated(slow)), n/2)
		require.Zero(t, remote.Stats().Unread, "and nobody else's")
		require.NoError(t, remote.Detach(slow))
		after := len(undated(slow))
		settle()
		require.Len(t, undated(slow), after, "nothing comes after Detach")
	})
}

// TestLostFramesAskForAKeyFrame loses so much that frames are lost for good.
func TestLostFramesAskForAKeyFrame(t *testing.T) {
	inStudio(t, func(t *testing.T, st *studio) {
		local, err := parley.NewLocalVideoTrack(nil, &parley.TrackOptions{Codec: media.VP8, Name: "v"})
		require.NoError(t, err)
		st.join("alice", local)
		bob := st.join("bob")
		remote := of(t, bob, "alice", "v")
		var film reel
		require.NoError(t, remote.Attach(&film))
		settle()
		for len(local.KeyframeRequests()) > 0 {
			<-local.KeyframeRequests()
		}
		d := &drawing{label: "v", width: 64, height: 48}
		asked := 0
		for i := range 500 {
			switch i {
			case 50:
				st.srv.Loss("bob", 600)
			case 250:
				st.srv.Loss("bob", 0)
			}
			key := i == 0
			select {
			case <-local.KeyframeRequests():
				asked++
				key = true
			default:
			}
			require.NoError(t, local.WriteSample(d.next(key)))
			time.Sleep(40 * time.Millisecond)
		}
		settle()
		require.Positive(t, film.lost())
		require.Positive(t, asked)
		require.LessOrEqual(t, asked, 2*20)
		got := film.all()
		require.GreaterOrEqual(t, len(got), 300)
		for _, s := range got {
			require.Equal(t, "v", label(s), "whole or not at all")
		}
	})
}
