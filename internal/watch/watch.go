// Package watch is a web page that plays a room: everybody's video and audio,
// and what their data tracks say. It is plain HTML, CSS and JavaScript, served
// by the server itself:
//
//	srv.Handle("/watch/", watch.Handler())
//
// A viewer opens https://host/watch/#token=<access token>, or
// #token=<access token>&room=<name> with a token that is good for several
// rooms. The fragment stays in the browser, and the page takes it out of the
// address bar; the token travels in the signaling messages alone.
//
// The page speaks RSP, the protocol of signaling/PROTOCOL.md, as any other
// client does, and not WHEP. WHEP plays one stream whose tracks are fixed by
// one HTTP exchange: it has no notion of participants, of tracks that come, go
// or are paused, of names, of data tracks, or of a lost connection that is
// taken up again. All that is what a page for a room shows, and RSP has it.
// Besides, WHEP would be a second way into the server that needs its own
// admission, limits and tests. In return the page is some hundred lines of
// JavaScript longer than a WHEP player, and shows that the protocol document is
// enough to write a client from.
package watch

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed page
var pages embed.FS

// policy lets the page load its own files and talk to its own server, and
// nothing else. It has no inline script or style, and makes no HTML out of
// strings.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

type page struct {
	kind, tag string
	body      []byte
}

// Handler returns the page and its files. It is mounted at any path that ends
// with a slash, beside the signaling endpoint: the page opened at /watch/ talks
// to /signaling.
func Handler() http.Handler {
	files := map[string]page{}
	list, err := fs.ReadDir(pages, "page")
	if err != nil {
		panic("watch: " + err.Error()) // they are part of the program
	}
	for _, entry := range list {
		body, err := pages.ReadFile("page/" + entry.Name())
		if err != nil {
			panic("watch: " + err.Error())
		}
		sum := sha256.Sum256(body)
		files[entry.Name()] = page{
			kind: types[path.Ext(entry.Name())], body: body,
			tag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`,
		}
	}
	files[""] = files["index.html"]
	delete(files, "index.html") // it has one address
	return handler(files)
}

type handler map[string]page

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Content-Security-Policy", policy)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		head.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	file, ok := h[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]
	if !ok {
		http.NotFound(w, r)
		return
	}
	head.Set("Content-Type", file.kind)
	head.Set("ETag", file.tag)
	head.Set("Cache-Control", "no-cache") // asked again each time, by its tag
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), display-capture=()")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.body))
}
