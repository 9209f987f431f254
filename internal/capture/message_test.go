package capture_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/parley-rtc/parley/internal/capture"
	"github.com/stretchr/testify/require"
)

const (
	clientHead = "GET /signaling HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n"
	serverHead = "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n\r\n"
)

// wsFrame is a frame as a client sends it, or with no mask as a server does.
func wsFrame(first byte, text string, mask string) []byte {
	b := []byte{first}
	bit := byte(0)
	if mask != "" {
		bit = 0x80
	}
	switch n := len(text); {
	case n < 126:
		b = append(b, bit|byte(n))
	case n < 1<<16:
		b = append(b, bit|126, byte(n>>8), byte(n))
	default:
		b = append(b, bit|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	b = append(b, mask...)
	for i := range len(text) {
		c := text[i]
		if mask != "" {
			c ^= mask[i%4]
		}
		b = append(b, c)
	}
	return b
}

// overheard sends both directions through a connection, so many bytes at a
// time, and returns the lines that are written about it.
func overheard(t *testing.T, in, out []byte, step int) []map[string]any {
	t.Helper()
	r := capture.NewRecorder(0)
	under, client := net.Pipe()
	conn := r.Conn(under)
	go func() {
		for rest := in; len(rest) > 0; rest = rest[min(step, len(rest)):] {
			client.Write(rest[:min(step, len(rest))])
		}
		io.Copy(io.Discard, client)
	}()
	_, err := io.ReadFull(conn, make([]byte, len(in)))
	require.NoError(t, err)
	for rest := out; len(rest) > 0; rest = rest[min(step, len(rest)):] {
		_, err := conn.Write(rest[:min(step, len(rest))])
		require.NoError(t, err)
	}
	require.NoError(t, conn.Close())
	require.NoError(t, client.Close())
	return lines(t, r)
}

func lines(t *testing.T, r *capture.Recorder) []map[string]any {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.WriteMessages(&b))
	var all []map[string]any
	for l := range strings.Lines(b.String()) {
		var v map[string]any
		require.NoError(t, json.Unmarshal([]byte(l), &v), "%s", l)
		all = append(all, v)
	}
	return all
}

func TestMessagesOfBothDirections(t *testing.T) {
	long := `{"x":"` + strings.Repeat("y", 70_000) + `"}`
	in := append([]byte(clientHead), wsFrame(0x81, `{"n":1}`, "mask")...)
	in = append(in, wsFrame(0x89, "ping", "ping")...)
	in = append(in, wsFrame(0x01, `{"n"`, "\x00\x01\x02\x03")...) // in two pieces
	in = append(in, wsFrame(0x80, `:2}`, "abcd")...)
	in = append(in, wsFrame(0x88, "\x03\xe8bye", "abcd")...)
	out := append([]byte(serverHead), wsFrame(0x81, long, "")...)
	out = append(out, wsFrame(0x81, strings.Repeat("z", 200), "")...) // no JSON
	for _, step := range []int{1, 7, 4096, 1 << 20} {
		got := overheard(t, in, out, step)
		require.Len(t, got, 5)
		for i, want := range []string{`{"n":1}`, `{"n":2}`, `{"close":1000,"reason":"bye"}`, long} {
			msg, err := json.Marshal(got[i]["msg"])
			require.NoError(t, err)
			require.JSONEq(t, want, string(msg))
			require.Equal(t, i == 3, got[i]["dir"] == "out")
			require.EqualValues(t, 1, got[i]["conn"])
		}
		require.Equal(t, "(no JSON)", got[4]["raw"])
	}
}

func TestNobodyHearsNoise(t *testing.T) {
	frame := wsFrame(0x81, `{"n":1}`, "")
	for name, out := range map[string][]byte{
		"plain HTTP":         append([]byte("HTTP/1.1 200 OK\r\n\r\n"), frame...),
		"head without end":   append(bytes.Repeat([]byte("a"), 70<<10), frame...),
		"compressed":         append([]byte(serverHead), wsFrame(0xC1, "\x01\x02", "")...),
		"endless frame":      append([]byte(serverHead), 0x81, 127, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF),
		"cut in the header":  append([]byte(serverHead), 0x81),
		"cut in the message": append([]byte(serverHead), frame[:5]...),
	} {
		t.Run(name, func(t *testing.T) { require.Empty(t, overheard(t, nil, out, 1000)) })
	}
}

func TestSecretsAreNotWritten(t *testing.T) {
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"grants":{"identity":"alice"}}`))
	token := "aaaa." + claims + ".tokensecret"
	in := append([]byte(clientHead), wsFrame(0x81, `{"body":{"token":"`+token+`","ice":{"password":"icesecret","ufrag":"uuuu"}}}`, "mask")...)
	in = append(in, wsFrame(0x81, `{"sdp":"v=0\r\na=ice-ufrag:uuuu\r\na=ice-pwd:sdpsecret\r\na=mid:0\r\n"}`, "mask")...)
	out := append([]byte(serverHead), wsFrame(0x81, `{"iced":[{"urls":["turn:x"],"username":"u","credential":"turnsecret"}],"big":12345678901234567890}`, "")...)
	got := overheard(t, in, out, 1000)
	text, err := json.Marshal(got)
	require.NoError(t, err)
	require.NotContains(t, string(text), "secret")
	require.NotContains(t, string(text), claims)
	require.Contains(t, string(text), `a=ice-pwd:(redacted)\r\na=mid:0`)
	require.Contains(t, string(text), "uuuu")
	require.Len(t, got, 3)
	for _, l := range got {
		require.Equal(t, "alice", l["who"])
	}
}

func TestNewestMessagesStay(t *testing.T) {
	var out bytes.Buffer
	out.WriteString(serverHead)
	for range 300 {
		out.Write(wsFrame(0x81, `{"x":"`+strings.Repeat("y", 10_000)+`"}`, ""))
	}
	got := overheard(t, nil, out.Bytes(), 1<<20)
	require.InDelta(t, 300-104, got[0]["forgotten"], 2)
	require.InDelta(t, 105, len(got), 3)
}

func FuzzConn(f *testing.F) {
	f.Add([]byte(serverHead), 3)
	f.Add(append([]byte(serverHead), wsFrame(0x81, `{"token":"a.b.c"}`, "")...), 1)
	f.Add(append([]byte(clientHead), wsFrame(0x01, `{"sdp":"a=ice-pwd:x"}`, "mask")...), 100)
	f.Fuzz(func(t *testing.T, out []byte, step int) {
		r := capture.NewRecorder(0)
		conn := r.Conn(sponge{})
		for rest := out; len(rest) > 0; {
			n := min(max(step, 1), len(rest))
			_, err := conn.Write(rest[:n])
			require.NoError(t, err)
			rest = rest[n:]
		}
		lines(t, r)
	})
}

// sponge takes everything.
type sponge struct{ net.Conn }

func (sponge) Write(b []byte) (int, error) { return len(b), nil }
