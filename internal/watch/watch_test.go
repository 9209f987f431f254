package watch_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/watch"
)

func get(t *testing.T, method, url string, header http.Header) (*http.Response, string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, url, nil)
	req.Header = header
	rec := httptest.NewRecorder()
	watch.Handler().ServeHTTP(rec, req)
	resp := rec.Result()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

// files follows the page's links and imports to all that it loads.
func files(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	link := regexp.MustCompile(`(?:src|href|from)(?:=| )"(?:\./)?([a-z.]+)"`)
	for todo := []string{""}; len(todo) > 0; todo = todo[1:] {
		if _, known := found[todo[0]]; known {
			continue
		}
		resp, body := get(t, http.MethodGet, "/watch/"+todo[0], nil)
		require.Equal(t, http.StatusOK, resp.StatusCode, todo[0])
		found[todo[0]] = body
		for _, m := range link.FindAllStringSubmatch(body, -1) {
			todo = append(todo, m[1])
		}
	}
	return found
}

func TestPageIsComplete(t *testing.T) {
	kinds := map[string]string{
		"": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
	}
	found := files(t)
	require.GreaterOrEqual(t, len(found), 8)
	for name := range found {
		resp, _ := get(t, http.MethodGet, "/watch/"+name, nil)
		require.NotEmpty(t, kinds[path.Ext(name)], name)
		require.Equal(t, kinds[path.Ext(name)], resp.Header.Get("Content-Type"), name)
	}
}

// TestPageObeysItsPolicy: nothing inline, nothing from elsewhere, no HTML made
// out of strings.
func TestPageObeysItsPolicy(t *testing.T) {
	for name, body := range files(t) {
		resp, _ := get(t, http.MethodGet, "/watch/"+name, nil)
		policy := resp.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} {
			require.Contains(t, policy, want, name)
		}
		require.NotContains(t, policy, "unsafe", name)
		require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "no-referrer", resp.Header.Get("Referrer-Policy"))
		require.NotRegexp(t, `https?://`, strings.ReplaceAll(body, "http://www.w3.org/2000/svg", ""), name)
		switch path.Ext(name) {
		case "":
			require.NotRegexp(t, `(?i)<style|\sstyle=|\son[a-z]+=|<script[^>]*>[^<]`, body)
		case ".js":
			require.NotRegexp(t, `innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function`, body, name)
		}
	}
}

func TestHandler(t *testing.T) {
	for url, want := range map[string]int{
		"/watch/": 200, "/": 200, "/a/b/main.js": 200, "/watch/main.js": 200,
		"/watch/index.html": 404, "/watch/page": 404, "/watch/..": 404, "/watch/watch.go": 404, "/watch/MAIN.JS": 404,
	} {
		resp, _ := get(t, http.MethodGet, url, nil)
		require.Equal(t, want, resp.StatusCode, url)
		require.NotEmpty(t, resp.Header.Get("Content-Security-Policy"), url)
	}
	resp, _ := get(t, http.MethodPost, "/watch/", nil)
	require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
	require.Equal(t, "GET, HEAD", resp.Header.Get("Allow"))
	resp, body := get(t, http.MethodHead, "/watch/", nil)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Empty(t, body)
}

func TestUnchangedFilesAreNotSentAgain(t *testing.T) {
	resp, _ := get(t, http.MethodGet, "/watch/main.js", nil)
	tag := resp.Header.Get("ETag")
	require.NotEmpty(t, tag)
	require.Equal(t, "no-cache", resp.Header.Get("Cache-Control"))
	resp, body := get(t, http.MethodGet, "/watch/main.js", http.Header{"If-None-Match": {tag}})
	require.Equal(t, http.StatusNotModified, resp.StatusCode)
	require.Empty(t, body)
	other, _ := get(t, http.MethodGet, "/watch/view.js", nil)
	require.NotEqual(t, tag, other.Header.Get("ETag"))
}
