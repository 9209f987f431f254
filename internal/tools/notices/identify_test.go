package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIdentify(t *testing.T) {
	ours, err := os.ReadFile("../../../LICENSE")
	require.NoError(t, err)
	const bsd = "Redistribution and use in source and binary forms, with or\nwithout modification"
	for text, want := range map[string]string{
		string(ours): "Apache-2.0",
		"Permission is hereby granted, free of charge, to any\n  person obtaining a copy of this": "MIT",
		"This project is covered by two\ndifferent licenses: MIT and Apache.":                     "MIT and Apache-2.0",
		bsd:                                   "BSD-2-Clause",
		bsd + " ... Neither the name of X":    "BSD-3-Clause",
		"Mozilla Public License, version 2.0": "MPL-2.0",
		"This is free and unencumbered software\nreleased into the public domain.": "Unlicense",
		"GNU GENERAL PUBLIC LICENSE Version 3":                                     "",
		"":                                                                         "",
	} {
		require.Equal(t, want, identify(text), "%.60s", text)
	}
}

func TestTidyIsTheSameEverywhere(t *testing.T) {
	require.Equal(t, "a\n\nb", tidy("\r\na  \r\n\r\nb\t\r\n"))
	require.Equal(t, "  centered", tidy("  centered\n"))
}

// A module whose license is missing is not passed over.
func TestNoLicenseIsAnError(t *testing.T) {
	_, err := licenseOf(t.TempDir())
	require.ErrorContains(t, err, "no license file")
}

// What this machine's program links is in the file, in its version. The check of
// all systems needs modules that are not here: .ci/run does it.
func TestNoticesNameWhatIsLinked(t *testing.T) {
	notices, err := os.ReadFile("../../../" + output)
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps",
		"-f", "{{with .Module}}{{if not .Main}}| {{.Path}} | {{.Version}} |{{end}}{{end}}", "../../../cmd/parley").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "| github.com/pion/webrtc/v4 |")
	for line := range strings.Lines(string(out)) {
		require.Contains(t, string(notices), "\n"+strings.TrimSpace(line), "run: go run ./internal/tools/notices")
	}
}
