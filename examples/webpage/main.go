// Command webpage serves a page that joins a room with a camera and a
// microphone, in some 150 lines of JavaScript and without an SDK, and signs the
// access tokens for it:
//
//	go run ./cmd/parley serve --origin http://127.0.0.1:8080
//	go run ./examples/webpage
//
// The second command needs the lines that the first one prints. room.js speaks
// signaling/PROTOCOL.md as far as a call needs it.
package main

import (
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/parley-rtc/parley/signaling/accesstoken"
)

//go:embed index.html room.js
var page embed.FS

func main() {
	log.SetFlags(0)
	listen := flag.String("listen", "127.0.0.1:8080", "where the page is served")
	url := flag.String("url", os.Getenv("PARLEY_URL"), "signaling endpoint of the server (or PARLEY_URL)")
	room := flag.String("room", "lab", "room to join")
	flag.Parse()
	if err := serve(*listen, *url, *room); err != nil {
		log.Fatalf("webpage: %v", err)
	}
}

func serve(listen, url, room string) error {
	if url == "" {
		url = "ws://127.0.0.1:7880/signaling"
	}
	key := accesstoken.Key{
		AccountSID: os.Getenv("PARLEY_ACCOUNT_SID"), SID: os.Getenv("PARLEY_API_KEY"),
		Secret: accesstoken.Secret(os.Getenv("PARLEY_API_SECRET")),
	}
	if key.AccountSID == "" || key.SID == "" || key.Secret == "" {
		return fmt.Errorf("set PARLEY_ACCOUNT_SID, PARLEY_API_KEY and PARLEY_API_SECRET, as parley serve prints them")
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	http.Handle("GET /", http.FileServerFS(page))
	http.Handle("POST /token", vend(key, url, room))
	log.Printf("open http://%s/", ln.Addr())
	return (&http.Server{ReadHeaderTimeout: 5 * time.Second}).Serve(ln)
}

// vend gives a token to everybody who asks. Yours asks back: who is it, and may
// they enter that room? The secret stays here, and only here.
func vend(key accesstoken.Key, url, room string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, err := accesstoken.Token{Identity: r.FormValue("identity"), Room: room, TTL: time.Hour}.Sign(key)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"url": url, "token": token}) // or the browser has gone
	}
}
