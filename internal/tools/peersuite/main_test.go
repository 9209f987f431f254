package main

import (
	"crypto/tls"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func checkout(t *testing.T, specs ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, spec := range specs {
		file := filepath.Join(dir, specFolder, filepath.FromSlash(spec))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, nil, 0o644))
	}
	return dir
}

func TestSpecsAreChosen(t *testing.T) {
	dir := checkout(t, "connect.js", "room.js", "notes.txt", "docker/docker.js", "localparticipant/a.js", "localparticipant/b.js")
	for _, c := range []struct {
		spec string
		want []string
	}{
		{"", []string{"connect.js", "localparticipant/a.js", "localparticipant/b.js", "room.js"}},
		{"room.js,localparticipant/*", []string{"room.js", "localparticipant/a.js", "localparticipant/b.js"}},
		{"docker/*", []string{"docker/docker.js"}},
	} {
		f := &flags{checkout: dir, spec: c.spec}
		got, err := f.specs()
		require.NoError(t, err)
		require.Equal(t, c.want, got, c.spec)
	}
	for _, f := range []*flags{{}, {checkout: dir, spec: "none.js"}, {checkout: dir, spec: "["}, {checkout: t.TempDir()}} {
		_, err := f.specs()
		require.Error(t, err)
	}
}

func TestResultsAreCollectedAndJudged(t *testing.T) {
	said := `{"bundled":true}
{"spec":"room.js"}
{"test":"Room a","state":"pass","ms":3}
{"test":"Room b","state":"fail","error":"no media\n at room.js"}
{"test":"Room c","state":"pending"}
{"end":"room.js","cut":"cut after 3 s"}
{"spec":"other.js"}
{"end":"other.js","cut":""}
`
	results, err := collect(strings.NewReader(said), io.Discard)
	require.NoError(t, err)
	require.Equal(t, []*result{
		{
			Spec: "room.js", Passed: 1, Failed: 1, Pending: 1, Cut: "cut after 3 s",
			Faults: []fault{{"Room b", "no media\n at room.js"}}, Tests: []string{"Room a"},
		},
		{Spec: "other.js"},
	}, results)
	var table strings.Builder
	printTable(&table, results)
	require.Contains(t, table.String(), "room.js: Room b: no media\n")
	require.Contains(t, table.String(), "cut after 3 s")

	require.ErrorContains(t, belowFloors(results, "group"), "room.js: 1 tests passed, at least 48 have to")
	require.NoError(t, belowFloors(results, "peer-to-peer"))
	results[0].Passed = floors["room.js"]
	require.NoError(t, belowFloors(results, "group"))

	_, err = collect(strings.NewReader("what?\n"), io.Discard)
	require.Error(t, err)
}

func TestTheCertificateIsGood(t *testing.T) {
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, writeCertificate(cert, key))
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	require.NoError(t, pair.Leaf.VerifyHostname("localhost"))
}

func TestHostsOfAnEnvironment(t *testing.T) {
	require.Contains(t, hosts("prod"), "video.twilio.com")
	require.Contains(t, hosts("prod"), "us1.vss.twilio.com")
	require.Contains(t, hosts("dev"), "global.vss.dev.twilio.com")
	require.Contains(t, hosts("dev"), "ecs.dev-us1.twilio.com")
}
