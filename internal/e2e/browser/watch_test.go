//go:build e2e

package browser_test

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/e2e/picture"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
)

func tile(identity string) string { return fmt.Sprintf(`.tile[data-identity=%q]`, identity) }

func shows(identity string) string {
	return fmt.Sprintf(`document.querySelector('%s:not(.waiting)') !== null`, tile(identity))
}

func gone(identity string) string {
	return fmt.Sprintf(`document.querySelector('%s') === null`, tile(identity))
}

func frames(identity string) string {
	return fmt.Sprintf(`Number(document.querySelector('%s')?.dataset.frames ?? 0)`, tile(identity))
}

func packets(identity string) string {
	return fmt.Sprintf(`Number(document.querySelector('audio[data-identity=%q]')?.dataset.packets ?? 0)`, identity)
}

const connected = `document.getElementById("status").classList.contains("connected")`

// note has the page write down each change of its status in said.
const note = `window.said = []; new MutationObserver(() => said.push(document.getElementById("status").className)).
	observe(document.getElementById("status"), { attributes: true, childList: true, subtree: true }); ""`

// requireMoving checks with two screenshots that the video of somebody shows,
// and moves.
func requireMoving(t *testing.T, b *tab, name, identity string) {
	t.Helper()
	requireVideo(t, b, name, tile(identity)+" video", frames(identity))
}

// requireVideo does so with a video element; count is the number of its frames.
func requireVideo(t *testing.T, b *tab, name, selector, count string) {
	t.Helper()
	first := b.picture(name+"-1", selector)
	b.rises(count, 10)
	second := b.picture(name+"-2", selector)
	for _, img := range []struct {
		lit    float64
		colors int
	}{{picture.Lit(first, 120), picture.Colors(first)}, {picture.Lit(second, 120), picture.Colors(second)}} {
		require.Greater(t, img.lit, 0.3, "%s is black", name)
		require.Greater(t, img.colors, 8, "%s is empty", name)
	}
	require.Greater(t, picture.Differ(first, second), 0.002, "%s does not move", name)
}

func TestPagePlaysARoom(t *testing.T) {
	w := newWorld(t)
	data, err := parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: "chat"})
	require.NoError(t, err)
	w.publish("alice", video(t, media.VP8, "camera"), audio(t, media.Opus, "microphone"), data)
	w.publish("bob", video(t, media.H264, "screen"))

	b := newTab(t)
	b.open(w.page("viewer"), "")
	b.wait(connected)
	b.wait(shows("alice"))
	b.wait(shows("bob"))

	// Five seconds of 25 frames a second, less what one frame is worth.
	b.rises(frames("alice"), 120)
	b.rises(frames("bob"), 20)
	requireMoving(t, b, "vp8", "alice")
	requireMoving(t, b, "h264", "bob")
	b.rises(packets("alice"), 20)

	require.Equal(t, "lab", b.text(`document.getElementById("room").textContent`))
	require.Contains(t, b.text(`document.querySelector('`+tile("alice")+` .numbers').textContent`), "320×240")
	require.Contains(t, b.text(`document.querySelector('`+tile("bob")+` .numbers').textContent`), "H264")
	require.NotContains(t, b.text(`location.href`), "token")

	require.NoError(t, data.SendText(t.Context(), "<b>hello</b> from alice"))
	b.wait(`document.getElementById("log").textContent.includes("<b>hello</b> from alice")`)
	require.NoError(t, data.Send(t.Context(), []byte{0xca, 0xfe}))
	b.wait(`document.getElementById("log").textContent.includes("2 bytes: ca fe")`)

	// Sound is off until a click.
	require.Equal(t, "true", b.text(`String(document.querySelector("audio").muted)`))
	b.click("#sound")
	require.Equal(t, "false", b.text(`String(document.querySelector("audio").muted)`))
	b.wait(`document.querySelector("audio").currentTime > 0.5 && !document.querySelector("audio").paused`)
	b.wait(fmt.Sprintf(`document.querySelector('%s.speaking') !== null`, tile("alice")))
	b.picture("room", "")
	b.do(nil, "scheme", map[string]any{"scheme": "dark"})
	b.picture("room-dark", "")
	b.do(nil, "size", map[string]any{"width": 400, "height": 800})
	b.wait(`document.documentElement.scrollWidth <= 400`)
	b.picture("room-narrow", "")
	b.quiet()
}

