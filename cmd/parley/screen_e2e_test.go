//go:build unix && e2e

package main

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec/all"
	"github.com/parley-rtc/parley/media/play/window"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// display starts an X server of 640 x 480 that nobody sees.
func display(t *testing.T) string {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "640x480x24", "-nolisten", "tcp", "-noreset")
	cmd.ExtraFiles = []*os.File{w}
	var said bytes.Buffer
	cmd.Stderr = &said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	require.NoError(t, w.Close())
	number, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err, "%s", &said)
	return ":" + strings.TrimSpace(number)
}

// slope is a picture that is bright in one corner.
func slope(t *testing.T, width, height int) *media.VideoFrame {
	t.Helper()
	var f media.VideoFrame
	require.NoError(t, f.Reset(media.I420, width, height))
	for y := range height {
		for x := range width {
			f.Planes[0][y*f.Strides[0]+x] = byte(40 + 150*(x*height+y*width)/(2*width*height))
		}
	}
	for _, plane := range f.Planes[1:] {
		for i := range plane {
			plane[i] = 128
		}
	}
	return &f
}

// What a screen shows is what the room sees, in each codec that there is for it.
func TestPublishesAScreen(t *testing.T) {
	x := display(t)
	w, err := window.Open(&window.Options{Display: x, Width: 640, Height: 480})
	require.NoError(t, err)
	defer w.Close()
	pane, err := w.Open("")
	require.NoError(t, err)
	require.NoError(t, pane.Show(slope(t, 640, 480)))
	for _, codec := range []media.Codec{media.VP8, media.H264} {
		t.Run(string(codec), func(t *testing.T) {
			srv := roomtest.NewServer(t)
			alice, err := parley.Connect(srv.Token("alice", "lab"), &parley.ConnectOptions{URL: srv.URL()})
			require.NoError(t, err)
			defer alice.Disconnect()
			p := parleyStart(t, lab(srv, "desk"), "publish", "--json", "--screen="+x, "--size", "320x240", "--fps", "10", "--codec", string(codec))
			track := roomtest.Next[parley.TrackSubscribed](t, alice.Events()).Track.(*parley.RemoteVideoTrack)
			dec, err := all.NewVideoDecoder(codec)
			require.NoError(t, err, "this takes -tags 'e2e codecs'")
			defer dec.Close()
			want := slope(t, 320, 240)
			var got media.VideoFrame
			for s, err := range track.Samples(t.Context()) {
				require.NoError(t, err)
				shown, err := dec.Decode(s, &got)
				require.NoError(t, err)
				// The window may not have been drawn yet, or coarsely at first.
				if shown && got.Width == 320 && got.Height == 240 && psnr(want, &got) > 30 {
					break
				}
			}
			require.Zero(t, p.stop(syscall.SIGINT), "%s", &p.stderr)
			r := report[publishReport](t, p.stdout.String())
			require.Equal(t, "screen", r.Tracks[0].Name)
			require.Equal(t, []int{320, 240}, []int{r.Tracks[0].Width, r.Tracks[0].Height})
		})
	}
}

// psnr compares the brightness of two pictures, in decibels.
func psnr(a, b *media.VideoFrame) float64 {
	var sum float64
	for y := range a.Height {
		for x := range a.Width {
			d := float64(a.Planes[0][y*a.Strides[0]+x]) - float64(b.Planes[0][y*b.Strides[0]+x])
			sum += d * d
		}
	}
	return 10 * math.Log10(255*255*float64(a.Width*a.Height)/max(sum, 1))
}
