package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIndexIsCurrent(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	want, err := index(root)
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(root, File))
	require.NoError(t, err)
	require.Equal(t, want, string(got), "run: go run ./internal/tools/testindex")
}

func TestEveryClauseHasItsTest(t *testing.T) {
	proofs, err := collect(filepath.Join("..", "..", ".."))
	require.NoError(t, err)
	have := map[string]bool{}
	for _, p := range proofs {
		have[p.kind+p.number] = true
		require.NotEmpty(t, p.shows, p.name)
	}
	for _, clause := range []string{"E01", "E02", "E03", "E04", "E05", "E06", "E07", "E08", "E09", "E10"} {
		require.True(t, have[clause], clause)
	}
	for _, figure := range []string{
		"R01", "R02", "R03", "R06", "R08", "R11", "R13", "R17", "R18", "R19", "R24", "R26", "R28", "R29", "R33",
	} {
		require.True(t, have[figure], figure)
	}
}
