package parley_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// notebook is a log, or a list of keys, that several goroutines write.
type notebook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (n *notebook) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.buf.Write(p)
}

func (n *notebook) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.buf.String()
}

// TestT27NoSecretsInLogs lives through a session with everything logged that
// anybody has to say: joining, media, a lost connection, a restarted server.
func TestT27NoSecretsInLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		everything, keys := &notebook{}, &notebook{}
		logger := slog.New(slog.NewTextHandler(everything, &slog.HandlerOptions{Level: slog.LevelDebug - 4}))
		srv := roomtest.NewVirtual(t, func(o *roomtest.Options) { o.Logger, o.Latency = logger, 10*time.Millisecond })
		through := map[string]*spy{}
		join := func(who string, tracks ...parley.LocalTrack) *parley.Room {
			through[who] = &spy{Transport: srv.Transport(who)}
			room, err := parley.Connect(srv.Token(who, "lab"), &parley.ConnectOptions{
				Transport: through[who], Tracks: tracks, Logger: logger,
				ConfigureWebRTC: func(se *webrtc.SettingEngine) {
					srv.WebRTC(who)(se)
					se.SetDTLSKeyLogWriter(keys)
				},
			})
			require.NoError(t, err)
			return room
		}
		picture, err := parley.NewLocalVideoTrack(synth.Video(), nil)
		require.NoError(t, err)
		defer picture.Stop()
		data, err := parley.NewLocalDataTrack(nil)
		require.NoError(t, err)
		alice, bob := join("alice", picture, data), join("bob")
		roomtest.Next[parley.TrackStarted](t, bob.Events())
		require.NoError(t, data.SendText(t.Context(), "a word between us"))
		<-bob.Messages()
		srv.DropSignaling("alice")
		roomtest.Next[parley.Reconnected](t, alice.Events())
		srv.Restart()
		roomtest.Next[parley.Reconnected](t, alice.Events())
		roomtest.Next[parley.Reconnected](t, bob.Events())
		_, err = parley.Connect(srv.Token("eve", "lab")+"x", &parley.ConnectOptions{Transport: srv.Transport("eve"), Logger: logger, ConfigureWebRTC: srv.WebRTC("eve")})
		require.ErrorIs(t, err, parley.ErrTokenSignature)
		for _, room := range []*parley.Room{alice, bob} {
			require.NoError(t, room.Disconnect())
			roomtest.Rest(t, room.Events())
		}
		time.Sleep(2 * time.Second)

		secrets := map[string]string{"API secret": string(srv.Key().Secret), "message": "a word between us"}
		for who, s := range through {
			sent, came := s.descriptions()
			require.NotEmpty(t, sent)
			require.NotEmpty(t, came)
			for _, d := range append(sent, came...) {
				for line := range strings.Lines(d.SDP) {
					if pwd, ok := strings.CutPrefix(strings.TrimSpace(line), "a=ice-pwd:"); ok {
						secrets["ICE password of "+who+"'s connection, "+string(d.Type)+" "+pwd[:4]] = pwd
					}
				}
			}
			require.GreaterOrEqual(t, len(s.states), 2, "it has come back")
			for _, token := range s.tokens {
				parts := strings.Split(token, ".")
				secrets["token of "+who], secrets["claims of "+who], secrets["signature of "+who] = token, parts[1], parts[2]
			}
			for _, state := range s.states {
				secrets["session of "+who+" "+state.Session[:4]] = state.Session
				for _, server := range state.ICEServers {
					secrets["TURN credential of "+who] = server.Credential
				}
			}
		}
		n := 0
		for line := range strings.Lines(keys.String()) {
			n++
			fields := strings.Fields(line)
			secrets["DTLS master secret "+fields[1][:4]] = fields[2]
		}
		require.GreaterOrEqual(t, n, 4)
		text := everything.String()
		for _, scope := range []string{"pion/ice", "pion/dtls", "pion/sctp", "signaling session begins"} {
			require.Contains(t, text, scope, "everybody speaks")
		}
		lower := strings.ToLower(text)
		for what, secret := range secrets {
			if secret != "" {
				at := strings.Index(lower, strings.ToLower(secret))
				require.Negative(t, at, "%s is in the log: %.300s", what, text[max(at-200, 0):])
			}
		}
		require.NotContains(t, text, "PRIVATE KEY")
		t.Logf("%d secrets in %d bytes of log", len(secrets), len(text))
	})
}
