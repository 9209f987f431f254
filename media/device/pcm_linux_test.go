package device

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

// What programs that are written in C send to the kernel (64 bits).
func TestRequestsAreThoseOfTheKernel(t *testing.T) {
	require.EqualValues(t, 376, unsafe.Sizeof(cardInfo{}))
	require.EqualValues(t, 288, unsafe.Sizeof(pcmInfo{}))
	if unsafe.Sizeof(uintptr(0)) == 8 {
		require.EqualValues(t, 608, unsafe.Sizeof(hwParams{}))
		require.EqualValues(t, 0xc2604111, pcmParams)
	} else {
		require.EqualValues(t, 604, unsafe.Sizeof(hwParams{}))
		require.EqualValues(t, 0xc25c4111, pcmParams)
	}
	require.EqualValues(t, 0x81785501, ctlCardInfo)
	require.EqualValues(t, 0xc1205531, ctlPCMInfo)
	require.EqualValues(t, 0x4140, pcmPrepare)
	require.EqualValues(t, 0x4142, pcmStart)
}

func TestSamplesOfAllFormats(t *testing.T) {
	float := func(f float32) []byte {
		b := math.Float32bits(f)
		return []byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)}
	}
	for name, c := range map[string]struct {
		format sampleFormat
		raw    []byte
		want   []int16
	}{
		"16 bits":        {formatS16, []byte{0x34, 0x12, 0xff, 0xff}, []int16{0x1234, -1}},
		"32 bits":        {formatS32, []byte{0xaa, 0xbb, 0x34, 0x12, 0, 0, 0, 0x80}, []int16{0x1234, -32768}},
		"24 bits in 4":   {formatS24, []byte{0xaa, 0x34, 0x12, 0xcc, 0xaa, 0xff, 0xff, 0}, []int16{0x1234, -1}},
		"24 bits in 3":   {formatS24x3, []byte{0xaa, 0x34, 0x12, 0xaa, 0xff, 0xff}, []int16{0x1234, -1}},
		"8 bits":         {formatU8, []byte{0, 128, 255}, []int16{-32768, 0, 32512}},
		"floating point": {formatFloat, append(append(float(0.5), float(-2)...), float(2)...), []int16{16384, -32768, 32767}},
		"cut off":        {formatS32, []byte{1, 2, 3}, nil},
	} {
		require.Equal(t, c.want, pcmFormat{format: c.format}.decode(nil, c.raw), name)
	}
	require.Len(t, pcmFormat{format: formatFloat}.decode(nil, float(float32(math.NaN()))), 1)
}

func TestChannelsAreMixed(t *testing.T) {
	require.Equal(t, []int16{15, 35}, mix(nil, []int16{10, 20, 30, 40}, 2, 1))
	require.Equal(t, []int16{1, 1, 2, 2}, mix(nil, []int16{1, 2}, 1, 2))
	require.Equal(t, []int16{1, 2, 5, 6}, mix(nil, []int16{1, 2, 3, 4, 5, 6, 7, 8}, 4, 2))
	require.Equal(t, []int16{32767}, mix(nil, []int16{32767, 32767, 32767, 32767}, 4, 1))
}

func TestErrorsOfTheKernel(t *testing.T) {
	for err, want := range map[error]error{
		os.NewSyscallError("ioctl", syscall.EBUSY):                    ErrBusy,
		&fs.PathError{Op: "open", Err: syscall.EACCES}:                ErrPermission,
		&fs.PathError{Op: "read", Err: syscall.ENODEV}:                ErrUnplugged,
		&fs.PathError{Op: "open", Err: syscall.ENOENT}:                ErrUnplugged,
		errors.New("whatever"):                                        ErrBroken,
		&Error{Err: ErrUnsatisfiable, Cause: errors.New("1 channel")}: ErrUnsatisfiable,
	} {
		got := pcmError("mic", err)
		require.ErrorIs(t, got, want, fmt.Sprint(err))
		var e *Error
		require.ErrorAs(t, got, &e)
		require.Equal(t, media.Audio, e.Kind)
		require.Equal(t, "mic", e.Device)
	}
}

// A gap that the device tells of is small and shows all the same.
func TestLostSoundShows(t *testing.T) {
	r := newRing(48000, 1)
	begun := time.Now()
	r.write(make([]int16, 480), begun.Add(piece))
	r.lost()
	r.write(make([]int16, 480), begun.Add(7*piece))
	f := &media.AudioFrame{}
	ok, _ := r.take(f)
	require.True(t, ok)
	require.InDelta(t, 6*piece, f.Timestamp, 1e6)
	require.WithinDuration(t, begun.Add(6*piece), f.Captured, 1e6)
}
