package device

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What of the kernel's sound interface is needed (sound/asound.h).

type cardInfo struct {
	Card, _    int32
	ID, Driver [16]byte
	Name       [32]byte
	Longname   [80]byte
	_          [16]byte
	Mixername  [80]byte
	Components [128]byte
}

type pcmInfo struct {
	Device, Subdevice uint32
	Stream, Card      int32
	ID                [64]byte
	Name              [80]byte
	Subname           [32]byte
	_                 [4]int32
	_                 [16]byte
	_                 [64]byte
}

// interval is a range of numbers. Bit 2 of flags says that it holds whole ones.
type interval struct{ min, max, flags uint32 }

// hwParams is what a device may do, or is to do.
type hwParams struct {
	_         uint32       // flags
	masks     [3][8]uint32 // access, format, subformat
	_         [5][8]uint32
	intervals [12]interval
	_         [9]interval
	rmask     uint32 // what was changed
	_         uint32 // what the kernel changed
	info      uint32
	_         [3]uint32
	_         uintptr
	_         [64]byte
}

// Indices into masks and intervals, and what they are as parameters.
const (
	maskAccess, maskFormat                  = 0, 1
	isChannels, isRate, isPeriodTime        = 2, 3, 4
	isBufferTime                            = 8
	accessInterleaved                uint32 = 3
)

// Requests, by the numbers of asm-generic/ioctl.h.
var (
	ctlCardInfo = ioctlNumber(2, 'U', 0x01, unsafe.Sizeof(cardInfo{}))
	ctlPCMInfo  = ioctlNumber(3, 'U', 0x31, unsafe.Sizeof(pcmInfo{}))
	pcmRefine   = ioctlNumber(3, 'A', 0x10, unsafe.Sizeof(hwParams{}))
	pcmParams   = ioctlNumber(3, 'A', 0x11, unsafe.Sizeof(hwParams{}))
	pcmPrepare  = ioctlNumber(0, 'A', 0x40, 0)
	pcmStart    = ioctlNumber(0, 'A', 0x42, 0)
)

// ioctlNumber composes a request. Way is 0 for none, 2 for reading and 3 for
// both; some processors count them otherwise.
func ioctlNumber(way uintptr, kind, number byte, size uintptr) uintptr {
	shift := 30
	switch runtime.GOARCH {
	case "mips", "mipsle", "mips64", "mips64le", "ppc64", "ppc64le", "sparc64":
		shift = 29
		way = map[uintptr]uintptr{0: 1, 2: 2, 3: 6}[way]
	}
	return way<<shift | size<<16 | uintptr(kind)<<8 | uintptr(number)
}

// request makes a request.
func request[T any](f *os.File, number uintptr, arg *T) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var errno unix.Errno
	err = conn.Control(func(fd uintptr) {
		for {
			if _, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, number, uintptr(unsafe.Pointer(arg))); errno != unix.EINTR {
				return
			}
		}
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError("ioctl", errno)
	}
	return err
}

// anything is all that any device may do.
func anything() hwParams {
	var p hwParams
	for i := range p.masks {
		for j := range p.masks[i] {
			p.masks[i][j] = math.MaxUint32
		}
	}
	for i := range p.intervals {
		p.intervals[i].max = math.MaxUint32
	}
	p.rmask, p.info = math.MaxUint32, math.MaxUint32
	p.masks[maskAccess] = [8]uint32{1 << accessInterleaved}
	return p
}

func (p *hwParams) only(mask int, bit uint32) {
	p.masks[mask] = [8]uint32{}
	p.masks[mask][bit/32] = 1 << (bit % 32)
}

func (p *hwParams) has(mask int, bit uint32) bool { return p.masks[mask][bit/32]>>(bit%32)&1 != 0 }

// refine cuts what is wanted down to what the device does. It reports false,
// and leaves p as it is, if nothing is left.
func (p *hwParams) refine(f *os.File, change func(*hwParams)) bool {
	next := *p
	if change != nil {
		change(&next)
	}
	next.rmask = math.MaxUint32
	if request(f, pcmRefine, &next) != nil {
		return false
	}
	*p = next
	return true
}

// sampleFormat is how the kernel calls a sample's format, in the order in which
// one is chosen.
type sampleFormat uint32

const (
	formatS16   sampleFormat = 2
	formatS32   sampleFormat = 10
	formatS24   sampleFormat = 6  // in the lower three bytes of four
	formatS24x3 sampleFormat = 32 // in three bytes
	formatFloat sampleFormat = 14
	formatU8    sampleFormat = 1
)

