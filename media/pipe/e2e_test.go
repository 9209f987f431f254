//go:build e2e

package pipe_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
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

// Three seconds of picture and of sound.
const (
	ffVideo = "-f lavfi -i testsrc2=size=320x240:rate=25:duration=3,format=yuv420p"
	ffAudio = "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=3"

	gstVideo = "videotestsrc num-buffers=75 pattern=smpte ! video/x-raw,format=I420,width=320,height=240,framerate=25/1"
	gstAudio = "audiotestsrc num-buffers=150 samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2"
)

// requireDecodes checks that samples can be decoded, and show something that
// moves.
func requireDecodes(t *testing.T, samples []media.Sample) {
	t.Helper()
	require.Greater(t, requireDecodable(t, samples), len(samples)/2, "the picture moves")
}

// requireDecodable has ffmpeg decode the samples without error. As many
// pictures come out; it returns how many of them differ.
func requireDecodable(t *testing.T, samples []media.Sample) (different int) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "got")
	var b bytes.Buffer
	codec := samples[0].Codec
	args := []string{"-v", "error", "-xerror"}
	switch codec {
	case media.H264, media.H265:
		format := map[media.Codec]string{media.H264: "h264", media.H265: "hevc"}[codec]
		args = append(args, "-f", format)
		for _, s := range samples {
			b.Write(s.Data)
		}
	case media.VP8, media.VP9, media.AV1:
		b.Write(ivfFile(codec, samples))
	default:
		return 0
	}
	require.NoError(t, os.WriteFile(name, b.Bytes(), 0o600))
	args = append(args, "-i", name, "-f", "framemd5", "-")
	out, err := exec.CommandContext(t.Context(), "ffmpeg", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	frames := map[string]bool{}
	n := 0
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") {
			frames[line[strings.LastIndexByte(line, ',')+1:]] = true
			n++
		}
	}
	require.Equal(t, len(samples), n, "%s", out)
	return len(frames)
}

// ivfFile is an IVF file of the samples.
func ivfFile(codec media.Codec, samples []media.Sample) []byte {
	var b bytes.Buffer
	b.WriteString("DKIF\x00\x00\x20\x00")
	b.WriteString(map[media.Codec]string{media.VP8: "VP80", media.VP9: "VP90", media.AV1: "AV01"}[codec])
	for _, v := range []uint32{240<<16 | 320, 1000, 1, uint32(len(samples)), 0} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	for _, s := range samples {
		data := s.Data
		if codec == media.AV1 {
			data = append([]byte{0x12, 0}, data...)
		}
		_ = binary.Write(&b, binary.LittleEndian, uint32(len(data)))
		_ = binary.Write(&b, binary.LittleEndian, uint64((s.Timestamp - samples[0].Timestamp).Milliseconds()))
		b.Write(data)
	}
	return b.Bytes()
}

