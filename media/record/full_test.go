package record_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/record"
)

// fullDisk is a file on a disk with room for so many bytes.
type fullDisk struct {
	*os.File
	room, size int64
	closed     int
}

func (f *fullDisk) Write(b []byte) (int, error) {
	n, err := f.WriteAt(b, f.size)
	f.size += int64(n)
	return n, err
}

func (f *fullDisk) WriteAt(b []byte, at int64) (int, error) {
	var full error
	if over := at + int64(len(b)) - f.room; over > 0 {
		b, full = b[:max(0, int64(len(b))-over)], syscall.ENOSPC
	}
	n, err := f.File.WriteAt(b, at)
	if err == nil {
		err = full
	}
	return n, err
}

func (f *fullDisk) Close() error {
	f.closed++
	return f.File.Close()
}

func TestFullDiskEndsTheRecordingOnly(t *testing.T) {
	for _, room := range []int64{0, 10, 4000, 5000, 20_000, 60_000, 100_000, 150_000} {
		path := filepath.Join(t.TempDir(), "x")
		var disk *fullDisk
		rec, err := record.NewWith("MT0", nil, func(string) (record.File, error) {
			f, err := os.Create(path)
			disk = &fullDisk{File: f, room: room}
			return disk, err
		})
		require.NoError(t, err)
		video, err := rec.AddTrack(media.VP8, "")
		require.NoError(t, err)
		audio, err := rec.AddTrack(media.Opus, "")
		require.NoError(t, err)

		samples := testclips.Samples(media.VP8)
		var first error
		for _, s := range samples {
			err := video.WriteSample(s)
			if first == nil {
				first = err
				continue
			}
			require.Equal(t, first, err, "the recorder keeps refusing")
		}
		if first == nil { // the last cluster and the index are written by Close
			require.Equal(t, int64(150_000), room)
		} else {
			require.ErrorIs(t, first, syscall.ENOSPC)
			require.Equal(t, first, audio.WriteSample(testclips.Samples(media.Opus)[0]))
			require.Equal(t, first, rec.Err())
			require.Equal(t, 1, disk.closed, "the file is not held open")
		}
		err = rec.Close()
		require.ErrorIs(t, err, syscall.ENOSPC)
		var e *record.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "MT0.webm", e.File)
		require.Equal(t, err, rec.Close())
		require.Equal(t, 1, disk.closed)

		if room < 60_000 {
			continue
		}
		r := read(t, path)
		frames := r.frames(1)
		require.NotEmpty(t, frames, "room for %d bytes", room)
		for i, f := range frames {
			requireSame(t, samples[i], f)
		}
		require.Positive(t, r.Segment.Info.Duration)
	}
}