func TestPeopleComeAndGo(t *testing.T) {
	w := newWorld(t)
	b := newTab(t)
	b.open(w.page("viewer"), "")
	b.wait(`!document.getElementById("nobody").hidden`)
	b.picture("empty", "")

	alice := w.publish("alice", video(t, media.VP8, "camera"))
	b.wait(shows("alice"))
	require.NoError(t, alice.Disconnect())
	b.wait(gone("alice"))
	b.wait(`!document.getElementById("nobody").hidden`)

	// More than the sections that the page offers at first, one of them used
	// a second time.
	for i := range 6 {
		w.publish(fmt.Sprintf("guest %d", i), video(t, media.VP8, "camera"), audio(t, media.Opus, "microphone"))
	}
	for i := range 6 {
		b.wait(shows(fmt.Sprintf("guest %d", i)))
		b.wait(packets(fmt.Sprintf("guest %d", i)) + " > 0")
	}
	require.InDelta(t, 6, b.number(`document.querySelectorAll(".tile").length`), 0)
	requireMoving(t, b, "sixth", "guest 5")
	b.picture("six", "")
	b.quiet()
}

func TestTracksComeAndGo(t *testing.T) {
	w := newWorld(t)
	alice := w.publish("alice")
	b := newTab(t)
	b.open(w.page("viewer"), "")
	b.wait(fmt.Sprintf(`document.querySelector('%s.waiting') !== null`, tile("alice")))
	camera := video(t, media.VP8, "camera")
	t.Cleanup(camera.Stop)
	_, err := alice.LocalParticipant().PublishTrack(t.Context(), camera, nil)
	require.NoError(t, err)
	b.wait(shows("alice"))
	camera.Disable()
	b.wait(fmt.Sprintf(`document.querySelector('%s.waiting')?.textContent.includes("Paused")`, tile("alice")))
	b.picture("paused", "")
	camera.Enable()
	b.wait(shows("alice"))
	b.quiet()
}

func TestPageResumesAfterALostSocket(t *testing.T) {
	w := newWorld(t)
	w.publish("alice", video(t, media.VP8, "camera"))
	b := newTab(t)
	b.open(w.page("viewer"), "")
	b.wait(shows("alice"))
	// Whether the page sees the loss is a matter of ms, so that it writes down
	// what it says.
	b.text(note)
	before := b.number(frames("alice"))
	w.net.cut()
	b.wait(`said.some((s) => s.includes("reconnecting")) && ` + connected)
	b.rises(frames("alice"), 50)
	require.Greater(t, b.number(frames("alice")), before, "the media connection was replaced")

	// What happens afterwards arrives.
	w.publish("bob", video(t, media.VP8, "camera"))
	b.wait(shows("bob"))
	b.quiet()
}

// TestPageRestartsICE lets no packet through until the page has noticed, and
// then some.
func TestPageRestartsICE(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() }) // or the server has closed it
	wire := &deaf{PacketConn: conn}
	w := newWorld(t, func(cfg *sfu.Config) { cfg.Media = sfu.Media{Conn: wire, Loopback: true} })
	w.publish("alice", video(t, media.VP8, "camera"))
	b := newTab(t)
	b.open(w.page("viewer"), `window.restarts = 0;
		const offer = RTCPeerConnection.prototype.createOffer;
		RTCPeerConnection.prototype.createOffer = function (options) {
			if (options?.iceRestart) restarts++;
			return offer.call(this, options);
		};`)
	b.wait(shows("alice"))
	require.Zero(t, b.number("restarts"))
	wire.down.Store(true)
	b.wait(`document.getElementById("state").textContent === "Media is interrupted"`)
	b.wait("restarts > 0")
	b.picture("interrupted", "")
	wire.down.Store(false)
	b.wait(`document.getElementById("state").textContent === "Connected"`)
	b.rises(frames("alice"), 25)
	b.quiet()
}

// deaf is a socket that hears and says nothing while it is down.
type deaf struct {
	net.PacketConn
	down atomic.Bool
}

func (d *deaf) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, addr, err := d.PacketConn.ReadFrom(p)
		if err != nil || !d.down.Load() {
			return n, addr, err
		}
	}
}

func (d *deaf) WriteTo(p []byte, addr net.Addr) (int, error) {
	if d.down.Load() {
		return len(p), nil
	}
	return d.PacketConn.WriteTo(p, addr)
}