func TestFFmpegAndGStreamerInEachFormat(t *testing.T) {
	const x264 = "-c:v libx264 -preset ultrafast -tune zerolatency -g 25"
	for name, c := range map[string]struct {
		args  string
		video media.Codec
		audio media.Codec
	}{
		"ffmpeg h264":            {"ffmpeg -v error " + ffVideo + " " + x264 + " -f h264 -", media.H264, ""},
		"ffmpeg h264 with aud":   {"ffmpeg -v error " + ffVideo + " " + x264 + " -aud 1 -f h264 -", media.H264, ""},
		"ffmpeg h264, slices":    {"ffmpeg -v error " + ffVideo + " " + x264 + " -slices 4 -f h264 -", media.H264, ""},
		"ffmpeg h265":            {"ffmpeg -v error " + ffVideo + " -c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25:bframes=0 -f hevc -", media.H265, ""},
		"ffmpeg vp8 ivf":         {"ffmpeg -v error " + ffVideo + " -c:v libvpx -deadline realtime -g 25 -f ivf -", media.VP8, ""},
		"ffmpeg vp9 ivf":         {"ffmpeg -v error " + ffVideo + " -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -f ivf -", media.VP9, ""},
		"ffmpeg av1 ivf":         {"ffmpeg -v error " + ffVideo + " -c:v libaom-av1 -usage realtime -cpu-used 8 -g 25 -f ivf -", media.AV1, ""},
		"ffmpeg ogg":             {"ffmpeg -v error " + ffAudio + " -c:a libopus -page_duration 20000 -f ogg -", "", media.Opus},
		"ffmpeg wav pcmu":        {"ffmpeg -v error " + ffAudio + " -ar 8000 -c:a pcm_mulaw -f wav -", "", media.PCMU},
		"ffmpeg wav pcm":         {"ffmpeg -v error " + ffAudio + " -ar 8000 -f wav -", "", media.PCMU},
		"ffmpeg matroska":        {"ffmpeg -v error " + ffVideo + " " + ffAudio + " " + x264 + " -c:a libopus -f matroska -", media.H264, media.Opus},
		"ffmpeg matroska live":   {"ffmpeg -v error " + ffVideo + " " + ffAudio + " " + x264 + " -c:a libopus -live 1 -cluster_time_limit 0 -f matroska -", media.H264, media.Opus},
		"ffmpeg matroska h265":   {"ffmpeg -v error " + ffVideo + " -c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25:bframes=0 -f matroska -", media.H265, ""},
		"ffmpeg matroska vp8":    {"ffmpeg -v error " + ffVideo + " " + ffAudio + " -c:v libvpx -deadline realtime -g 25 -ar 8000 -c:a pcm_alaw -f matroska -", media.VP8, media.PCMA},
		"ffmpeg webm":            {"ffmpeg -v error " + ffVideo + " " + ffAudio + " -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus -f webm -", media.VP9, media.Opus},
		"gstreamer h264":         {"gst-launch-1.0 -q " + gstVideo + " ! x264enc tune=zerolatency key-int-max=25 ! video/x-h264,stream-format=byte-stream ! fdsink", media.H264, ""},
		"gstreamer h265":         {"gst-launch-1.0 -q " + gstVideo + " ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! video/x-h265,stream-format=byte-stream ! fdsink", media.H265, ""},
		"gstreamer matroska":     {"gst-launch-1.0 -q matroskamux name=m streamable=true ! fdsink " + gstVideo + " ! x264enc tune=zerolatency key-int-max=25 ! h264parse ! m. " + gstAudio + " ! opusenc ! m.", media.H264, media.Opus},
		"gstreamer webm":         {"gst-launch-1.0 -q webmmux name=m streamable=true ! fdsink " + gstVideo + " ! vp8enc deadline=1 keyframe-max-dist=25 ! m. " + gstAudio + " ! opusenc ! m.", media.VP8, media.Opus},
		"gstreamer ogg":          {"gst-launch-1.0 -q " + gstAudio + " ! opusenc ! oggmux max-delay=20000000 max-page-delay=20000000 ! fdsink", "", media.Opus},
		"gstreamer matroska av1": {"gst-launch-1.0 -q matroskamux name=m streamable=true ! fdsink " + gstVideo + " ! av1enc usage-profile=realtime cpu-used=8 keyframe-max-dist=25 ! av1parse ! m.", media.AV1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var log journal
			p, err := pipe.Command(t.Context(), strings.Fields(c.args), &pipe.Options{
				MaxDelay: time.Hour, StartTimeout: time.Minute, Logger: log.logger(),
			})
			require.NoError(t, err, "%v", &log)
			defer p.Close()
			if c.video != "" {
				got := collect(t, p.Video())
				require.Equal(t, c.video, got[0].Codec)
				require.Len(t, got, 75)
				require.True(t, got[0].Keyframe)
				require.Equal(t, []int{320, 240}, []int{got[0].Width, got[0].Height})
				requireDecodes(t, got)
			}
			if c.audio != "" {
				got := collect(t, p.Audio())
				require.Equal(t, c.audio, got[0].Codec)
				var total time.Duration
				for i, s := range got { // without gap
					require.Equal(t, total, s.Timestamp-got[0].Timestamp, "packet %d", i)
					require.InDelta(t, 20, s.Duration.Milliseconds(), 20)
					total += s.Duration
				}
				require.InDelta(t, 3, total.Seconds(), 0.04)
			}
			require.NoError(t, p.Err())
			require.Empty(t, children(t))
		})
	}
}

