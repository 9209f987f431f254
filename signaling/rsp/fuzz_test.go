package rsp

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/signaling"
)

// seed adds the protocol document's examples and what broke, or could have.
func seed(f *testing.F, sender string, bodies bool, extra ...string) {
	for _, e := range examples(f) {
		if e.sender != sender && sender != "" {
			continue
		}
		data := []byte(e.text)
		if bodies {
			fr, err := decodeFrame(data)
			if err != nil || fr.Body == nil {
				continue
			}
			data = fr.Body
		}
		f.Add(data)
	}
	for _, e := range extra {
		f.Add([]byte(e))
	}
}

// FuzzFrame: whatever decodes encodes to something that decodes the same.
func FuzzFrame(f *testing.F) {
	seed(f, "", false, `{"type":"busy","retryAfter":1e308}`, `{"type":"hello","body":null}`, `{"type":"msg","body":[]}`,
		`{"TYPE":"msg","Body":{}}`, `{"type":"hello","timeout":-1e308,"version":2}`, `{"type":"busy","cookie":null,"keepAlive":null}`)
	f.Fuzz(func(t *testing.T, data []byte) {
		fr, err := decodeFrame(data)
		if err != nil {
			require.Less(t, len(err.Error()), 1024)
			return
		}
		require.NotEmpty(t, fr.Type)
		require.NotPanics(t, func() { _, _ = milliseconds(fr.Timeout), milliseconds(fr.NegotiatedTimeout) })
		if fr.Type == frameMsg {
			require.True(t, isObject(fr.Body))
		}
		again, err := encode(fr)
		require.NoError(t, err)
		fr2, err := decodeFrame(again)
		require.NoError(t, err)
		require.Equal(t, fr.Type, fr2.Type)
		require.Equal(t, fr.RetryAfter, fr2.RetryAfter)
	})
}

// FuzzClientMessage takes a client's message to the structures of the seam and
// sends those back over the client's encoder.
func FuzzClientMessage(f *testing.F) {
	seed(f, "client", true, `{"type":"connect","participant":{"revision":1}}`, `{"type":"sync","session":"s","participant":{"tracks":[]}}`,
		`{"type":"update","participant":null,"peer_connections":[{"id":"x","ice":{"candidates":[{}]}}]}`, `{"type":"ice","token":7}`,
		`{"type":"update","peer_connections":[{"id":"x","description":{"type":"rollback"}}]}`)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeClientMessage(data)
		if err != nil {
			require.Less(t, len(err.Error()), 1024)
			return
		}
		switch m.Type {
		case typeConnect, typeSync:
			join := m.join()
			require.LessOrEqual(t, len(join.Participant.Tracks), maxTracks)
			require.LessOrEqual(t, len(join.PeerConnections), maxConnections)
			require.Equal(t, m.Type == typeSync, join.Resume != "")
			body, err := NewTransport(Options{}).encodeJoin(join)
			require.NoError(t, err)
			m2, err := decodeClientMessage(body)
			require.NoError(t, err)
			join2 := m2.join()
			require.Equal(t, join.Participant.Revision, join2.Participant.Revision)
			require.Equal(t, len(join.PeerConnections), len(join2.PeerConnections))
		case typeUpdate:
			u := m.clientUpdate()
			o := newOutbox()
			o.begin("s", true, signaling.Capabilities{Subscribe: true}, signaling.LocalParticipant{})
			if !o.merge(u) {
				return
			}
			require.True(t, o.merge(signaling.Update{}))
			frames, _, err := o.take()
			require.NoError(t, err)
			for _, data := range frames {
				fr, err := decodeFrame(data)
				require.NoError(t, err)
				_, err = decodeClientMessage(fr.Body)
				require.NoError(t, err)
			}
		}
	})
}

// FuzzServerMessage takes a server's message to the structures of the seam and
// back over the server's encoder.
func FuzzServerMessage(f *testing.F) {
	seed(f, "server", true, `{"type":"connected","participant":{"sid":"PA"}}`, `{"type":"synced"}`,
		`{"type":"error","code":-1,"retry_after":-1e300,"reason":"x"}`, `{"type":"warning","states":{"tracks":{"MT":{}}}}`,
		`{"type":"connected","participant":{"sid":"PA"},"options":{"session_timeout":1e300},"media_signaling":{"x":{"transport":{"label":"l"}}}}`,
		`{"type":"iced","ice_servers":[{"urls":"stun:x"}]}`, `{"type":"update","participants":[null]}`,
		`{"type":"update","subscribed":{"revision":9007199254740991,"tracks":[{"sid":"a","id":"b","from":65535}]}}`)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeServerMessage(data)
		if err != nil {
			require.Less(t, len(err.Error()), 1024)
			return
		}
		switch m.Type {
		case typeError, typeDisconnected:
			e := m.ending()
			require.NotEmpty(t, e.Error())
			require.LessOrEqual(t, len(e.Message), maxErrorText+len(e.Reason)+64)
		case typeConnected, typeSynced:
			s := m.state()
			require.True(t, s.Update.Full)
			require.Positive(t, s.Room.SessionTimeout)
			require.LessOrEqual(t, len(s.Update.Participants), maxParticipants)
			require.GreaterOrEqual(t, s.Room.MaxParticipants, 0)
			body, err := encode(stateMessage(&s, m.Type == typeSynced, true))
			require.NoError(t, err)
			if m.Type == typeConnected {
				_, err = decodeServerMessage(body)
				require.NoError(t, err)
			}
		case typeUpdate, typeWarning:
			u := m.serverUpdate()
			require.False(t, u.Full)
			body, err := encode(sectionsMessage(&u, true))
			require.NoError(t, err)
			_, err = decodeServerMessage(body)
			require.NoError(t, err)
		case typeICED:
			serversFromWire(m.ICEServers)
		}
	})
}
