package file_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/file"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFormatIsFoundByContents(t *testing.T) {
	for _, codec := range testclips.Codecs() {
		_, data := testclips.File(codec)
		path := filepath.Join(t.TempDir(), "clip.txt")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		src, err := file.Open(path, nil)
		require.NoError(t, err)
		require.Equal(t, codec, src.Codec())
		s, err := src.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, testclips.Samples(codec)[0], s)
		require.NoError(t, src.Close())
		require.NoError(t, src.Close())
		_, err = src.Next(t.Context())
		require.ErrorIs(t, err, io.EOF)
	}
}

func TestPlayedOnceEndsInOrder(t *testing.T) {
	for _, codec := range testclips.Codecs() {
		synctest.Test(t, func(t *testing.T) {
			_, data := testclips.File(codec)
			src, err := file.NewReader(io.MultiReader(bytes.NewReader(data)), nil)
			require.NoError(t, err)
			start := time.Now()
			for i, want := range testclips.Samples(codec) {
				if i%10 == 5 {
					src.RequestKeyframe() // without effect
				}
				s, err := src.Next(t.Context())
				require.NoError(t, err)
				require.Equal(t, want, s)
				require.Equal(t, s.Timestamp, time.Since(start))
			}
			for range 2 {
				_, err = src.Next(t.Context())
				require.Equal(t, io.EOF, err)
			}
		})
	}
}

func TestKeyframeRequestOfALoop(t *testing.T) {
	for _, codec := range []media.Codec{media.VP9, media.H264, media.H265, media.AV1} {
		synctest.Test(t, func(t *testing.T) {
			src := testclips.Open(codec)
			defer src.Close()
			clip := testclips.Samples(codec)
			var got []media.Sample
			for i := range 40 {
				if i == 10 || i == 20 || i == 30 { // from 1st to 2nd to 3rd second, then to the start
					src.(media.KeyframeRequester).RequestKeyframe()
				}
				s, err := src.Next(t.Context())
				require.NoError(t, err)
				require.Equal(t, time.Duration(i)*40*time.Millisecond, s.Timestamp)
				got = append(got, s)
			}
			for i, from := range map[int]int{0: 0, 10: 25, 20: 50, 30: 0} {
				require.True(t, got[i].Keyframe)
				require.Equal(t, clip[from].Data, got[i].Data)
				require.Equal(t, clip[from+1].Data, got[i+1].Data)
			}
		})
	}
}

func TestNextEndsWithItsContextAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := testclips.Open(media.Opus)
		first, err := src.Next(t.Context())
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err = src.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		second, err := src.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, first.Timestamp+20*time.Millisecond, second.Timestamp, "no sample is lost")

		done := make(chan error)
		go func() {
			_, err := src.Next(t.Context())
			done <- err
		}()
		synctest.Wait()
		require.NoError(t, src.Close())
		require.Equal(t, io.EOF, <-done)
	})
}

func TestLoopNeedsSeeker(t *testing.T) {
	_, data := testclips.File(media.VP8)
	_, err := file.NewReader(io.MultiReader(bytes.NewReader(data)), &file.Options{Loop: true})
	require.ErrorIs(t, err, file.ErrNotSeekable)
}

type brokenDisk struct{ err error }

func (b brokenDisk) Read([]byte) (int, error) { return 0, b.err }

func TestReadErrorsAreKept(t *testing.T) {
	broken := errors.New("broken disk")
	_, err := file.NewReader(brokenDisk{broken}, nil)
	require.ErrorIs(t, err, broken)
	for _, codec := range testclips.Codecs() {
		_, data := testclips.File(codec)
		var last error
		for _, err := range file.Samples(io.MultiReader(bytes.NewReader(data[:5000]), brokenDisk{broken}), nil) {
			last = err
		}
		require.ErrorIs(t, last, broken, "%s", codec)
	}
}

// change returns a copy of a clip with other bytes at one place.
func change(codec media.Codec, at int, b ...byte) []byte {
	_, data := testclips.File(codec)
	copy(data[at:], b)
	return data
}

