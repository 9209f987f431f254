package sfu

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

func TestHintsAreRead(t *testing.T) {
	id, hints, bad, ok := decodeHints([]byte(`{"type":"render_hints","subscriber":{"id":7,"hints":[
		{"track":"MT1","enabled":false},
		{"track":"MT2","enabled":true,"render_dimensions":{"width":640.5,"height":360}},
		{"track":"MT3","render_dimensions":{"width":0,"height":0}},
		{"track":"MT4"},
		{"track":"MT5","enabled":"yes"},
		{"track":"MT6","render_dimensions":{"width":-1,"height":3}},
		{"track":"MT7","render_dimensions":{"width":1,"height":65536}},
		{"track":"MT8","render_dimensions":7},
		{"enabled":true}, {"track":9}, 5, null, {"track":"` + strings.Repeat("x", 65) + `"}
	]}}`))
	require.True(t, ok)
	require.Equal(t, "7", string(id))
	no, yes := false, true
	require.Equal(t, []hint{
		{track: "MT1", enabled: &no},
		{track: "MT2", enabled: &yes, shown: &signaling.Dimensions{Width: 640, Height: 360}},
		{track: "MT3", shown: &signaling.Dimensions{}},
		{track: "MT4"},
	}, hints)
	require.Equal(t, []string{"MT5", "MT6", "MT7", "MT8"}, bad)

	for _, text := range []string{
		``, `7`, `{}`, `{"type":"other"}`, `{"type":"render_hints","subscriber":[]}`,
		`{"type":"render_hints","subscriber":{"hints":{}}}`,
		`{"type":"render_hints","subscriber":{"id":"` + strings.Repeat("x", 65) + `"}}`,
	} {
		_, _, _, ok := decodeHints([]byte(text))
		require.False(t, ok, text)
	}
	id, hints, _, ok = decodeHints([]byte(`{"type":"render_hints"}`))
	require.True(t, ok, "nothing is asked")
	require.Equal(t, "null", string(id))
	require.Empty(t, hints)
	_, hints, _, _ = decodeHints([]byte(`{"type":"render_hints","subscriber":{"id":1,"hints":[` +
		strings.Repeat(`{"track":"x"},`, 2000) + `{"track":"x"}]}}`))
	require.Len(t, hints, maxHints)
}

// FuzzHints: whatever is read is bounded and can be answered.
func FuzzHints(f *testing.F) {
	for _, text := range []string{
		`{"type":"render_hints","subscriber":{"id":7,"hints":[{"track":"MT1","enabled":false,"render_dimensions":{"width":1,"height":2}}]}}`,
		`{"type":"render_hints","subscriber":{"id":{},"hints":[{"track":"MT1","render_dimensions":{"width":1e400}}]}}`,
		`{"type":"render_hints","subscriber":{"hints":[null,[],{"track":null}]}}`, `{"type":"render_hints","subscriber":null}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		id, hints, bad, ok := decodeHints(data)
		if !ok {
			return
		}
		require.True(t, json.Valid(id))
		require.LessOrEqual(t, len(id), maxHintID)
		require.LessOrEqual(t, len(hints)+len(bad), maxHints)
		for _, h := range hints {
			require.NotEmpty(t, h.track)
			require.LessOrEqual(t, len(h.track), maxHintSID)
			if h.shown != nil {
				require.True(t, h.shown.Width >= 0 && h.shown.Width <= maxDimension)
				require.True(t, h.shown.Height >= 0 && h.shown.Height <= maxDimension)
			}
		}
	})
}