var sampleFormats = []sampleFormat{formatS16, formatS32, formatS24, formatS24x3, formatFloat, formatU8}

func (f sampleFormat) size() int {
	switch f {
	case formatU8:
		return 1
	case formatS16:
		return 2
	case formatS24x3:
		return 3
	}
	return 4
}

// usualRates are what is tried where the rate that is wanted is not there.
var usualRates = []int{48000, 44100, 96000, 32000, 88200, 192000, 24000, 22050, 16000, 12000, 11025, 8000}

// pcmFormats asks what the microphone gives.
func pcmFormats(f *os.File) []AudioFormat {
	p := anything()
	if !p.refine(f, nil) {
		return nil
	}
	var out []AudioFormat
	for channels := max(1, p.intervals[isChannels].min); channels <= min(p.intervals[isChannels].max, 8); channels++ {
		one := p
		if !one.refine(f, func(p *hwParams) { p.intervals[isChannels] = interval{channels, channels, 4} }) {
			continue
		}
		for _, rate := range usualRates {
			if try := one; try.refine(f, rateOf(rate)) {
				out = append(out, AudioFormat{Rate: rate, Channels: int(channels)})
			}
		}
	}
	return out
}

func rateOf(rate int) func(*hwParams) {
	return func(p *hwParams) { p.intervals[isRate] = interval{uint32(rate), uint32(rate), 4} }
}

// pcmFormat is what a microphone gives.
type pcmFormat struct {
	rate, channels int
	format         sampleFormat
}

func (f pcmFormat) frame() int { return f.channels * f.format.size() }

// configure makes the microphone give what comes closest to what is wanted.
func configure(f *os.File, rate, channels int) (pcmFormat, error) {
	var g pcmFormat
	p := anything()
	if err := request(f, pcmRefine, &p); err != nil {
		return g, err
	}
	i := slices.IndexFunc(sampleFormats, func(s sampleFormat) bool {
		return p.has(maskFormat, uint32(s)) && p.refine(f, func(p *hwParams) { p.only(maskFormat, uint32(s)) })
	})
	if i < 0 {
		return g, &Error{Err: ErrUnsatisfiable, Cause: fmt.Errorf("it gives no samples that are understood (%x)", p.masks[maskFormat][:2])}
	}
	g.format = sampleFormats[i]
	found := slices.ContainsFunc([]int{channels, 2, 1, int(p.intervals[isChannels].min)}, func(n int) bool {
		g.channels = n
		return n > 0 && n <= 64 && p.refine(f, func(p *hwParams) { p.intervals[isChannels] = interval{uint32(n), uint32(n), 4} })
	})
	if !found {
		return g, &Error{Err: ErrUnsatisfiable, Cause: fmt.Errorf("it has %d channels or more", p.intervals[isChannels].min)}
	}
	found = slices.ContainsFunc(append([]int{rate}, append(slices.Clone(usualRates), int(p.intervals[isRate].min))...), func(r int) bool {
		g.rate = r
		return r >= 4000 && r <= 384000 && p.refine(f, rateOf(r))
	})
	if !found {
		return g, &Error{Err: ErrUnsatisfiable, Cause: fmt.Errorf("it has %d Hz", p.intervals[isRate].min)}
	}
	// The kernel takes the shortest period and the longest buffer of those
	// left. A buffer is what the machine may be late without a loss.
	_ = p.refine(f, func(p *hwParams) { p.intervals[isPeriodTime] = interval{8000, 40000, 0} })
	_ = p.refine(f, func(p *hwParams) { p.intervals[isBufferTime] = interval{80000, 500000, 0} })
	p.rmask = math.MaxUint32
	return g, request(f, pcmParams, &p)
}

// decode appends samples of whatever format as 16 bits.
func (f pcmFormat) decode(dst []int16, raw []byte) []int16 {
	size := f.format.size()
	for ; len(raw) >= size; raw = raw[size:] {
		var v int16
		switch f.format {
		case formatS16:
			v = int16(binary.LittleEndian.Uint16(raw))
		case formatS32:
			v = int16(binary.LittleEndian.Uint16(raw[2:]))
		case formatS24, formatS24x3:
			v = int16(binary.LittleEndian.Uint16(raw[1:]))
		case formatFloat:
			x := float64(math.Float32frombits(binary.LittleEndian.Uint32(raw)))
			v = int16(max(-32768, min(32767, math.Round(32768*x)))) // not a number becomes something
		case formatU8:
			v = int16(int(raw[0])-128) << 8
		}
		dst = append(dst, v)
	}
	return dst
}