// freePorts returns two ports of which the next are free as well.
func freePorts(t *testing.T) (a, b int) {
	t.Helper()
	pair := func() int {
		for {
			c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			require.NoError(t, err)
			port := c.LocalAddr().(*net.UDPAddr).Port
			d, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port + 1})
			c.Close()
			if err == nil {
				d.Close()
				return port
			}
		}
	}
	return pair(), pair()
}

// background starts a program that the test ends.
func background(t *testing.T, args ...string) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", args[0], out.String())
		}
	})
	return &out
}

func TestRTPFromFFmpeg(t *testing.T) {
	video, audio := freePorts(t)
	sdp := filepath.Join(t.TempDir(), "stream.sdp")
	background(t, strings.Fields(fmt.Sprintf("ffmpeg -v error -re %s -re %s -map 0:v -c:v libx264 -preset ultrafast -tune zerolatency -g 25 -f rtp rtp://127.0.0.1:%d "+
		"-map 1:a -c:a libopus -ac 2 -f rtp rtp://127.0.0.1:%d -sdp_file %s", ffVideo, ffAudio, video, audio, sdp))...)
	var text []byte
	require.Eventually(t, func() bool {
		text, _ = os.ReadFile(sdp)
		return bytes.Contains(text, []byte("m=audio")) && bytes.Contains(text, []byte("opus"))
	}, 20*time.Second, 10*time.Millisecond)
	streams, err := pipe.ParseSDP(text)
	require.NoError(t, err, "%s", text)
	p, err := pipe.RTP(t.Context(), streams, &pipe.RTPOptions{MaxDelay: time.Hour, StallTimeout: time.Second})
	require.NoError(t, err)
	defer p.Close()
	got, err := drain(t, p.Video())
	require.ErrorIs(t, err, pipe.ErrStalled)
	require.GreaterOrEqual(t, len(got), 49, "all but what came before the port was open, up to a key frame")
	requireDecodes(t, got)
	require.Zero(t, p.Stats().Sources[0].Lost)
	span := got[len(got)-1].Timestamp - got[0].Timestamp
	require.Equal(t, (time.Duration(len(got)-1) * 40 * time.Millisecond).Milliseconds(), span.Milliseconds())
	sound, err := drain(t, p.Audio())
	require.ErrorIs(t, err, pipe.ErrStalled)
	require.GreaterOrEqual(t, len(sound), 120)
}

// GStreamer's rtpbin makes key frames on request.
func TestRTPFromGStreamerWithKeyframeRequests(t *testing.T) {
	port, back := freePorts(t)
	background(t, strings.Fields(fmt.Sprintf("gst-launch-1.0 -q rtpbin name=b rtp-profile=avpf videotestsrc is-live=true pattern=ball ! "+
		"video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=100000 ! rtph264pay pt=96 config-interval=-1 ! "+
		"b.send_rtp_sink_0 b.send_rtp_src_0 ! udpsink host=127.0.0.1 port=%d b.send_rtcp_src_0 ! udpsink host=127.0.0.1 port=%d sync=false async=false "+
		"udpsrc address=127.0.0.1 port=%d ! b.recv_rtcp_sink_0", port, port+1, back))...)
	p, err := pipe.RTP(t.Context(), []pipe.RTPStream{{
		Addr: "127.0.0.1:" + strconv.Itoa(port), Codec: media.H264, PayloadType: 96, RTCP: "127.0.0.1:" + strconv.Itoa(back),
	}}, &pipe.RTPOptions{StartTimeout: -1, MaxDelay: time.Hour})
	require.NoError(t, err)
	defer p.Close()
	src := p.Video()
	var got []media.Sample
	keys := 0
	for keys < 3 {
		s := next(t, src)
		s.Data = bytes.Clone(s.Data)
		got = append(got, s)
		if s.Keyframe {
			keys++
		}
		if len(got)%12 == 0 {
			src.(media.KeyframeRequester).RequestKeyframe()
		}
		require.Less(t, len(got), 500, "GStreamer did not obey")
	}
	requireDecodes(t, got)
	require.WithinDuration(t, time.Now(), got[len(got)-1].Captured, 2*time.Second)
}
