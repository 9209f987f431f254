//go:build linux && devicevm && cgo && codecs

package device

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec/all"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// openDevices returns the device files that this program has open.
func openDevices(t *testing.T) (open []string) {
	links, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	for _, link := range links {
		target, err := os.Readlink(link)
		if err == nil && (strings.HasPrefix(target, "/dev/video") || strings.HasPrefix(target, "/dev/snd/pcm")) {
			open = append(open, target)
		}
	}
	return open
}

func TestAllTracksOrNone(t *testing.T) {
	for name, o := range map[string]*Options{
		"no such camera":     {Audio: &AudioOptions{}, Video: &VideoOptions{Device: "none"}},
		"no such size":       {Audio: &AudioOptions{}, Video: &VideoOptions{Width: 1}},
		"no such microphone": {Audio: &AudioOptions{Device: "none"}, Video: &VideoOptions{}},
		"no such codec":      {Audio: &AudioOptions{}, Video: &VideoOptions{Codec: media.AV1}},
	} {
		tracks, err := Tracks(t.Context(), o)
		require.Error(t, err, name)
		require.Empty(t, tracks)
		require.Empty(t, openDevices(t), name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Tracks(ctx, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, openDevices(t))
}

func TestDefaultTracks(t *testing.T) {
	tracks, err := Tracks(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, track := range tracks {
			stop(track)
		}
	})
	require.Len(t, tracks, 2)
	require.Equal(t, parley.KindAudio, tracks[0].Kind())
	require.Equal(t, parley.KindVideo, tracks[1].Kind())
	require.Equal(t, media.Opus, tracks[0].(*parley.LocalAudioTrack).Codec())
	require.Equal(t, media.VP8, tracks[1].(*parley.LocalVideoTrack).Codec())
	d, audio, _, ok := Of(tracks[0])
	require.True(t, ok)
	require.True(t, d.Default)
	require.Equal(t, AudioSettings{Rate: 48000, Channels: 1}, audio)
	d, _, video, ok := Of(tracks[1])
	require.True(t, ok)
	require.True(t, d.Default)
	require.Equal(t, VideoSettings{Width: 640, Height: 480, FrameRate: 25, Format: media.I420}, video)
	require.NotEmpty(t, openDevices(t))
	for _, track := range tracks {
		stop(track)
		_, _, _, ok := Of(track)
		require.False(t, ok)
		require.ErrorIs(t, Restart(t.Context(), track, nil), parley.ErrTrackStopped)
	}
	require.Empty(t, openDevices(t))
}

// sink passes on what it gets. What nobody takes is left out.
type sink chan media.Sample

func (s sink) WriteSample(sample media.Sample) error {
	sample.Data = slices.Clone(sample.Data)
	select {
	case s <- sample:
	default:
	}
	return nil
}

func TestDevicesInARoom(t *testing.T) {
	plug(t)
	tone(t, 48000, 2)
	tracks, err := Tracks(t.Context(), &Options{
		Audio: &AudioOptions{Device: "hw:Loopback,0", Name: "mic"},
		Video: &VideoOptions{Device: "/dev/video0", Name: "camera", Width: 320, Height: 180, FrameRate: 12.5, Reopen: true},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, track := range tracks {
			stop(track)
		}
		require.Empty(t, openDevices(t))
	})
	srv := roomtest.NewServer(t)
	alice, err := parley.Connect(srv.Token("alice", "lab"), &parley.ConnectOptions{URL: srv.URL(), Tracks: tracks})
	require.NoError(t, err)
	defer alice.Disconnect()
	bob, err := parley.Connect(srv.Token("bob", "lab"), &parley.ConnectOptions{URL: srv.URL()})
	require.NoError(t, err)
	defer bob.Disconnect()

	heard, seen := make(sink, 500), make(sink, 500)
	var camera *parley.RemoteVideoTrack
	for range 2 {
		switch track := roomtest.Next[parley.TrackSubscribed](t, bob.TrackSubscribed()).Track.(type) {
		case *parley.RemoteAudioTrack:
			require.Equal(t, "mic", track.Name())
			require.NoError(t, track.Attach(heard))
		case *parley.RemoteVideoTrack:
			require.Equal(t, "camera", track.Name())
			require.NoError(t, track.Attach(seen))
			camera = track
		}
	}
	sid := camera.SID()

	listen := &decoded{T: t, in: heard}
	samples := listen.audio(300 * time.Millisecond)
	freq, level := pitch(samples, 0, 1, 48000)
	t.Logf("%.1f Hz at %.2f", freq, level)
	require.InDelta(t, 440, freq, 3)
	require.InDelta(t, 0.5, level, 0.1)

	watch := &decoded{T: t, in: seen}
	watch.until(320, 180)

	// Other constraints, and then another device, without publishing again.
	require.NoError(t, Restart(t.Context(), tracks[1], &Options{Video: &VideoOptions{Width: 640, Height: 360, FrameRate: 10}}))
	watch.until(640, 360)
	_, _, got, ok := Of(tracks[1])
	require.True(t, ok)
	require.Equal(t, 10.0, got.FrameRate)
	require.ErrorIs(t, Restart(t.Context(), tracks[1], &Options{Video: &VideoOptions{Width: 7}}), ErrUnsatisfiable)
	require.NoError(t, Restart(t.Context(), tracks[1], &Options{Video: &VideoOptions{Device: "/dev/video2", Width: 320, Height: 180, FrameRate: 10}}))
	watch.until(320, 180)

	// Unplugged and back.
	require.NoError(t, os.WriteFile("/sys/bus/platform/drivers/vivid/unbind", []byte("vivid.0"), 0))
	events := tracks[1].(*parley.LocalVideoTrack).Events()
	muted := roomtest.Next[parley.LocalTrackMuted](t, events)
	require.Equal(t, tracks[1].ID(), muted.Publication.Track().ID())
	require.NoError(t, os.WriteFile("/sys/bus/platform/drivers/vivid/bind", []byte("vivid.0"), 0))
	roomtest.Next[parley.LocalTrackUnmuted](t, events)
	for len(seen) > 0 {
		<-seen
	}
	watch.until(320, 180)
	require.Equal(t, sid, camera.SID())
	require.NoError(t, alice.Err())

	require.NoError(t, Restart(t.Context(), tracks[0], &Options{Audio: &AudioOptions{Channels: 2}}))
	for len(heard) > 0 {
		<-heard
	}
	freq, _ = pitch(listen.audio(300*time.Millisecond), 0, 1, 48000)
	require.InDelta(t, 440, freq, 3)
}

// decoded decodes what comes.
type decoded struct {
	*testing.T
	in    sink
	video media.VideoDecoder
}

func (d *decoded) next() media.Sample {
	select {
	case s := <-d.in:
		return s
	case <-soon(d.T).Done():
		require.FailNow(d, "nothing comes")
		return media.Sample{}
	}
}

// audio returns so much sound of one channel without a gap, of which a machine
// that is emulated makes some.
func (d *decoded) audio(length time.Duration) (samples []int16) {
	dec, err := all.NewAudioDecoder(media.Opus, 48000, 1)
	require.NoError(d, err)
	defer func() { require.NoError(d, dec.Close()) }()
	f := &media.AudioFrame{}
	const settle = 9600
	var last time.Duration
	for deadline := time.Now().Add(60 * time.Second); len(samples) < settle+int(length*48000/time.Second); {
		require.True(d, time.Now().Before(deadline), "no sound without gaps")
		s := d.next()
		if s.Lost > 0 || s.Timestamp-last != 20*time.Millisecond {
			d.Log("gap:", s.Lost, "packets,", s.Timestamp-last)
			samples = samples[:0]
		}
		last = s.Timestamp
		require.NoError(d, dec.Decode(s, f))
		samples = append(samples, f.Samples...)
	}
	return samples[settle:]
}

// until decodes until there is a picture of the size that shows something.
func (d *decoded) until(width, height int) {
	if d.video == nil { // one for all, as key frames are rare
		dec, err := all.NewVideoDecoder(media.VP8)
		require.NoError(d, err)
		d.Cleanup(func() { require.NoError(d, dec.Close()) })
		d.video = dec
	}
	f := &media.VideoFrame{}
	for deadline := time.Now().Add(90 * time.Second); ; {
		require.True(d, time.Now().Before(deadline), "no picture of %dx%d", width, height)
		ok, err := d.video.Decode(d.next(), f)
		if err != nil || !ok || f.Width != width || f.Height != height {
			continue // before its first key frame
		}
		low, high := slices.Min(f.Planes[0]), slices.Max(f.Planes[0])
		require.Greater(d, int(high)-int(low), 100)
		return
	}
}
