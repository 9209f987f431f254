//go:build unix && e2e

package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec/all"
	"github.com/parley-rtc/parley/media/file"
	"github.com/parley-rtc/parley/media/screen"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// The display of these tests, and where a picture of 320 x 240 is on it when the
// window of 960 x 540 lies in the corner.
const (
	displaySize              = "960x540x24"
	left, top, wide, high    = 120, 0, 720, 540
	pictureWide, pictureHigh = 320, 240
)

// display starts an X server that nobody sees.
func display(t *testing.T) string {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", displaySize, "-nolisten", "tcp", "-noreset")
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

// clipFrames decodes the clip that alice shows: the brightness of each picture.
func clipFrames(t *testing.T) [][]byte {
	t.Helper()
	dec, err := all.NewVideoDecoder(media.VP8)
	require.NoError(t, err, "this takes -tags 'e2e codecs'")
	defer dec.Close()
	var frames [][]byte
	var f media.VideoFrame
	for s, err := range file.Samples(bytes.NewReader(synth.VideoClip()), nil) {
		require.NoError(t, err)
		shown, err := dec.Decode(s, &f)
		require.NoError(t, err)
		require.True(t, shown)
		luma := make([]byte, 0, f.Width*f.Height)
		for y := range f.Height {
			luma = append(luma, f.Planes[0][y*f.Strides[0]:][:f.Width]...)
		}
		frames = append(frames, luma)
	}
	return frames
}

// luma is the brightness of the part of a screenshot where the picture should
// be, in the picture's size: the middle of the pixels that make one of it.
func luma(shot *media.VideoFrame) []byte {
	out := make([]byte, 0, pictureWide*pictureHigh)
	for y := range pictureHigh {
		for x := range pictureWide {
			at := (top+(2*y+1)*high/(2*pictureHigh))*shot.Strides[0] + 4*(left+(2*x+1)*wide/(2*pictureWide))
			b, g, r := shot.Planes[0][at], shot.Planes[0][at+1], shot.Planes[0][at+2]
			out = append(out, byte(16+0.257*float64(r)+0.504*float64(g)+0.098*float64(b)))
		}
	}
	return out
}

// psnr compares two pictures, in decibels.
func psnr(a, b []byte) float64 {
	var sum float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return 10 * math.Log10(255*255*float64(len(a))/max(sum, 1))
}

// save keeps a screenshot for people, if PARLEY_ARTIFACTS says where.
func save(t *testing.T, shot *media.VideoFrame, name string) {
	t.Helper()
	dir := os.Getenv("PARLEY_ARTIFACTS")
	if dir == "" {
		return
	}
	img := image.NewRGBA(image.Rect(0, 0, shot.Width, shot.Height))
	for y := range shot.Height {
		for x := range shot.Width {
			p := shot.Planes[0][y*shot.Strides[0]+4*x:]
			img.SetRGBA(x, y, color.RGBA{p[2], p[1], p[0], 255})
		}
	}
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, img))
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644))
}

// What alice shows is what is on the screen, and it moves.
func TestWindowShowsTheRemotePicture(t *testing.T) {
	frames := clipFrames(t)
	x := display(t)
	srv := roomtest.NewServer(t)
	newAlice(t, srv)
	mix := filepath.Join(t.TempDir(), "mix.wav")
	bot := start(t, append(env(srv, "bot"), "DISPLAY="+x), "window", "-speaker", mix)
	bot.says("watching lab", "alice is seen, 320 x 240")

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := screen.Open(ctx, &screen.Options{Display: x, FrameRate: 10, NoCursor: true})
	require.NoError(t, err)
	defer r.Close()
	var shot media.VideoFrame
	seen := map[int]bool{}
	best := 0.0
	for len(seen) < 3 {
		if err := r.ReadFrame(ctx, &shot); err != nil {
			save(t, &shot, "window-wrong.png")
			require.NoError(t, err, "the picture nearest to what alice shows has %.1f dB; pictures seen: %v", best, seen)
		}
		got := luma(&shot)
		for i, f := range frames {
			db := psnr(got, f)
			best = max(best, db)
			if db > 25 {
				seen[i] = true
			}
		}
	}
	save(t, &shot, "window.png")
	bot.interrupt()
	require.Zero(t, bot.ends())
	sound, err := os.ReadFile(mix)
	require.NoError(t, err)
	require.Greater(t, loudest(sound[44:]), 2000, "alice is heard too")
}

func loudest(pcm []byte) int {
	most := 0
	for i := 0; i+1 < len(pcm); i += 2 {
		v := int(int16(uint16(pcm[i]) | uint16(pcm[i+1])<<8))
		most = max(most, v, -v)
	}
	return most
}

// The room hears a text that espeak-ng speaks.
func TestSpeakSaysAText(t *testing.T) {
	srv := roomtest.NewServer(t)
	alice := newAlice(t, srv)
	bot := start(t, env(srv, "bot"), "speak", "This is a robot, speaking.")
	bot.says(`bot speaks opus for [1-5]\.\d s`)
	heard := roomtest.Next[parley.TrackStarted](t, alice.Events())
	pcm, rate := hear(t, heard.Track.(*parley.RemoteAudioTrack))
	bot.says("said it")
	require.Zero(t, bot.ends())
	require.Equal(t, 48000, rate)
	require.Greater(t, time.Duration(len(pcm))*time.Second/48000, 800*time.Millisecond)
	loud := 0
	for _, v := range pcm {
		if v > 1500 || v < -1500 {
			loud++
		}
	}
	require.Greater(t, loud, len(pcm)/50, fmt.Sprintf("of %d samples", len(pcm)))
}
