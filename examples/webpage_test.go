//go:build unix

package examples_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// What the page does in browsers is tested in internal/e2e/browser.
func TestWebpageSignsTokens(t *testing.T) {
	srv := roomtest.NewServer(t)
	key := srv.Key()
	web := start(t, append(env(srv, "nobody"), "PARLEY_ACCOUNT_SID="+key.AccountSID, "PARLEY_API_KEY="+key.SID,
		"PARLEY_API_SECRET="+string(key.Secret)), "webpage", "-listen", "127.0.0.1:0")
	base := strings.TrimPrefix(web.says(`open http://127\.0\.0\.1:\d+/`)[0], "open ")

	ask := func(method, path string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, base+path, nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	for path, want := range map[string]string{"": "<script src=\"room.js\">", "room.js": "RTCPeerConnection"} {
		status, body := ask(http.MethodGet, path)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, want)
		require.NotContains(t, body, string(key.Secret))
	}
	status, _ := ask(http.MethodGet, "main.go")
	require.Equal(t, http.StatusNotFound, status)
	status, _ = ask(http.MethodPost, "token")
	require.Equal(t, http.StatusBadRequest, status, "whose token?")

	status, body := ask(http.MethodPost, "token?identity="+url.QueryEscape("Dürer & Söhne"))
	require.Equal(t, http.StatusOK, status)
	var given struct{ URL, Token string }
	require.NoError(t, json.Unmarshal([]byte(body), &given))
	room, err := parley.ConnectContext(t.Context(), given.Token, &parley.ConnectOptions{URL: given.URL})
	require.NoError(t, err)
	require.Equal(t, "Dürer & Söhne", room.LocalParticipant().Identity())
	require.Equal(t, "lab", room.Name())
	require.NoError(t, room.Disconnect())
	web.interrupt()
	web.ends()
}

func TestWebpageNeedsKeys(t *testing.T) {
	web := start(t, []string{"PARLEY_API_SECRET="}, "webpage")
	web.says("webpage: set PARLEY_ACCOUNT_SID, PARLEY_API_KEY and PARLEY_API_SECRET, as parley serve prints them")
	require.Equal(t, 1, web.ends())
}