func TestPageComesBackToARestartedServer(t *testing.T) {
	for name, end := range map[string]func(w *world){
		"crashed":  func(w *world) { w.net.cut(); w.stop() },
		"shutdown": func(w *world) { assert.NoError(t, w.srv.Shutdown(t.Context(), time.Second)); w.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.publish("alice", video(t, media.VP8, "camera"))
			b := newTab(t)
			b.open(w.page("viewer"), "")
			b.wait(shows("alice"))
			end(w)
			b.wait(`document.getElementById("status").classList.contains("reconnecting")`)
			b.picture("restart-"+name, "")
			w.start()
			b.wait(connected)
			w.publish("carol", video(t, media.VP8, "camera"))
			b.wait(shows("carol"))
			b.wait(shows("alice")) // comes back as well, and takes half of the page
			requireMoving(t, b, "restarted-"+name, "carol")
			b.quiet("WebSocket connection to")
		})
	}
}

// TestPageStays is in a room with short heartbeats, and has nothing to say.
func TestPageStays(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) { cfg.Limits.Heartbeat = time.Second })
	w.publish("alice", video(t, media.VP8, "camera"))
	b := newTab(t)
	b.open(w.page("viewer"), "")
	b.wait(shows("alice"))
	b.text(note)
	b.rises(frames("alice"), 5*25)
	require.Zero(t, b.number(`said.length`), "the status changed")
	require.Equal(t, 1, strings.Count(w.heard(), "Sec-Websocket-Key")-1, "the page and the publisher, one socket each")
	b.quiet()
}

func TestT27TokenStaysInThePage(t *testing.T) {
	w := newWorld(t)
	b := newTab(t)
	b.open(w.page("viewer"), "")
	b.wait(connected)
	require.NotContains(t, b.text(`location.href`), "#")

	// A reload of the tab joins again, as the same participant.
	b.do(nil, "reload", nil)
	b.wait(connected)
	require.Contains(t, w.heard(), "/signaling")
	for _, secret := range strings.Split(w.token("viewer"), ".") {
		require.NotContains(t, w.heard(), secret)
	}
	require.NotContains(t, w.heard(), "token")
	b.quiet()
}

// Names are made by others.
func TestPageShowsMarkupAsText(t *testing.T) {
	const name = `<img src=x onerror=document.title='taken'>`
	w := newWorld(t)
	data, err := parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: name})
	require.NoError(t, err)
	w.publish(name, data, video(t, media.VP8, name+"2"))
	b := newTab(t)
	b.open(w.page("viewer"), "")
	b.wait(`document.querySelector(".tile:not(.waiting)") !== null`)
	require.NoError(t, data.SendText(t.Context(), name))
	b.wait(`document.getElementById("log").childElementCount === 1`)
	require.Zero(t, b.number(`document.images.length`))
	require.Equal(t, name, b.text(`document.querySelector(".tile .name").textContent`))
	require.Equal(t, "lab · parley", b.text(`document.title`))
	b.quiet()
}

func TestPageTellsWhyItEnds(t *testing.T) {
	w := newWorld(t)
	b := newTab(t)
	b.open("http://"+w.addr+"/watch/#token=nonsense", "")
	b.wait(`document.getElementById("why").textContent.includes("not valid")`)
	b.picture("refused", "")

	// The form takes another token.
	b.click("#other")
	b.do(nil, "fill", map[string]any{"selector": "#token", "text": w.token("viewer")})
	b.picture("form", "")
	b.click("form button")
	b.wait(connected)

	// The identity joins again, somewhere else.
	w.publish("viewer")
	b.wait(`document.getElementById("why").textContent.includes("opened elsewhere")`)
	b.quiet()
}

// A server that makes the offers itself is understood as well.
func TestPageWithoutSlots(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) { cfg.ServerOffers = true })
	w.publish("alice", video(t, media.VP8, "camera"), audio(t, media.Opus, "microphone"))
	b := newTab(t)
	b.open(w.page("viewer"), "")
	b.wait(shows("alice"))
	for i := range 5 {
		w.publish(fmt.Sprintf("guest %d", i), video(t, media.VP8, "camera"))
	}
	for i := range 5 {
		b.wait(shows(fmt.Sprintf("guest %d", i)))
	}
	requireMoving(t, b, "no-slots", "guest 4")
	b.rises(packets("alice"), 20)
	b.quiet()
}
