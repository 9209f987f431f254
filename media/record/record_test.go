package record_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/at-wat/ebml-go"
	"github.com/at-wat/ebml-go/webm"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/record"
)

// recording is a file read back by the library that wrote its elements.
type recording struct {
	Header  webm.EBMLHeader `ebml:"EBML"`
	Segment struct {
		SeekHead *webm.SeekHead `ebml:"SeekHead"`
		Info     webm.Info      `ebml:"Info"`
		Tracks   webm.Tracks    `ebml:"Tracks"`
		Cluster  []webm.Cluster `ebml:"Cluster"`
		Cues     *webm.Cues     `ebml:"Cues"`
	} `ebml:"Segment"`
}

func read(t *testing.T, path string) recording {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var r recording
	require.NoError(t, ebml.Unmarshal(bytes.NewReader(data), &r))
	return r
}

type frame struct {
	at   time.Duration
	key  bool
	data []byte
}

func (r recording) frames(track int) []frame {
	var out []frame
	for _, c := range r.Segment.Cluster {
		for _, b := range c.SimpleBlock {
			if b.TrackNumber == uint64(track) {
				at := time.Duration(int64(c.Timecode)+int64(b.Timecode)) * time.Millisecond
				out = append(out, frame{at, b.Keyframe, b.Data[0]})
			}
		}
	}
	return out
}

// units cuts length-prefixed data, and Annex B data, into NAL units.
func units(t *testing.T, prefixed bool, data []byte) [][]byte {
	if !prefixed {
		return slices.Collect(bitstream.NALs(data))
	}
	var out [][]byte
	for len(data) > 0 {
		require.Greater(t, len(data), 4)
		n := int(data[0])<<24 | int(data[1])<<16 | int(data[2])<<8 | int(data[3])
		require.LessOrEqual(t, n, len(data)-4)
		out = append(out, data[4:4+n])
		data = data[4+n:]
	}
	return out
}

func requireSame(t *testing.T, s media.Sample, f frame) {
	t.Helper()
	switch s.Codec {
	case media.H264, media.H265:
		require.Equal(t, units(t, false, s.Data), units(t, true, f.data))
	default:
		require.Equal(t, s.Data, f.data)
	}
	require.Equal(t, s.Keyframe, f.key)
}

func TestFramesComeBackIntact(t *testing.T) {
	ids := map[media.Codec]string{
		media.VP8: "V_VP8", media.VP9: "V_VP9", media.AV1: "V_AV1", media.H264: "V_MPEG4/ISO/AVC",
		media.H265: "V_MPEGH/ISO/HEVC", media.Opus: "A_OPUS", media.PCMU: "A_MS/ACM", media.PCMA: "A_MS/ACM",
	}
	for _, codec := range testclips.Codecs() {
		t.Run(string(codec), func(t *testing.T) {
			dir := t.TempDir()
			rec, err := record.New(dir, "MT0", nil)
			require.NoError(t, err)
			track, err := rec.AddTrack(codec, "a label")
			require.NoError(t, err)
			samples := testclips.Samples(codec)
			for _, s := range samples {
				require.NoError(t, track.WriteSample(s))
			}
			require.NoError(t, rec.Close())

			webmFile := slices.Contains([]media.Codec{media.VP8, media.VP9, media.AV1, media.Opus}, codec)
			doc, name := "matroska", "MT0.mkv"
			if webmFile {
				doc, name = "webm", "MT0.webm"
			}
			require.Equal(t, name, rec.File())
			r := read(t, filepath.Join(dir, name))
			require.Equal(t, doc, r.Header.DocType)
			entry := r.Segment.Tracks.TrackEntry[0]
			require.Equal(t, ids[codec], entry.CodecID)
			require.Equal(t, "a label", entry.Name)
			if codec.Kind() == media.Video {
				require.Equal(t, webm.Video{PixelWidth: 320, PixelHeight: 240}, *entry.Video)
			}
			frames := r.frames(1)
			require.Len(t, frames, len(samples))
			for i, s := range samples {
				requireSame(t, s, frames[i])
				require.Equal(t, s.Timestamp, frames[i].at)
			}
			end := samples[len(samples)-1].Timestamp + samples[0].Duration
			require.Equal(t, float64(end.Milliseconds()), r.Segment.Info.Duration)
			require.NotEmpty(t, r.Segment.Cues.CuePoint)
		})
	}
}

