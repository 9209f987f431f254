package pipe_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/pipe"
)

func demux(t *testing.T, r io.Reader, o pipe.Options) []media.Sample {
	t.Helper()
	all, _, err := pipe.Demux(r, &o)
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0]
}

// However a stream comes out of a pipe, the samples are the same.
func TestStreamsInPieces(t *testing.T) {
	for _, codec := range testclips.Codecs() {
		_, data := testclips.File(codec)
		inside, err := os.ReadFile(matroska(t, codec))
		require.NoError(t, err)
		for _, stream := range [][]byte{data, inside} {
			want := testclips.Samples(codec)
			requireSame(t, want, demux(t, iotest.OneByteReader(bytes.NewReader(stream)), pipe.Options{}))
			requireSame(t, want, demux(t, iotest.HalfReader(bytes.NewReader(stream)), pipe.Options{}))
			requireSame(t, want, demux(t, iotest.DataErrReader(bytes.NewReader(stream)), pipe.Options{}))
		}
	}
}

// A stream that is cut off anywhere gives what was whole, and no more.
func TestStreamsCutOff(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, codec := range testclips.Codecs() {
		_, data := testclips.File(codec)
		inside, err := os.ReadFile(matroska(t, codec))
		require.NoError(t, err)
		for _, stream := range [][]byte{data, inside} {
			for range 40 {
				cut := random.IntN(len(stream))
				all, _, err := pipe.Demux(bytes.NewReader(stream[:cut]), nil)
				requireKnown(t, err)
				want := testclips.Samples(codec)
				if len(all) == 0 {
					continue
				}
				got := all[0]
				require.LessOrEqual(t, len(got), len(want))
				if codec == media.PCMU || codec == media.PCMA || codec == media.H264 || codec == media.H265 {
					got = got[:max(0, len(got)-1)] // where it ended does not show
				}
				requireSame(t, want[:len(got)], got)
			}
		}
	}
}

func requireKnown(t testing.TB, err error) {
	t.Helper()
	for _, known := range []error{
		nil, pipe.ErrUnknownFormat, pipe.ErrUnsupported, pipe.ErrMalformed, pipe.ErrEmpty, pipe.ErrNoKeyframe,
		pipe.ErrCodec, io.ErrUnexpectedEOF, bitstream.ErrInvalid, bitstream.ErrTruncated,
	} {
		if errors.Is(err, known) {
			return
		}
	}
	t.Fatalf("an error of no known kind: %v", err)
}

func TestSlicesAndDelimiters(t *testing.T) {
	for _, name := range []string{"slices-aud.h264", "slices-aud.h265", "interlaced.h264"} {
		data, err := os.ReadFile("../file/testdata/" + name)
		require.NoError(t, err)
		want := clipOf(t, data)
		got := demux(t, iotest.OneByteReader(bytes.NewReader(data)), pipe.Options{})
		require.Len(t, got, len(want), name)
		for i := range got {
			require.Equal(t, content(want[i]), content(got[i]), "%s, picture %d", name, i)
		}
	}
}

// ivfOf is an IVF file of frames, one each millisecond.
func ivfOf(fourCC string, frames ...[]byte) []byte {
	var b bytes.Buffer
	b.WriteString("DKIF\x00\x00\x20\x00" + fourCC)
	for _, v := range []uint32{240<<16 | 320, 1000, 1, 0, 0} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	for i, f := range frames {
		_ = binary.Write(&b, binary.LittleEndian, uint32(len(f)))
		_ = binary.Write(&b, binary.LittleEndian, uint64(i*40))
		b.Write(f)
	}
	return b.Bytes()
}

func TestBrokenFramesAreLeftOut(t *testing.T) {
	clip := testclips.Samples(media.VP8)
	broken := []byte{0x10, 0, 0, 1, 2, 3, 4, 5, 6, 7} // says that it is a key frame
	var frames [][]byte
	for _, s := range clip[:60] {
		frames = append(frames, s.Data)
	}
	frames[3] = broken
	all, stats, err := pipe.Demux(bytes.NewReader(ivfOf("VP80", frames...)), nil)
	require.NoError(t, err)
	require.Equal(t, int64(1), stats.Sources[0].Broken)
	require.Equal(t, int64(21), stats.Sources[0].Dropped, "what needs the broken one")
	require.Equal(t, clip[25].Data, all[0][3].Data)
	require.True(t, all[0][3].Keyframe)
}

