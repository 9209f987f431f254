package rsp

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// example is a fenced block of the protocol document.
type example struct {
	line   int
	sender string
	text   string
}

func examples(t testing.TB) []example {
	data, err := os.ReadFile("../PROTOCOL.md")
	require.NoError(t, err)
	var out []example
	var open *example
	for i, line := range strings.Split(string(data), "\n") {
		switch {
		case open == nil && strings.HasPrefix(line, "```json "):
			open = &example{line: i + 1, sender: strings.TrimPrefix(line, "```json ")}
		case open != nil && line == "```":
			out = append(out, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		default:
			require.False(t, strings.HasPrefix(line, "```json"), "line %d: example without a sender", i+1)
		}
	}
	return out
}

// TestProtocolExamples decodes each example of PROTOCOL.md and encodes it
// again: a field that the document has and the code has not would be lost.
func TestProtocolExamples(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range examples(t) {
		f, err := decodeFrame([]byte(e.text))
		require.NoError(t, err, "line %d", e.line)
		seen[e.sender+" "+f.Type] = true
		if f.Body != nil {
			var m any
			var kind string
			switch e.sender {
			case "client":
				decoded, err := decodeClientMessage(f.Body)
				require.NoError(t, err, "line %d", e.line)
				m, kind = decoded, decoded.Type
			case "server":
				decoded, err := decodeServerMessage(f.Body)
				require.NoError(t, err, "line %d", e.line)
				m, kind = decoded, decoded.Type
			}
			seen[e.sender+" "+kind] = true
			f.Body, err = encode(m)
			require.NoError(t, err)
		}
		again, err := json.Marshal(f)
		require.NoError(t, err)
		require.JSONEq(t, e.text, string(again), "line %d", e.line)
	}
	for _, want := range []string{
		"client hello", "server welcome", "server busy", "server bad", "client msg", "server msg", "client heartbeat",
		"client bye", "client ice", "server iced", "client connect", "server connected", "client sync", "server synced",
		"client update", "server update", "client disconnect", "server disconnected", "server error", "server warning",
	} {
		require.True(t, seen[want], "no example of %s", want)
	}
}

// TestProtocolTranslates takes the examples through the seam's structures and
// back: what the wire says is what a room sees.
func TestProtocolTranslates(t *testing.T) {
	for _, e := range examples(t) {
		f, err := decodeFrame([]byte(e.text))
		require.NoError(t, err)
		if f.Body == nil || e.sender != "server" {
			continue
		}
		m, err := decodeServerMessage(f.Body)
		require.NoError(t, err)
		switch m.Type {
		case typeConnected, typeSynced:
			state := m.state()
			again := stateMessage(&state, m.Type == typeSynced, m.Parley != nil)
			if again.Parley != nil {
				again.Parley.Channels = m.Parley.Channels // holds those of media_signaling too
			}
			got, err := encode(again)
			require.NoError(t, err)
			require.JSONEq(t, string(f.Body), string(got), "line %d", e.line)
		case typeUpdate:
			u := m.serverUpdate()
			got, err := encode(sectionsMessage(&u, true))
			require.NoError(t, err)
			require.JSONEq(t, string(f.Body), string(got), "line %d", e.line)
		}
	}
}