// TestCuesAndSeekHeadPointAtTheirElements reads the bytes at the positions.
func TestCuesAndSeekHeadPointAtTheirElements(t *testing.T) {
	dir := t.TempDir()
	rec, err := record.New(dir, "MT0", nil)
	require.NoError(t, err)
	track, err := rec.AddTrack(media.VP8, "")
	require.NoError(t, err)
	for _, s := range testclips.Samples(media.VP8) {
		require.NoError(t, track.WriteSample(s))
	}
	require.NoError(t, rec.Close())
	data, err := os.ReadFile(filepath.Join(dir, "MT0.webm"))
	require.NoError(t, err)
	r := read(t, filepath.Join(dir, "MT0.webm"))

	at := bytes.Index(data, []byte{0x18, 0x53, 0x80, 0x67})
	require.Positive(t, at)
	contents := data[at+4+8:]
	var size uint64
	for _, b := range data[at+5 : at+12] {
		size = size<<8 | uint64(b)
	}
	require.Equal(t, uint64(len(contents)), size, "the segment's size is known after Close")
	require.Len(t, r.Segment.SeekHead.Seek, 3)
	for _, s := range r.Segment.SeekHead.Seek {
		require.True(t, bytes.HasPrefix(contents[s.SeekPosition:], s.SeekID))
	}
	require.Len(t, r.Segment.Cues.CuePoint, 5)
	for i, c := range r.Segment.Cues.CuePoint {
		require.Equal(t, uint64(i*1000), c.CueTime)
		require.True(t, bytes.HasPrefix(contents[c.CueTrackPositions[0].CueClusterPosition:], []byte{0x1f, 0x43, 0xb6, 0x75}))
	}
}

func TestTracksOfOneFileShareTheirZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		rec, err := record.New(dir, "PA0", nil)
		require.NoError(t, err)
		audio, err := rec.AddTrack(media.Opus, "mic")
		require.NoError(t, err)
		video, err := rec.AddTrack(media.VP8, "camera")
		require.NoError(t, err)

		var wg sync.WaitGroup
		play := func(sink media.Sink, codec media.Codec, delay, skew time.Duration) {
			time.Sleep(delay)
			src := testclips.Open(codec)
			defer src.Close()
			for range 100 {
				s, err := src.Next(t.Context())
				if err == nil {
					s.Timestamp += skew // clocks begin anywhere
					err = sink.WriteSample(s)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		}
		wg.Go(func() { play(audio, media.Opus, 0, 17*time.Hour) })
		wg.Go(func() { play(video, media.VP8, 300*time.Millisecond, 5*time.Minute) })
		wg.Wait()
		require.NoError(t, rec.Close())

		r := read(t, filepath.Join(dir, "PA0.webm"))
		require.Len(t, r.Segment.Tracks.TrackEntry, 2)
		for i, f := range r.frames(1) {
			require.Equal(t, time.Duration(i)*20*time.Millisecond, f.at)
		}
		for i, f := range r.frames(2) {
			require.Equal(t, 300*time.Millisecond+time.Duration(i)*40*time.Millisecond, f.at)
		}
		last := int64(0)
		for _, c := range r.Segment.Cluster {
			for _, b := range c.SimpleBlock {
				at := int64(c.Timecode) + int64(b.Timecode)
				require.GreaterOrEqual(t, at, last, "blocks are in the order of time")
				last = at
			}
		}
	})
}

func TestVideoStartsWithItsFirstKeyframe(t *testing.T) {
	for _, codec := range []media.Codec{media.VP8, media.VP9, media.H264, media.H265, media.AV1} {
		dir := t.TempDir()
		rec, err := record.New(dir, "MT0", nil)
		require.NoError(t, err)
		track, err := rec.AddTrack(codec, "")
		require.NoError(t, err)
		samples := testclips.Samples(codec)[3:]
		for i, s := range samples[:22] {
			require.NoError(t, track.WriteSample(s), "sample %d", i)
			require.Empty(t, rec.File())
		}
		for _, s := range samples[22:] {
			require.NoError(t, track.WriteSample(s))
		}
		require.NoError(t, rec.Close())
		frames := read(t, filepath.Join(dir, rec.File())).frames(1)
		require.Len(t, frames, len(samples)-22)
		require.True(t, frames[0].key)
		require.Zero(t, frames[0].at)
	}
}

