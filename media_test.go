package parley_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// studio is a room on a virtual network, for tests of what flows through it.
type studio struct {
	t     *testing.T
	srv   *roomtest.Server
	spies map[string]*spy
}

func inStudio(t *testing.T, f func(t *testing.T, st *studio), change ...func(*roomtest.Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		change = append([]func(*roomtest.Options){func(o *roomtest.Options) { o.Latency, o.Seed = 10*time.Millisecond, 1 }}, change...)
		f(t, &studio{t: t, srv: roomtest.NewVirtual(t, change...), spies: map[string]*spy{}})
	})
}

func (st *studio) join(who string, tracks ...parley.LocalTrack) *parley.Room {
	st.t.Helper()
	s := &spy{Transport: st.srv.Transport(who)}
	st.spies[who] = s
	room, err := parley.Connect(st.srv.Token(who, "studio"), &parley.ConnectOptions{
		Transport: s, ConfigureWebRTC: st.srv.WebRTC(who), Tracks: tracks,
	})
	require.NoError(st.t, err)
	st.t.Cleanup(func() {
		require.NoError(st.t, room.Disconnect())
		roomtest.Rest(st.t, room.Events())
	})
	return room
}

// written returns a track that the test writes.
func (st *studio) written(codec media.Codec, name string) (parley.LocalTrack, func(media.Sample)) {
	st.t.Helper()
	opts := &parley.TrackOptions{Codec: codec, Name: name}
	if codec.Kind() == media.Audio {
		track, err := parley.NewLocalAudioTrack(nil, opts)
		require.NoError(st.t, err)
		st.t.Cleanup(track.Stop)
		return track, func(s media.Sample) { require.NoError(st.t, track.WriteSample(s)) }
	}
	track, err := parley.NewLocalVideoTrack(nil, opts)
	require.NoError(st.t, err)
	st.t.Cleanup(track.Stop)
	return track, func(s media.Sample) { require.NoError(st.t, track.WriteSample(s)) }
}

// play writes the samples at their times.
func play(write func(media.Sample), samples []media.Sample) {
	began := time.Now()
	for _, s := range samples {
		time.Sleep(time.Until(began.Add(s.Timestamp - samples[0].Timestamp)))
		write(s)
	}
}

// settle lets what is under way arrive.
func settle() { time.Sleep(3 * time.Second) }

// mediaTrack is what remote audio and video tracks have in common.
type mediaTrack interface {
	parley.RemoteTrack
	Attach(media.Sink) error
	Detach(media.Sink) error
	Samples(context.Context) iter.Seq2[media.Sample, error]
	Stats() parley.TrackStats
}