func TestStreamsThatLie(t *testing.T) {
	delta := []byte{0x11, 0, 0, 0}
	h264 := testclips.Samples(media.H264)
	for name, c := range map[string]struct {
		stream []byte
		want   error
	}{
		"broken frames":    {ivfOf("VP80", slices.Repeat([][]byte{{0x10, 0, 0, 1, 2, 3, 4, 5, 6, 7}}, 60)...), pipe.ErrMalformed},
		"never a key":      {ivfOf("VP80", slices.Repeat([][]byte{delta}, 1100)...), pipe.ErrNoKeyframe},
		"h264 as vp9":      {ivfOf("VP90", slices.Repeat([][]byte{h264[0].Data}, 60)...), pipe.ErrMalformed},
		"h264 as av1":      {ivfOf("AV01", slices.Repeat([][]byte{{0xff, 0xff}}, 60)...), pipe.ErrMalformed},
		"other fourcc":     {ivfOf("H264", delta), pipe.ErrUnsupported},
		"huge frame":       {append(ivfOf("VP80"), 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0), pipe.ErrMalformed},
		"time far away":    {append(ivfOf("VP80"), 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 9), pipe.ErrMalformed},
		"no ticks":         {bytes.Replace(ivfOf("VP80", delta), []byte{0xe8, 3, 0, 0}, []byte{0, 0, 0, 0}, 1), pipe.ErrMalformed},
		"mp4":              {[]byte("\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41"), pipe.ErrUnknownFormat},
		"mpeg-ts":          {append([]byte{0x47}, make([]byte, 187)...), pipe.ErrUnknownFormat},
		"jpeg":             {[]byte{0xff, 0xd8, 0xff, 0xe0, 0, 16, 'J', 'F'}, pipe.ErrUnknownFormat},
		"flv":              {[]byte("FLV\x01\x05\x00\x00\x00\x09"), pipe.ErrUnknownFormat},
		"start codes only": {bytes.Repeat([]byte{0, 0, 1, 0x41}, 1<<19), pipe.ErrUnknownFormat},
		"forbidden bit":    {append(bytes.Clone(h264[0].Data), 0, 0, 1, 0x80|5, 1, 2, 3, 4), pipe.ErrMalformed},
		"endless unit":     {append(bytes.Clone(h264[0].Data), bytes.Repeat([]byte{0xaa}, 17<<20)...), pipe.ErrMalformed},
		"many units":       {append(bytes.Clone(h264[0].Data), bytes.Repeat([]byte{0, 0, 1, 0x0c, 9}, 5000)...), pipe.ErrMalformed},
		"aac in matroska":  {mkvFile(mkvTrack(1, 2, "A_AAC", nil)), pipe.ErrUnsupported},
		"lying matroska":   {mkvFile(mkvTrack(1, 1, "V_VP8", nil), mkvBlocks(60, []byte{0x10, 0, 0, 1, 2, 3, 4, 5, 6, 7})...), pipe.ErrMalformed},
		"lengths beyond":   {mkvFile(mkvTrack(1, 1, "V_MPEG4/ISO/AVC", []byte{1, 66, 0, 30, 0xff, 0xe0, 0}), mkvBlocks(60, []byte{0xff, 0xff, 0xff, 0xff, 1})...), pipe.ErrMalformed},
		"broken avcC":      {mkvFile(mkvTrack(1, 1, "V_MPEG4/ISO/AVC", []byte{1, 66})), pipe.ErrUnsupported},
		"broken hvcC":      {mkvFile(mkvTrack(1, 1, "V_MPEGH/ISO/HEVC", make([]byte, 22))), pipe.ErrUnsupported},
		"opus of six":      {mkvFile(append(mkvTrack(1, 2, "A_OPUS", nil), mkvElement(0xe1, mkvElement(0x9f, 6)...)...)), pipe.ErrUnsupported},
		"wide g711":        {mkvFile(mkvTrack(1, 2, "A_MS/ACM", append([]byte{7, 0, 1, 0, 0x80, 0x3e}, make([]byte, 12)...))), nil},
	} {
		_, _, err := pipe.Demux(bytes.NewReader(c.stream), nil)
		if c.want != nil {
			require.ErrorIs(t, err, c.want, name)
		}
		requireKnown(t, err)
	}
}

// One track that is broken ends alone.
func TestABrokenTrackEndsAlone(t *testing.T) {
	opus := testclips.Samples(media.Opus)
	tracks := append(mkvElement(0xae, mkvTrack(1, 1, "V_VP8", nil)...), mkvElement(0xae, mkvTrack(2, 2, "A_OPUS", nil)...)...)
	var blocks [][]byte
	for i := range 100 {
		blocks = append(blocks,
			mkvElement(0xa3, append([]byte{0x81, 0, byte(i), 0x80}, 0x10, 0, 0, 1, 2, 3, 4, 5, 6, 7)...),
			mkvElement(0xa3, append([]byte{0x82, 0, byte(i), 0x80}, opus[i].Data...)...))
	}
	p, err := pipe.Reader(t.Context(), bytes.NewReader(mkvTracks(tracks, blocks...)), &pipe.Options{MaxDelay: time.Hour})
	require.NoError(t, err)
	_, err = drain(t, p.Video())
	require.ErrorIs(t, err, pipe.ErrMalformed)
	var e *pipe.Error
	require.ErrorAs(t, err, &e)
	require.Len(t, collect(t, p.Audio()), 100)
	<-p.Done()
}

