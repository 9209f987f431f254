//go:build e2e

package pipe_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/pipe"
)

// Every recipe that the document calls run is run, as it stands there but for
// the hardware.
func TestRecipesRun(t *testing.T) {
	for _, r := range recipes(t) {
		if len(r.gives) == 0 && len(r.rtp) == 0 {
			continue // rtsp has its own test
		}
		t.Run(r.name, func(t *testing.T) {
			var log journal
			o := &pipe.Options{
				Format: r.format, MaxDelay: time.Minute, StartTimeout: 30 * time.Second, Logger: log.logger(),
				Env: []string{"CLIP=" + longClip(t)},
			}
			if r.display != "" {
				o.Env = append(o.Env, "DISPLAY="+display(t, r.display))
			}
			if len(r.rtp) > 0 {
				runRTP(t, r)
				return
			}
			before := children(t)
			p, err := pipe.Command(t.Context(), []string{"sh", "-c", r.run()}, o)
			require.NoError(t, err, "%v", &log)
			var got []string
			for _, src := range p.Sources() {
				got = append(got, string(src.Codec()))
			}
			require.Equal(t, r.gives, got)
			for _, src := range p.Sources() {
				requireLive(t, src)
			}
			require.NoError(t, p.Close())
			require.Len(t, children(t), len(before))
		})
	}
}

// requireLive reads two key frames of video and what lies between, or a second
// of sound: at the pace of the clock, and to be decoded.
func requireLive(t *testing.T, src media.Source) {
	t.Helper()
	var got []media.Sample
	for keys := 0; keys < 2 || len(got) < 16; {
		s := next(t, src)
		s.Data = bytes.Clone(s.Data)
		if s.Keyframe && s.Codec.Kind() == media.Video {
			keys++
		}
		if got = append(got, s); s.Codec.Kind() == media.Audio && s.Timestamp-got[0].Timestamp > time.Second {
			break
		}
		require.Less(t, len(got), 400, "no key frame each second")
	}
	first, last := got[0], got[len(got)-1]
	require.InDelta(t, last.Captured.Sub(first.Captured).Seconds(), (last.Timestamp - first.Timestamp).Seconds(), 0.5)
	require.Less(t, last.Timestamp-first.Timestamp, 5*time.Second)
	requireDecodable(t, got)
}

func runRTP(t *testing.T, r recipe) {
	t.Helper()
	codec, _ := media.ParseCodec(r.rtp[0])
	port, back := freePorts(t)
	at, err := strconv.Atoi(r.rtp[1])
	require.NoError(t, err)
	command := strings.NewReplacer(
		"port="+r.rtp[1], fmt.Sprint("port=", port), "port="+strconv.Itoa(at+1), fmt.Sprint("port=", port+1),
		"port="+r.rtp[2], fmt.Sprint("port=", back),
	).Replace(r.run())
	p, err := pipe.RTP(t.Context(), []pipe.RTPStream{{
		Addr: fmt.Sprint("127.0.0.1:", port), Codec: codec, PayloadType: 96, RTCP: fmt.Sprint("127.0.0.1:", back),
	}}, &pipe.RTPOptions{StartTimeout: -1, MaxDelay: time.Minute})
	require.NoError(t, err)
	defer p.Close()
	background(t, "sh", "-c", "exec "+command)
	src := p.Video()
	for keys, n := 0, 0; keys < 2; n++ { // the second on request
		if next(t, src).Keyframe {
			keys++
		}
		if n%10 == 9 {
			src.(media.KeyframeRequester).RequestKeyframe()
		}
		require.Less(t, n, 250, "key frames would come each ten seconds")
	}
}

// longClip is a file of H.264 with a key frame each second.
func longClip(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "clip.h264")
	out, err := exec.CommandContext(t.Context(), "ffmpeg", strings.Fields("-v error "+ffVideo+" -c:v libx264 -preset ultrafast -tune zerolatency -g 25 -f h264 "+name)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return name
}

// display starts an X server without screen and returns its name.
func display(t *testing.T, size string) string {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", size+"x24", "-nolisten", "tcp", "-noreset")
	cmd.ExtraFiles = []*os.File{w}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	require.NoError(t, w.Close())
	number, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err, "Xvfb did not start")
	return ":" + strings.TrimSpace(number)
}