func cut(codec media.Codec, n int) []byte {
	_, data := testclips.File(codec)
	return data[:n]
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	ivf2 := 32 + 12 + int(binary.LittleEndian.Uint32(change(media.VP8, 0)[32:])) // the second frame
	for _, c := range []struct {
		name string
		data []byte
		is   error
		says string
		at   int64
	}{
		{"empty", nil, file.ErrEmpty, "no bytes", 0},
		{"text", []byte("Hello, world, this is text"), file.ErrUnknownFormat, "known are IVF", 0},
		{"mp4", []byte("\x00\x00\x00\x20ftypisom\x00\x00"), file.ErrUnknownFormat, "MP4; take the stream out with: ffmpeg", 0},
		{"webm", []byte("\x1a\x45\xdf\xa3\x01\x00"), file.ErrUnknownFormat, "WebM", 0},
		{"mp3", []byte("ID3\x04\x00\x00\x00"), file.ErrUnknownFormat, "MP3", 0},
		{"ivf header cut", cut(media.VP8, 20), io.ErrUnexpectedEOF, "20 bytes of 32", 0},
		{"ivf without frames", cut(media.VP8, 32), file.ErrEmpty, "no frames", 0},
		{"ivf fourcc", change(media.VP8, 8, []byte("H264")...), file.ErrUnsupported, `"H264"`, 0},
		{"ivf time base", change(media.VP8, 16, 0, 0, 0, 0), file.ErrMalformed, "time base", 0},
		{"ivf frame header cut", cut(media.VP8, 32+5), io.ErrUnexpectedEOF, "5 bytes of 12", 32},
		{"ivf frame cut", cut(media.VP8, ivf2+20), io.ErrUnexpectedEOF, "8 bytes of", int64(ivf2 + 12)},
		{"ivf frame missing", cut(media.VP8, ivf2+12), io.ErrUnexpectedEOF, "0 bytes of", int64(ivf2 + 12)},
		{"ivf huge frame", change(media.VP8, ivf2, 255, 255, 255, 255), file.ErrMalformed, "frame of 4294967295 bytes", int64(ivf2)},
		{"ivf gap", change(media.VP8, ivf2+4, 0, 0, 0, 0, 0, 0, 0, 1), file.ErrMalformed, "a gap of", 0},
		{"vp8 key frame", change(media.VP8, 32+12+3, 0, 0, 0), file.ErrMalformed, "", 32},
		{"ogg head cut", cut(media.Opus, 30), io.ErrUnexpectedEOF, "", 0},
		{"ogg tags missing", cut(media.Opus, 47), io.ErrUnexpectedEOF, "", 0},
		{"ogg checksum", change(media.Opus, 1000, 0xde, 0xad), file.ErrMalformed, "checksum", 0},
		{"ogg cut", cut(media.Opus, 5000), io.ErrUnexpectedEOF, "", 0},
		{"ogg vorbis", page(1, 2, 0, []byte("\x01vorbis")), io.ErrUnexpectedEOF, "", 0},
		{"ogg 5.1", page(1, 2, 0, []byte("OpusHead\x01\x06\x00\x00\x80\xbb\x00\x00\x00\x00\x01")), file.ErrUnsupported, "6 channels", 0},
		{"wav stereo", change(media.PCMU, 22, 2), file.ErrUnsupported, "2 channels at 8000 Hz", 0},
		{"wav pcm 8 bit", change(media.PCMU, 20, 1), file.ErrUnsupported, "-c:a pcm_mulaw", 0},
		{"wav cut", cut(media.PCMA, 1000), io.ErrUnexpectedEOF, "", 0},
		{"wav header cut", cut(media.PCMA, 30), io.ErrUnexpectedEOF, "", 0},
		{"avi", []byte("RIFF\x00\x00\x00\x00AVI LIST"), file.ErrUnsupported, `"AVI "`, 0},
		{"annex b without sets", []byte{0, 0, 0, 1, 0x41, 1, 2, 3, 4, 5}, file.ErrUnknownFormat, "no parameter set", 0},
		{"zeros", make([]byte, 1<<20), file.ErrUnknownFormat, "no parameter set", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "my clip")
			require.NoError(t, os.WriteFile(path, c.data, 0o600))
			src, err := file.Open(path, nil)
			if err == nil {
				defer src.Close()
				synctest.Test(t, func(t *testing.T) {
					src, err = file.Open(path, nil)
					for err == nil {
						_, err = src.Next(t.Context())
					}
					src.Close()
				})
			}
			require.ErrorIs(t, err, c.is)
			var e *file.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, path, e.Path)
			require.Contains(t, err.Error(), path)
			require.Contains(t, err.Error(), c.says)
			if c.at > 0 {
				require.Equal(t, c.at, e.Offset)
			}
		})
	}
}

func TestOpenOfNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.ivf")
	_, err := file.Open(path, nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, path)
	_, err = file.Open(t.TempDir(), nil)
	require.ErrorContains(t, err, "is a directory")
}

func TestDamageInALoopIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, err := file.NewReader(bytes.NewReader(cut(media.VP9, 30_000)), &file.Options{Loop: true})
		require.NoError(t, err)
		n := 0
		for ; err == nil; n++ {
			_, err = src.Next(t.Context())
		}
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Greater(t, n, 10, "what is whole is played first")
	})
}

// What is wrong with the beginning of a file is told when it is opened, and not
// in the middle of a call.
func TestOpenLooksAtTheFirstSample(t *testing.T) {
	for codec, header := range map[media.Codec]int{media.VP8: 32, media.Opus: 0, media.H264: 0, media.PCMU: 0} {
		name, data := testclips.File(codec)
		dir := t.TempDir()
		open := func(data []byte) error {
			path := filepath.Join(dir, name)
			require.NoError(t, os.WriteFile(path, data, 0o600))
			src, err := file.Open(path, nil)
			if err == nil {
				s, err := src.Next(t.Context())
				require.NoError(t, err)
				require.NotEmpty(t, s.Data)
				require.Zero(t, s.Timestamp)
				require.NoError(t, src.Close())
			}
			return err
		}
		require.NoError(t, open(data), codec)
		if header > 0 {
			require.ErrorIs(t, open(data[:header]), file.ErrEmpty, codec)
		}
		var e *file.Error
		if codec == media.VP8 {
			require.ErrorIs(t, open(data[:100]), io.ErrUnexpectedEOF, codec)
			huge := slices.Clone(data)
			copy(huge[32:], []byte{0xff, 0xff, 0xff, 0x7f})
			require.ErrorAs(t, open(huge), &e)
			require.ErrorIs(t, e, file.ErrMalformed)
			require.NotEmpty(t, e.Hint, "how to mend it")
		}
	}
}
