package mkv_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/internal/mkv"
	"github.com/parley-rtc/parley/media/record"
)

// element is an element with a size of four bytes.
func element(id uint32, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	n := len(body)
	return append(append(idBytes(id), 0x10|byte(n>>24), byte(n>>16), byte(n>>8), byte(n)), body...)
}

// open is an element of unknown size.
func open(id uint32, parts ...[]byte) []byte {
	return append(append(idBytes(id), 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), slices.Concat(parts...)...)
}

func idBytes(id uint32) (out []byte) {
	for shift := 24; shift >= 0; shift -= 8 {
		if b := byte(id >> shift); b != 0 || len(out) > 0 {
			out = append(out, b)
		}
	}
	return out
}

var (
	ebml    = element(0x1a45dfa3, element(0x4282, []byte("webm\x00")))
	track1  = element(0xae, element(0xd7, []byte{1}), element(0x83, []byte{1}), element(0x86, []byte("V_VP8")))
	track2  = element(0xae, element(0xd7, []byte{2}), element(0x83, []byte{2}), element(0x86, []byte("A_OPUS")), element(0xe1, element(0xb5, []byte{0x47, 0x3b, 0x80, 0}), element(0x9f, []byte{2})))
	tracks  = element(0x1654ae6b, track1, track2)
	void    = element(0xec, make([]byte, 100))
	clock   = func(v byte) []byte { return element(0xe7, []byte{v}) }
	simple  = func(b ...byte) []byte { return element(0xa3, b) }
	cluster = uint32(0x1f43b675)
	segment = uint32(0x18538067)
)

func read(data []byte) (out []mkv.Frame, err error) {
	r, err := mkv.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		f.Data = bytes.Clone(f.Data)
		out = append(out, f)
	}
}

func TestRecordingsAreRead(t *testing.T) {
	dir := t.TempDir()
	r, err := record.New(dir, "clip", nil)
	require.NoError(t, err)
	tr, err := r.AddTrack(media.VP8, "camera")
	require.NoError(t, err)
	clip := testclips.Samples(media.VP8)
	for _, s := range clip {
		require.NoError(t, tr.WriteSample(s))
	}
	require.NoError(t, r.Close())
	data, err := os.ReadFile(filepath.Join(dir, r.File()))
	require.NoError(t, err)
	frames, err := read(data)
	require.NoError(t, err)
	require.Len(t, frames, len(clip))
	for i, f := range frames {
		require.Equal(t, mkv.Frame{Time: clip[i].Timestamp, Keyframe: clip[i].Keyframe, Data: clip[i].Data}, f)
	}
}

func TestLiveStream(t *testing.T) {
	const ms = time.Millisecond
	data := slices.Concat(ebml, void, open(segment,
		void, element(0x114d9b74, []byte("seek head")), element(0x1549a966, element(0x2ad7b1, []byte{0x0f, 0x42, 0x40})), tracks,
		open(cluster, clock(100),
			simple(0x81, 0, 5, 0x80, 'a'), void, simple(0x82, 0xff, 0xfb, 0x80, 'b'), simple(0x83, 0, 0, 0x80, 'x'),
			element(0xa0, element(0xa1, []byte{0x81, 0, 45, 0, 'c'}), element(0xfb, []byte{0xd8})),
			element(0xa0, element(0xa1, []byte{0x81, 0, 85, 0, 'd'}))),
		element(cluster, clock(200), simple(0x40, 0x01, 0, 0, 0, 'e')),
		element(0x1c53bb6b, []byte("cues"))))
	frames, err := read(data)
	require.NoError(t, err)
	require.Equal(t, []mkv.Frame{
		{Track: 0, Time: 105 * ms, Keyframe: true, Data: []byte("a")},
		{Track: 1, Time: 95 * ms, Keyframe: true, Data: []byte("b")},
		{Track: 0, Time: 145 * ms, Data: []byte("c")},
		{Track: 0, Time: 185 * ms, Keyframe: true, Data: []byte("d")},
		{Track: 0, Time: 200 * ms, Data: []byte("e")},
	}, frames)

	r, err := mkv.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, []mkv.Track{
		{Number: 1, Type: mkv.Video, CodecID: "V_VP8", Rate: 8000, Channels: 1},
		{Number: 2, Type: mkv.Audio, CodecID: "A_OPUS", Rate: 48000, Channels: 2},
	}, r.Tracks())

	for cut := range data { // anywhere, but between elements of the live part
		_, err := read(data[:cut])
		if err != nil {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "at %d", cut)
		}
	}
}