// of waits for the media track of the name.
func of(t *testing.T, room *parley.Room, who, name string) mediaTrack {
	t.Helper()
	for range 1000 {
		if p := room.Participant(who); p != nil {
			for _, pub := range p.Tracks() {
				if track, ok := pub.Track().(mediaTrack); ok && pub.TrackName() == name {
					return track
				}
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s has no track %s", who, name)
	return nil
}

// reel is a sink that keeps everything.
type reel struct {
	mu      sync.Mutex
	samples []media.Sample
	pause   time.Duration // before each sample
	err     error
}

func (r *reel) WriteSample(s media.Sample) error {
	if r.pause > 0 {
		time.Sleep(r.pause)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, s)
	return r.err
}

func (r *reel) all() []media.Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.samples)
}

func (r *reel) lost() (n int) {
	for _, s := range r.all() {
		n += s.Lost
	}
	return n
}

// units takes a sample apart into what its codec consists of.
func units(s media.Sample) (list [][]byte) {
	switch s.Codec {
	case media.H264, media.H265:
		list = slices.Collect(bitstream.NALs(s.Data))
	case media.AV1:
		for o, err := range bitstream.OBUs(s.Data) {
			if err != nil {
				return nil
			}
			list = append(list, append([]byte{byte(o.Type)}, o.Payload...))
		}
	default:
		list = [][]byte{s.Data}
	}
	return list
}

func requireSame(t *testing.T, want, got media.Sample, what string) {
	t.Helper()
	require.Equal(t, want.Codec, got.Codec, what)
	a, b := units(want), units(got)
	require.NotEmpty(t, a, what)
	require.Len(t, b, len(a), what)
	for i := range a {
		require.True(t, bytes.Equal(a[i], b[i]), "%s, unit %d: %d bytes, want %d", what, i, len(b[i]), len(a[i]))
	}
	require.Equal(t, want.Keyframe, got.Keyframe, what)
	if want.Keyframe {
		require.Equal(t, [2]int{want.Width, want.Height}, [2]int{got.Width, got.Height}, what)
	}
}

// TestEachCodecArrivesWhole plays the clip of each codec through the server and
// compares what arrives, sample by sample and unit by unit.
func TestEachCodecArrivesWhole(t *testing.T) {
	for _, codec := range testclips.Codecs() {
		t.Run(string(codec), func(t *testing.T) {
			inStudio(t, func(t *testing.T, st *studio) {
				clip := testclips.Samples(codec)
				track, write := st.written(codec, "clip")
				st.join("alice", track)
				bob := st.join("bob")
				remote := of(t, bob, "alice", "clip")
				var film reel
				require.NoError(t, remote.Attach(&film))
				settle()
				require.Empty(t, film.all())
				play(write, clip)
				settle()
				got := film.all()
				require.Len(t, got, len(clip))
				for i, s := range got {
					requireSame(t, clip[i], s, fmt.Sprintf("sample %d", i))
					require.Zero(t, s.Lost)
					at := clip[i].Timestamp - clip[0].Timestamp
					require.InDelta(t, at, s.Timestamp-got[0].Timestamp, float64(time.Millisecond), "sample %d", i)
				}
				events := remote.Events()
				roomtest.Next[parley.TrackSubscribed](t, events)
				roomtest.Next[parley.TrackStarted](t, events)
				if codec.Kind() == media.Video {
					e := roomtest.Next[parley.TrackDimensionsChanged](t, events)
					require.Equal(t, []int{320, 240, 0, 0}, []int{e.Width, e.Height, e.OldWidth, e.OldHeight})
				}
				roomtest.Quiet(t, events, time.Second)
				require.NoError(t, remote.Detach(&film))
			})
		})
	}
}

// TestEachCodecArrivesThroughLoss loses 5 % both ways between each of the two
// and the server: lost packets are asked for again.
func TestEachCodecArrivesThroughLoss(t *testing.T) {
	for _, codec := range testclips.Codecs() {
		t.Run(string(codec), func(t *testing.T) {
			inStudio(t, func(t *testing.T, st *studio) {
				clip := testclips.Samples(codec)
				track, write := st.written(codec, "clip")
				st.join("alice", track)
				bob := st.join("bob")
				remote := of(t, bob, "alice", "clip")
				var film reel
				require.NoError(t, remote.Attach(&film))
				settle()
				st.srv.Loss("alice", 50)
				st.srv.Loss("bob", 50)
				for range 5 {
					play(write, clip)
				}
				st.srv.Loss("alice", 0)
				st.srv.Loss("bob", 0)
				play(write, clip) // what is last has nothing behind it that tells
				settle()
				want := map[string]int{}
				for _, s := range clip {
					want[string(bytes.Join(units(s), nil))] += 6
				}
				got := film.all()
				for _, s := range got {
					want[string(bytes.Join(units(s), nil))]--
				}
				for _, n := range want {
					require.GreaterOrEqual(t, n, 0, "a sample that was not sent, or twice")
				}
				stats := remote.Stats()
				t.Logf("%d of %d samples whole; packets: %+v", len(got), 6*len(clip), stats)
				require.Positive(t, stats.Repaired)
				// A packet that is missed on both legs and asked for in vain four
				// times in a row comes too late.
				missing := 6*len(clip) - len(got)
				require.LessOrEqual(t, missing, 6*len(clip)/100)
				// One that ends a frame, or begins one, takes the other with it.
				require.GreaterOrEqual(t, 2*film.lost(), missing)
			})
		})
	}
}