func TestNoSampleNoFile(t *testing.T) {
	dir := t.TempDir()
	rec, err := record.New(dir, "MT0", nil)
	require.NoError(t, err)
	_, err = rec.AddTrack(media.VP8, "")
	require.NoError(t, err)
	require.NoError(t, rec.Close())
	require.NoError(t, rec.Close())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestTrackMayComeLate(t *testing.T) {
	dir := t.TempDir()
	rec, err := record.New(dir, "PA0", &record.Options{Matroska: true})
	require.NoError(t, err)
	audio, err := rec.AddTrack(media.Opus, "")
	require.NoError(t, err)
	for _, s := range testclips.Samples(media.Opus) {
		require.NoError(t, audio.WriteSample(s))
	}
	for _, codec := range []media.Codec{media.H265, media.VP8} {
		video, err := rec.AddTrack(codec, "")
		require.NoError(t, err)
		for _, s := range testclips.Samples(codec) {
			require.NoError(t, video.WriteSample(s))
		}
	}
	require.NoError(t, rec.Close())
	r := read(t, filepath.Join(dir, "PA0.mkv"))
	require.Len(t, r.Segment.Tracks.TrackEntry, 3)
	require.Len(t, r.frames(2), len(testclips.Samples(media.H265)))
	require.Len(t, r.frames(3), len(testclips.Samples(media.VP8)))
}

func TestWebMTakesNoForeignTrackLater(t *testing.T) {
	rec, err := record.New(t.TempDir(), "PA0", nil)
	require.NoError(t, err)
	audio, err := rec.AddTrack(media.Opus, "")
	require.NoError(t, err)
	require.NoError(t, audio.WriteSample(testclips.Samples(media.Opus)[0]))
	_, err = rec.AddTrack(media.H264, "")
	require.ErrorIs(t, err, record.ErrCodec)
	_, err = rec.AddTrack("G722", "")
	require.ErrorIs(t, err, record.ErrCodec)
	err = audio.WriteSample(testclips.Samples(media.VP8)[0])
	require.ErrorIs(t, err, record.ErrCodec)
	require.NoError(t, audio.WriteSample(testclips.Samples(media.Opus)[1]), "the recording goes on")
	for range record.MaxTracks - 1 {
		_, err := rec.AddTrack(media.Opus, strings.Repeat("x", 1000))
		require.NoError(t, err)
	}
	_, err = rec.AddTrack(media.Opus, "")
	require.ErrorIs(t, err, record.ErrTooManyTracks)
	require.NoError(t, rec.Close())
	_, err = rec.AddTrack(media.Opus, "")
	require.ErrorIs(t, err, record.ErrClosed)
	require.ErrorIs(t, audio.WriteSample(testclips.Samples(media.Opus)[2]), record.ErrClosed)
}

func TestT20FileNamesComeFromSIDsOnly(t *testing.T) {
	for _, name := range []string{
		"", ".", "..", "../x", "../../etc/x", "a/b", `a\b`, "/etc/x", "CON.txt", "a b", "MT0.", "MT\x00", "ünde",
		strings.Repeat("a", 300),
	} {
		_, err := record.New(t.TempDir(), name, nil)
		require.ErrorIs(t, err, record.ErrName, "%q", name)
		var e *record.Error
		require.ErrorAs(t, err, &e)
	}
}

func TestT20NothingIsWrittenOutsideTheDirectory(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	require.NoError(t, os.Symlink(filepath.Join(outside, "victim"), filepath.Join(dir, "MT0.webm")))
	rec, err := record.New(dir, "MT0", nil)
	require.NoError(t, err)
	track, err := rec.AddTrack(media.Opus, "../../etc/x")
	require.NoError(t, err)
	require.Error(t, track.WriteSample(testclips.Samples(media.Opus)[0]))
	require.NoFileExists(t, filepath.Join(outside, "victim"))
	require.Error(t, rec.Close())
}

func TestExistingFileIsKept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "MT0.webm")
	require.NoError(t, os.WriteFile(path, []byte("older"), 0o600))
	rec, err := record.New(dir, "MT0", nil)
	require.NoError(t, err)
	track, err := rec.AddTrack(media.Opus, "")
	require.NoError(t, err)
	require.ErrorIs(t, track.WriteSample(testclips.Samples(media.Opus)[0]), os.ErrExist)
	require.ErrorIs(t, rec.Close(), os.ErrExist)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "older", string(data))
}

