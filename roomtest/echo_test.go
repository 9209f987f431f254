package roomtest_test

import (
	"context"
	"math"
	"sync"
	"testing"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

// echo is a program to test: it plays back what it hears, at half the level, and
// looks at what it sees. It works on PCM; that takes no codec in C.
type echo struct {
	room     *parley.Room
	out      *parley.LocalAudioTrack
	pictures chan media.Sample // two, from the first that needs no other
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

func startEcho(token string, opts *parley.ConnectOptions) (*echo, error) {
	out, err := parley.NewLocalAudioTrack(nil, &parley.TrackOptions{Name: "echo", Codec: media.PCMU})
	if err != nil {
		return nil, err
	}
	opts.Tracks = append(opts.Tracks, out)
	room, err := parley.Connect(token, opts)
	if err != nil {
		return nil, err
	}
	e := &echo{room: room, out: out, pictures: make(chan media.Sample, 2)}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.wg.Go(func() {
		for ev := range room.Events() {
			ev, _ := ev.(parley.TrackSubscribed)
			switch track := ev.Track.(type) {
			case *parley.RemoteAudioTrack:
				e.wg.Go(func() { e.repeat(track) })
			case *parley.RemoteVideoTrack:
				e.wg.Go(func() { e.watch(track) })
			}
		}
	})
	return e, nil
}

func (e *echo) repeat(track *parley.RemoteAudioTrack) {
	for s, err := range track.Samples(e.ctx) {
		if err != nil {
			return
		}
		pcm := decode(s.Data)
		for i := range pcm {
			pcm[i] /= 2
		}
		s.Data, s.Lost = encode(pcm), 0
		if e.out.WriteSample(s) != nil {
			return
		}
	}
}

func (e *echo) watch(track *parley.RemoteVideoTrack) {
	begun := false
	for s, err := range track.Samples(e.ctx) {
		if err != nil {
			return
		}
		if begun = begun || s.Keyframe; !begun {
			continue // the picture was under way when we came
		}
		select {
		case e.pictures <- s:
		default:
		}
	}
}

func (e *echo) stop() error {
	err := e.room.Disconnect()
	e.cancel()
	e.wg.Wait()
	e.out.Stop()
	return err
}

// decode and encode are G.711 in mu-law: a sign, an exponent and four bits of
// mantissa, inverted, of a value to which 33 is added in 14 bits.
func decode(data []byte) []int16 {
	pcm := make([]int16, len(data))
	for i, c := range data {
		c = ^c
		v := ((int(c&15)<<1 + 33) << (c >> 4 & 7)) - 33
		if c&0x80 != 0 {
			v = -v
		}
		pcm[i] = int16(v * 4)
	}
	return pcm
}

func encode(pcm []int16) []byte {
	data := make([]byte, len(pcm))
	for i, s := range pcm {
		v, sign := int(s)/4, byte(0)
		if v < 0 {
			v, sign = -v, 0x80
		}
		v = min(v+33, 8191)
		exp := byte(0)
		for v>>(exp+6) != 0 {
			exp++
		}
		data[i] = ^(sign | exp<<4 | byte(v>>(exp+1))&15)
	}
	return data
}

func TestG711OfTheEcho(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	again := encode(decode(all))
	for i := range all {
		if all[i] != 0x7F { // minus zero
			require.Equal(t, all[i], again[i])
		}
	}
	require.EqualValues(t, 32124, decode([]byte{0x80})[0], "the loudest code of the standard's table")
}

// listen returns so many samples of a track, with none missing between them.
func listen(t *testing.T, track *parley.RemoteAudioTrack, n int) []int16 {
	t.Helper()
	var pcm []int16
	for s, err := range track.Samples(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, media.PCMU, s.Codec)
		if s.Lost > 0 {
			pcm = nil
		}
		if pcm = append(pcm, decode(s.Data)...); len(pcm) >= n {
			return pcm[:n]
		}
	}
	require.FailNow(t, "the track has ended")
	return nil
}

// level returns the amplitude of one frequency, by Goertzel's algorithm.
func level(pcm []int16, freq float64) float64 {
	c := 2 * math.Cos(2*math.Pi*freq/8000)
	var s1, s2 float64
	for _, x := range pcm {
		s1, s2 = float64(x)+c*s1-s2, s1
	}
	power := s1*s1 + s2*s2 - c*s1*s2
	return 2 * math.Sqrt(power) / float64(len(pcm))
}