// Parameter sets that only the container has are given to key frames; those
// that GStreamer repeats before each slice are not.
func TestParameterSetsWhereTheyBelong(t *testing.T) {
	clip := testclips.Samples(media.H264)
	var sets, rest [][]byte
	for _, nal := range content(clip[0]).([][]byte) {
		switch bitstream.H264Type(nal) {
		case bitstream.H264SPS, bitstream.H264PPS:
			sets = append(sets, nal)
		default:
			rest = append(rest, nal)
		}
	}
	sized := func(nals ...[]byte) (out []byte) {
		for _, n := range nals {
			out = append(binary.BigEndian.AppendUint32(out, uint32(len(n))), n...)
		}
		return out
	}
	private := append([]byte{1, 66, 0xc0, 30, 0xff, 0xe1, 0, byte(len(sets[0]))}, sets[0]...)
	private = append(append(private, 1, 0, byte(len(sets[1]))), sets[1]...)
	block := func(data []byte) []byte { return mkvElement(0xa3, append([]byte{0x81, 0, 0, 0x80}, data...)...) }
	aud := []byte{9, 0x10}
	got := demux(t, bytes.NewReader(mkvFile(mkvTrack(1, 1, "V_MPEG4/ISO/AVC", private),
		block(sized(rest...)),
		block(sized(append([][]byte{aud}, rest...)...)),
		block(sized(slices.Concat(sets, rest, sets, rest)...)),
		block(sized(slices.Concat(rest, [][]byte{{0x1f, 1, 2}, {0x00, 1}})...)),
	)), pipe.Options{})
	require.Len(t, got, 4)
	require.Equal(t, slices.Concat(sets, rest), content(got[0]))
	require.Equal(t, slices.Concat([][]byte{aud}, sets, rest), content(got[1]))
	require.Equal(t, slices.Concat(sets, rest, rest), content(got[2]))
	require.Equal(t, slices.Concat(sets, rest), content(got[3]), "units that RTP has no room for")
	for _, s := range got {
		require.True(t, s.Keyframe)
		require.Equal(t, []int{320, 240}, []int{s.Width, s.Height})
	}
}

// requireSendable checks what every sample must keep, whatever the stream is.
func requireSendable(t *testing.T, samples []media.Sample) {
	t.Helper()
	last := time.Duration(-1)
	for i, s := range samples {
		switch {
		case s.Codec.Kind() == "" || len(s.Data) == 0:
			t.Fatalf("sample %d: %d bytes of %q", i, len(s.Data), s.Codec)
		case s.Timestamp <= last:
			t.Fatalf("sample %d at %v after %v", i, s.Timestamp, last)
		case i == 0 && !s.Keyframe:
			t.Fatal("it does not begin with a key frame")
		}
		last = s.Timestamp
		p, err := packet.NewPacketizer(s.Codec, 60_000)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Packetize(nil, s); err != nil && len(s.Data) < 60_000 {
			t.Fatalf("sample %d of %d bytes cannot be sent: %v", i, len(s.Data), err)
		}
	}
}

func fuzz(format pipe.Format) func(t *testing.T, data []byte) {
	return func(t *testing.T, data []byte) {
		all, _, err := pipe.Demux(bytes.NewReader(data), &pipe.Options{Format: format})
		requireKnown(t, err)
		for _, samples := range all {
			requireSendable(t, samples)
		}
	}
}

func seed(f *testing.F, codecs ...media.Codec) {
	for _, codec := range codecs {
		_, data := testclips.File(codec)
		f.Add(data[:min(len(data), 12_000)])
	}
}

func FuzzAnnexB(f *testing.F) {
	seed(f, media.H264, media.H265)
	f.Fuzz(fuzz(pipe.AnnexB))
}

func FuzzIVF(f *testing.F) {
	seed(f, media.VP8, media.VP9, media.AV1)
	f.Fuzz(fuzz(pipe.IVF))
}

func FuzzMatroska(f *testing.F) {
	for _, codec := range testclips.Codecs() {
		data, err := os.ReadFile(matroska(f, codec))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:min(len(data), 16_000)])
	}
	f.Fuzz(fuzz(pipe.Matroska))
}

func FuzzSound(f *testing.F) {
	seed(f, media.Opus, media.PCMU, media.PCMA)
	f.Add([]byte("raw"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzz("")(t, data)
		for _, format := range []pipe.Format{pipe.PCM, pipe.ALaw} {
			fuzz(format)(t, data)
		}
	})
}
