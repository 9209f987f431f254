package roomtest_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

func TestCloseNamesWhoIsStillThere(t *testing.T) {
	everywhere(t, func(t *testing.T, _ starter) {
		var left *parley.Room
		said := fails(t, func(tb testing.TB) {
			start := roomtest.NewServer
			if strings.HasSuffix(t.Name(), "/virtual") {
				start = roomtest.NewVirtual
			}
			srv := start(tb)
			room, err := parley.Connect(srv.Token("alice", "lab"), &parley.ConnectOptions{
				Transport: srv.Transport("alice"), ConfigureWebRTC: srv.WebRTC("alice"),
			})
			require.NoError(t, err)
			left = room
		})
		require.Contains(t, said, `roomtest: still connected when the server closes: "alice" in room "lab"`)
		require.NoError(t, left.Disconnect())
		roomtest.Rest(t, left.Events())
	})
}

func TestCloseNamesWhoseMediaIsStillOpen(t *testing.T) {
	var pc *webrtc.PeerConnection
	said := fails(t, func(tb testing.TB) {
		srv := roomtest.NewServer(tb)
		var settings webrtc.SettingEngine
		srv.WebRTC("alice")(&settings)
		var err error
		pc, err = webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
		require.NoError(t, err)
		_, err = pc.CreateDataChannel("chat", nil)
		require.NoError(t, err)
		offer, err := pc.CreateOffer(nil)
		require.NoError(t, err)
		gathered := webrtc.GatheringCompletePromise(pc)
		require.NoError(t, pc.SetLocalDescription(offer))
		<-gathered
	})
	require.Regexp(t, `^roomtest: "alice" still has \d+ media sockets open when the server closes$`, said)
	require.NoError(t, pc.Close())
}

func TestCloseWaitsForThoseWhoAreLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewVirtual(t, func(o *roomtest.Options) { o.Latency = 200 * time.Millisecond })
		room, err := parley.Connect(srv.Token("alice", "lab"), &parley.ConnectOptions{
			Transport: srv.Transport("alice"), ConfigureWebRTC: srv.WebRTC("alice"),
		})
		require.NoError(t, err)
		require.NoError(t, room.Disconnect())
		srv.Close()
		srv.Close() // a second time does nothing
	})
}

func TestCloseAfterLeavingInTheDark(t *testing.T) {
	everywhere(t, func(t *testing.T, start starter) {
		srv := start()
		alice := join(t, srv, "alice")
		srv.Cut("alice")
		require.NoError(t, alice.Disconnect())
	})
}

func TestEachKindInItsPlace(t *testing.T) {
	said := fails(t, func(tb testing.TB) { roomtest.NewVirtual(tb) })
	require.Contains(t, said, "NewVirtual needs the virtual time of synctest.Test")
	synctest.Test(t, func(t *testing.T) {
		said := fails(t, func(tb testing.TB) { roomtest.NewServer(tb) })
		require.Contains(t, said, "use NewVirtual")
	})
}

func TestOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewVirtual(t, func(o *roomtest.Options) {
			o.DisableAdHocRooms, o.MaxParticipants = true, 1
			o.Latency = 50 * time.Millisecond
		})
		connect := func(identity string) (*parley.Room, error) {
			return parley.Connect(srv.Token(identity, "lab"), &parley.ConnectOptions{
				Transport: srv.Transport(identity), ConfigureWebRTC: srv.WebRTC(identity),
			})
		}
		_, err := connect("alice")
		require.ErrorIs(t, err, parley.ErrRoomNotFound)
		sid := srv.CreateRoom("lab", 0)
		began := time.Now()
		alice, err := connect("alice")
		require.NoError(t, err)
		require.Equal(t, sid, alice.SID())
		require.GreaterOrEqual(t, time.Since(began), 200*time.Millisecond, "two round trips at least")
		_, err = connect("bob")
		require.ErrorIs(t, err, parley.ErrRoomFull)
		require.NoError(t, alice.Disconnect())
	})
}

func TestTokenRefusesWhatNoServerWouldTake(t *testing.T) {
	said := fails(t, func(tb testing.TB) { roomtest.NewServer(tb).Token("", "lab") })
	require.Contains(t, said, `roomtest: token for "": `)
}

func TestURLIsReal(t *testing.T) {
	srv := roomtest.NewServer(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http" + strings.TrimSuffix(strings.TrimPrefix(srv.URL(), "ws"), "/signaling") + "/healthz")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	srv.Kill()
	_, err = client.Get("http" + strings.TrimPrefix(srv.URL(), "ws"))
	require.Error(t, err, "a killed server does not answer")
}