func TestLaces(t *testing.T) {
	file := func(block ...byte) []byte {
		return slices.Concat(ebml, open(segment, tracks, open(cluster, clock(7), simple(block...))))
	}
	long := bytes.Repeat([]byte{'l'}, 300)
	for name, c := range map[string]struct {
		block []byte
		want  []string
	}{
		"xiph":  {append([]byte{0x82, 0, 0, 0x82, 2, 0xff, 45, 2}, append(long, "mmend"...)...), []string{string(long), "mm", "end"}},
		"fixed": {[]byte("\x82\x00\x00\x84\x02aabbcc"), []string{"aa", "bb", "cc"}},
		"ebml":  {[]byte("\x82\x00\x00\x86\x02\x83\xbeaaabbccccc"), []string{"aaa", "bb", "ccccc"}},
	} {
		frames, err := read(file(c.block...))
		require.NoError(t, err, name)
		var got []string
		for i, f := range frames {
			got = append(got, string(f.Data))
			require.Equal(t, i > 0, f.Follows)
			require.Equal(t, 7*time.Millisecond, f.Time)
		}
		require.Equal(t, c.want, got, name)
	}
	for name, block := range map[string]string{
		"fixed, odd":  "\x82\x00\x00\x84\x02aabbc",
		"none":        "\x82\x00\x00\x84",
		"xiph, short": "\x82\x00\x00\x82\x01\x05aa",
		"xiph, sizes": "\x82\x00\x00\x82\x02\xff",
		"ebml, minus": "\x82\x00\x00\x86\x02\x81\x80aaa",
		"ebml, none":  "\x82\x00\x00\x86\x02\x00",
	} {
		_, err := read(file([]byte(block)...))
		require.ErrorIs(t, err, mkv.ErrMalformed, name)
	}
}

func TestHostileFiles(t *testing.T) {
	in := func(parts ...[]byte) []byte { return slices.Concat(ebml, open(segment, parts...)) }
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"empty":                  {nil, io.ErrUnexpectedEOF},
		"garbage":                {[]byte("garbage"), mkv.ErrMalformed},
		"not ebml":               {element(0xec, nil), mkv.ErrMalformed},
		"other document":         {element(0x1a45dfa3, element(0x4282, []byte("avi"))), mkv.ErrUnsupported},
		"long ids":               {element(0x1a45dfa3, element(0x42f2, []byte{8})), mkv.ErrUnsupported},
		"huge header":            {append(idBytes(0x1a45dfa3), 0x01, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), mkv.ErrMalformed},
		"unknown size of tracks": {in(open(0x1654ae6b)), mkv.ErrMalformed},
		"no tracks":              {in(open(cluster, clock(1))), mkv.ErrMalformed},
		"broken track":           {in(element(0x1654ae6b, element(0xae, []byte{0xd7, 0x84, 1}))), mkv.ErrMalformed},
		"track zero":             {in(element(0x1654ae6b, element(0xae, element(0x86, []byte("V_VP8"))))), mkv.ErrMalformed},
		"tracks twice":           {in(element(0x1654ae6b, track1, track1)), mkv.ErrMalformed},
		"no ticks":               {in(element(0x1549a966, element(0x2ad7b1, []byte{0})), tracks), mkv.ErrMalformed},
		"block without cluster":  {in(tracks, simple(0x81, 0, 0, 0, 1)), mkv.ErrMalformed},
		"block without time":     {in(tracks, open(cluster, simple(0x81, 0, 0, 0, 1))), mkv.ErrMalformed},
		"short block":            {in(tracks, open(cluster, clock(1), simple(0x81, 0, 0))), mkv.ErrMalformed},
		"time far away":          {in(tracks, open(cluster, element(0xe7, bytes.Repeat([]byte{0xff}, 8)), simple(0x81, 0, 0, 0, 1))), mkv.ErrMalformed},
		"huge block":             {in(tracks, open(cluster, clock(1), []byte{0xa3, 0x1f, 0xff, 0xff, 0xff})), mkv.ErrMalformed},
		"group without block":    {in(tracks, open(cluster, clock(1), element(0xa0, nil))), mkv.ErrMalformed},
		"out of its cluster":     {in(tracks, append(element(cluster, clock(1), []byte{0xa3, 0x88}), make([]byte, 8)...)), mkv.ErrMalformed},
		"a second stream":        {in(tracks, open(cluster, clock(1)), ebml), mkv.ErrUnsupported},
		"beyond 64 bits":         {in(tracks, append(idBytes(0xec), 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe)), io.ErrUnexpectedEOF},
	} {
		_, err := read(c.data)
		require.ErrorIs(t, err, c.want, name)
	}
}

// What a size claims costs no memory before it is there.
func TestClaimsCostNothing(t *testing.T) {
	data := slices.Concat(ebml, open(segment, tracks, open(cluster, clock(1), []byte{0xa3, 0x10, 0xff, 0xff, 0xff, 0x81, 0, 0})))
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = read(data)
		}
	}).AllocedBytesPerOp()
	require.Less(t, allocated, int64(2<<20), "of 16 MB")
}

func FuzzReader(f *testing.F) {
	f.Add(slices.Concat(ebml, open(segment, tracks, open(cluster, clock(7), simple([]byte("\x82\x00\x00\x86\x02\x83\xbeaaabbccccc")...)))))
	f.Add(slices.Concat(ebml, element(segment, tracks, element(cluster, clock(7), element(0xa0, element(0xa1, []byte{0x81, 0, 45, 0, 'c'}))))))
	f.Fuzz(func(t *testing.T, data []byte) {
		frames, err := read(data)
		if err != nil && !errors.Is(err, mkv.ErrMalformed) && !errors.Is(err, mkv.ErrUnsupported) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
		for _, f := range frames {
			if len(f.Data) > len(data) || f.Track < 0 || f.Track >= 64 {
				t.Fatalf("%d bytes of track %d", len(f.Data), f.Track)
			}
		}
	})
}