func TestUnwritableDirectoryIsAnError(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(parent, nil, 0o600))
	_, err := record.New(filepath.Join(parent, "recordings"), "MT0", nil)
	var e *record.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "MT0", e.File)

	// The directory may also go away between New and the first sample.
	dir := filepath.Join(t.TempDir(), "gone")
	require.NoError(t, os.Mkdir(dir, 0o700))
	rec, err := record.New(dir, "MT0", nil)
	require.NoError(t, err)
	require.NoError(t, os.Remove(dir))
	track, err := rec.AddTrack(media.Opus, "")
	require.NoError(t, err)
	for i, s := range testclips.Samples(media.Opus)[:3] {
		err := track.WriteSample(s)
		require.ErrorIs(t, err, os.ErrNotExist, "sample %d", i)
		require.ErrorAs(t, err, &e)
	}
	require.ErrorIs(t, rec.Err(), os.ErrNotExist)
	require.ErrorIs(t, rec.Close(), os.ErrNotExist)
}

func TestFileStaysBelowMaxBytes(t *testing.T) {
	for _, limit := range []int64{1, 5000, 30_000, 100_000} {
		dir := t.TempDir()
		rec, err := record.New(dir, "MT0", &record.Options{MaxBytes: limit})
		require.NoError(t, err)
		track, err := rec.AddTrack(media.VP8, "")
		require.NoError(t, err)
		samples := testclips.Samples(media.VP8)
		refused := 0
		for _, s := range samples {
			if err := track.WriteSample(s); err != nil {
				require.ErrorIs(t, err, record.ErrTooLarge)
				refused++
			}
		}
		require.Positive(t, refused)
		require.ErrorIs(t, rec.Close(), record.ErrTooLarge)
		info, err := os.Stat(filepath.Join(dir, "MT0.webm"))
		require.NoError(t, err)
		require.LessOrEqual(t, info.Size(), limit)
		if limit < 100_000 {
			continue
		}
		r := read(t, filepath.Join(dir, "MT0.webm"))
		frames := r.frames(1)
		require.NotEmpty(t, frames)
		for i, f := range frames {
			requireSame(t, samples[i], f)
		}
		require.NotNil(t, r.Segment.Cues)
	}
}

// TestWhatIsWrittenPlaysAtAnyMoment copies the file while it grows, as a crash
// would leave it.
func TestWhatIsWrittenPlaysAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	rec, err := record.New(dir, "MT0", nil)
	require.NoError(t, err)
	track, err := rec.AddTrack(media.H264, "")
	require.NoError(t, err)
	samples := testclips.Samples(media.H264)
	seen := 0
	for i, s := range samples {
		require.NoError(t, track.WriteSample(s))
		r := read(t, filepath.Join(dir, "MT0.mkv"))
		require.Len(t, r.Segment.Tracks.TrackEntry, 1)
		frames := r.frames(1)
		require.Greater(t, len(frames)+60, i, "at most two seconds are missing")
		for j, f := range frames {
			requireSame(t, samples[j], f)
		}
		seen = max(seen, len(frames))
	}
	require.Greater(t, seen, 40)
	require.NoError(t, rec.Close())
}

func TestConcurrentTracks(t *testing.T) {
	dir := t.TempDir()
	rec, err := record.New(dir, "PA0", nil)
	require.NoError(t, err)
	codecs := testclips.Codecs()
	var tracks []*record.Track
	for _, codec := range codecs {
		track, err := rec.AddTrack(codec, fmt.Sprint(codec))
		require.NoError(t, err)
		tracks = append(tracks, track)
	}
	var wg sync.WaitGroup
	for _, track := range tracks {
		wg.Go(func() {
			for _, s := range testclips.Samples(track.Codec()) {
				if err := track.WriteSample(s); err != nil {
					t.Error(err)
				}
				rec.File()
			}
		})
	}
	wg.Wait()
	require.NoError(t, rec.Close())
	r := read(t, filepath.Join(dir, "PA0.mkv"))
	require.Len(t, r.Segment.Tracks.TrackEntry, len(codecs))
	for _, e := range r.Segment.Tracks.TrackEntry {
		codec, ok := media.ParseCodec(e.Name)
		require.True(t, ok)
		samples := testclips.Samples(codec)
		frames := r.frames(int(e.TrackNumber))
		require.Len(t, frames, len(samples), codec)
		for i, s := range samples {
			requireSame(t, s, frames[i])
		}
	}
}

