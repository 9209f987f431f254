//go:build e2e

package browser_test

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
)

// webpage runs the example of this name, and returns where it serves its page.
func webpage(t *testing.T, w *world) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "webpage")
	out, err := exec.Command("go", "build", "-o", program, "../../../examples/webpage").CombinedOutput()
	require.NoError(t, err, "%s", out)
	cmd := exec.Command(program, "-listen", "127.0.0.1:0", "-url", "ws://"+w.addr+"/signaling")
	cmd.Env = append(os.Environ(), "PARLEY_ACCOUNT_SID="+w.key.AccountSID,
		"PARLEY_API_KEY="+w.key.SID, "PARLEY_API_SECRET="+string(w.key.Secret))
	said, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed
	})
	lines := bufio.NewScanner(said)
	require.True(t, lines.Scan(), "it says where it is")
	url, ok := strings.CutPrefix(lines.Text(), "open ")
	require.True(t, ok, lines.Text())
	return url
}

// spy counts in the page what its connection has decoded.
const spy = `window.decoded = 0;
	window.RTCPeerConnection = class extends RTCPeerConnection {
		constructor(...args) {
			super(...args);
			setInterval(async () => {
				const reports = [...(await this.getStats()).values()].filter((r) => r.type === "inbound-rtp");
				decoded = reports.reduce((n, r) => n + (r.framesDecoded ?? 0), 0);
				window.heard = reports.reduce((n, r) => n + (r.kind === "audio" ? r.packetsReceived : 0), 0);
			}, 200);
		}
	};`

const inTheRoom = `document.getElementById("status").textContent === "In lab"`

// A page that knows nothing of ours but the protocol document is a participant
// like any other, in each browser.
func TestPageWithoutAnSDK(t *testing.T) {
	inEach(t, func(t *testing.T, e engine) {
		var origin string // of the page, known before anybody asks
		w := newWorld(t, likeServe, func(cfg *sfu.Config) {
			cfg.CheckOrigin = func(r *http.Request) bool { // alice, who is no browser, has none
				from := r.Header.Get("Origin")
				return from == "" || from == origin
			}
		})
		url := webpage(t, w)
		origin = strings.TrimSuffix(url, "/")
		alice := w.publish("alice", video(t, media.VP8, "camera"), audio(t, media.Opus, "microphone"))

		b := e.start(t)
		b.open(url, spy)
		b.do(nil, "fill", map[string]any{"selector": "#identity", "text": "visitor"})
		b.click("#join button")
		b.wait(inTheRoom)
		b.wait(`document.querySelectorAll("#tiles figure:not([hidden])").length === 2`)
		b.wait(`decoded > 0 && heard > 0`)
		for range 5 { // two seconds each, of 25 frames
			b.rises("decoded", 48)
		}
		requireVideo(t, b, "webpage-"+e.name, "#tiles figure:not(#self) video", "decoded")
		b.picture("webpage-"+e.name, "")

		// The socket is lost, media goes on, and news come over the next one.
		b.text(`window.said = []; new MutationObserver(() => said.push(document.getElementById("status").textContent)).
			observe(document.getElementById("status"), { childList: true }); ""`)
		w.net.cut()
		b.wait(`said.includes("Reconnecting") && ` + inTheRoom)
		b.rises("decoded", 25)
		bob := w.publish("bob", video(t, media.VP8, "camera"))
		b.wait(`[...document.querySelectorAll("figcaption")].some((c) => c.textContent === "bob")`)
		require.NoError(t, bob.Disconnect())
		b.wait(`![...document.querySelectorAll("figcaption")].some((c) => c.textContent === "bob")`)

		// What the page sends arrives, and another decoder understands it.
		dir, file := recordOther(t, alice, 75)
		path := filepath.Join(dir, file)
		out, err := exec.Command("ffmpeg", "-v", "error", "-xerror", "-i", path, "-map", "0", "-f", "null", "-").CombinedOutput()
		require.NoError(t, err, "%s", out)
		counted, err := exec.Command("ffprobe", "-v", "error", "-count_frames", "-select_streams", "v",
			"-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", path).Output()
		require.NoError(t, err)
		frames, err := strconv.Atoi(strings.Trim(string(counted), ",\n "))
		require.NoError(t, err)
		require.GreaterOrEqual(t, frames, 70)

		b.wait(`document.querySelectorAll("#tiles figure").length === 1`) // alice has left
		b.click("#leave")
		b.wait(`document.getElementById("status").textContent === "You have left."`)
		b.quiet("/signaling was interrupted") // which Firefox tells of a socket that is cut
	})
}
