package sfu

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLayersAreOffWhenNobodyWantedThemForSomeTime(t *testing.T) {
	now := time.Unix(1000, 0)
	h := &layerHints{seen: 7}
	changed, next := h.review(7, 3, now)
	require.False(t, changed)
	require.True(t, next.IsZero(), "nothing to wait for")
	changed, next = h.review(1, 3, now)
	require.False(t, changed)
	require.Equal(t, now.Add(hintPause), next)

	// Wanted again for a moment: the time begins anew.
	h.review(5, 3, now.Add(4*time.Second))
	changed, next = h.review(1, 3, now.Add(hintPause))
	require.True(t, changed)
	require.Equal(t, trackHint{Track: "MT1", Encodings: []encodingsHint{{0, true}, {1, false}, {2, true}}}, h.describe("MT1", 3))
	require.Equal(t, now.Add(2*hintPause), next)
	changed, next = h.review(1, 3, next)
	require.True(t, changed)
	require.True(t, next.IsZero())
	changed, _ = h.review(1, 3, now.Add(time.Hour))
	require.False(t, changed)

	changed, _ = h.review(5, 3, now.Add(time.Hour))
	require.True(t, changed, "on at once")
	require.Equal(t, []encodingsHint{{0, true}, {1, false}, {2, true}}, h.describe("MT1", 3).Encodings)

	// A publisher that cannot is not told for ever.
	h.off, h.tries = 0, hintTries
	changed, next = h.review(1, 3, now.Add(2*time.Hour))
	require.False(t, changed)
	require.True(t, next.IsZero())
}

func TestLayersOfWhichNothingCameAreLeftAlone(t *testing.T) {
	now := time.Unix(1000, 0)
	h := &layerHints{seen: 1}
	changed, next := h.review(0, 3, now)
	require.False(t, changed)
	require.Equal(t, now.Add(hintPause), next)
	changed, next = h.review(0, 3, next)
	require.True(t, changed, "nobody gets any of it")
	require.Equal(t, []encodingsHint{{0, false}, {1, true}, {2, true}}, h.describe("MT1", 3).Encodings)
	require.True(t, next.IsZero())

	// The publisher has found the bitrate for one more.
	now = now.Add(time.Minute)
	h.seen |= 2
	changed, next = h.review(0, 3, now)
	require.False(t, changed)
	require.Equal(t, now.Add(hintPause), next)
	changed, _ = h.review(0, 3, next)
	require.True(t, changed)
	require.Equal(t, []encodingsHint{{0, false}, {1, false}, {2, true}}, h.describe("MT1", 3).Encodings)
}