func TestDamagedFramesDoNoHarm(t *testing.T) {
	for _, codec := range testclips.Codecs() {
		dir := t.TempDir()
		rec, err := record.New(dir, "MT0", nil)
		require.NoError(t, err)
		track, err := rec.AddTrack(codec, "")
		require.NoError(t, err)
		write := func(data ...byte) {
			for _, key := range []bool{false, true} {
				require.NoError(t, track.WriteSample(media.Sample{Data: data, Keyframe: key}))
			}
		}
		clip := testclips.Samples(codec)
		for range 2 { // before the first good frame, and after it
			write()
			write(0)
			write(0, 0, 1)
			write(0, 0, 1, 0x67)
			write(0, 0, 1, 0x67, 0, 0, 1, 0x68, 0, 0, 1, 0x40, 0, 0, 1, 0x42, 0, 0, 1, 0x44)
			write(0x0a, 0xff, 0xff)
			write(bytes.Repeat([]byte{0xff}, 70_000)...)
			write(clip[0].Data[:len(clip[0].Data)/200]...)
			for _, s := range clip {
				require.NoError(t, track.WriteSample(s))
			}
		}
		require.NoError(t, rec.Close())
		require.Greater(t, len(read(t, filepath.Join(dir, rec.File())).frames(1)), 2*len(clip))
	}
}

func TestPictureMayChangeItsSize(t *testing.T) {
	dir := t.TempDir()
	rec, err := record.New(dir, "MT0", nil)
	require.NoError(t, err)
	track, err := rec.AddTrack(media.VP8, "")
	require.NoError(t, err)
	clip := testclips.Samples(media.VP8)
	clip[25].Data = bytes.Clone(clip[25].Data)
	clip[25].Data[6], clip[25].Data[8] = 160, 120
	clip[25].Width, clip[25].Height = 160, 120
	for _, s := range clip {
		require.NoError(t, track.WriteSample(s))
	}
	require.NoError(t, rec.Close())
	r := read(t, filepath.Join(dir, "MT0.webm"))
	require.Equal(t, webm.Video{PixelWidth: 320, PixelHeight: 240}, *r.Segment.Tracks.TrackEntry[0].Video)
	for i, f := range r.frames(1) {
		requireSame(t, clip[i], f)
	}
}

func TestNoRoomInTheHeaderConcernsTheNewTrackOnly(t *testing.T) {
	dir := t.TempDir()
	rec, err := record.New(dir, "PA0", nil)
	require.NoError(t, err)
	video := testclips.Samples(media.AV1)
	var obus []byte // a sequence header that fills the room
	for o, err := range bitstream.OBUs(video[0].Data) {
		require.NoError(t, err)
		if o.Type == bitstream.OBUSequenceHeader {
			o.Payload = append(bytes.Clone(o.Payload), make([]byte, 5000)...)
		}
		obus = append(obus, o.Header[0]|2)
		obus = append(bitstream.AppendLEB128(obus, uint64(len(o.Payload))), o.Payload...)
	}
	big := video[0]
	big.Data = obus
	audio, err := rec.AddTrack(media.Opus, "")
	require.NoError(t, err)
	require.NoError(t, audio.WriteSample(testclips.Samples(media.Opus)[0]))
	late, err := rec.AddTrack(media.AV1, "")
	require.NoError(t, err)
	require.ErrorIs(t, late.WriteSample(big), record.ErrTooManyTracks)
	require.NoError(t, rec.Err())
	require.NoError(t, audio.WriteSample(testclips.Samples(media.Opus)[1]))
	require.NoError(t, late.WriteSample(video[0]), "a smaller header fits")
	require.NoError(t, rec.Close())
	r := read(t, filepath.Join(dir, "PA0.webm"))
	require.Len(t, r.Segment.Tracks.TrackEntry, 2)
	require.Len(t, r.frames(1), 2)
	require.Len(t, r.frames(2), 1)
}
