package v4l2

import "unsafe"

// What follows mirrors the kernel's linux/videodev2.h. Structs that are alike
// on all architectures are here, the others in layout_*.go.

const (
	bufTypeCapture       = 1
	bufTypeCaptureMplane = 9

	memoryMmap = 1
	fieldNone  = 1

	maxPlanes = 8

	capVideoCapture       = 0x00000001
	capVideoCaptureMplane = 0x00001000
	capVideoM2MMplane     = 0x00004000
	capVideoM2M           = 0x00008000
	capStreaming          = 0x04000000
	capMediaController    = 0x20000000
	capDeviceCaps         = 0x80000000

	capTimePerFrame = 0x1000

	sizeDiscrete = 1 // the other types of sizes and intervals are ranges

	flagError              = 0x00000040
	flagTimestampMask      = 0x0000e000
	flagTimestampMonotonic = 0x00002000

	ctrlFlagDisabled = 0x0001
	ctrlFlagReadOnly = 0x0004
	ctrlFlagInactive = 0x0010

	ctrlBitrate         = 0x00990900 + 207
	ctrlRepeatSeqHeader = 0x00990900 + 226
	ctrlForceKeyFrame   = 0x00990900 + 229
)

// ioctl numbers (asm-generic/ioctl.h): direction, size, 'V', number.
const (
	dirWrite = 1
	dirRead  = 2
)

func request(dir, nr uint32, size uintptr) uint32 {
	return dir<<30 | uint32(size)<<16 | 'V'<<8 | nr
}

var (
	vidiocQueryCap           = request(dirRead, 0, unsafe.Sizeof(capability{}))
	vidiocEnumFmt            = request(dirRead|dirWrite, 2, unsafe.Sizeof(fmtDesc{}))
	vidiocSFmt               = request(dirRead|dirWrite, 5, unsafe.Sizeof(format{}))
	vidiocReqBufs            = request(dirRead|dirWrite, 8, unsafe.Sizeof(requestBuffers{}))
	vidiocQueryBuf           = request(dirRead|dirWrite, 9, unsafe.Sizeof(buffer{}))
	vidiocQBuf               = request(dirRead|dirWrite, 15, unsafe.Sizeof(buffer{}))
	vidiocDQBuf              = request(dirRead|dirWrite, 17, unsafe.Sizeof(buffer{}))
	vidiocStreamOn           = request(dirWrite, 18, 4)
	vidiocStreamOff          = request(dirWrite, 19, 4)
	vidiocGParm              = request(dirRead|dirWrite, 21, unsafe.Sizeof(streamParm{}))
	vidiocSParm              = request(dirRead|dirWrite, 22, unsafe.Sizeof(streamParm{}))
	vidiocSCtrl              = request(dirRead|dirWrite, 28, unsafe.Sizeof(control{}))
	vidiocQueryCtrl          = request(dirRead|dirWrite, 36, unsafe.Sizeof(queryCtrl{}))
	vidiocEnumFrameSizes     = request(dirRead|dirWrite, 74, unsafe.Sizeof(sizeEnum{}))
	vidiocEnumFrameIntervals = request(dirRead|dirWrite, 75, unsafe.Sizeof(intervalEnum{}))
)

type capability struct {
	driver       [16]byte
	card         [32]byte
	busInfo      [32]byte
	version      uint32
	capabilities uint32
	deviceCaps   uint32
	reserved     [3]uint32
}

type fmtDesc struct {
	index       uint32
	typ         uint32
	flags       uint32
	description [32]byte
	pixelFormat uint32
	mbusCode    uint32
	reserved    [3]uint32
}

type sizeEnum struct {
	index       uint32
	pixelFormat uint32
	typ         uint32
	// A discrete size is the first two. Of a range: the smallest and largest
	// width, its step, and the same of the height.
	values   [6]uint32
	reserved [2]uint32
}

type fract struct{ numerator, denominator uint32 }

type intervalEnum struct {
	index         uint32
	pixelFormat   uint32
	width, height uint32
	typ           uint32
	// A discrete interval is the first. Of a range: the shortest, the
	// longest, and the step.
	values   [3]fract
	reserved [2]uint32
}

type pixFormat struct {
	width, height uint32
	pixelFormat   uint32
	field         uint32
	bytesPerLine  uint32
	sizeImage     uint32
	colorspace    uint32
	priv          uint32
	flags         uint32
	ycbcrEnc      uint32
	quantization  uint32
	xferFunc      uint32
}

type planeFormat struct {
	sizeImage    uint32
	bytesPerLine uint32
	reserved     [6]uint16
}

type pixFormatMplane struct {
	width, height uint32
	pixelFormat   uint32
	field         uint32
	colorspace    uint32
	planes        [maxPlanes]planeFormat
	numPlanes     uint8
	flags         uint8
	ycbcrEnc      uint8
	quantization  uint8
	xferFunc      uint8
	reserved      [7]uint8
}

func (f *format) pix() *pixFormat             { return (*pixFormat)(unsafe.Pointer(&f.raw)) }
func (f *format) pixMplane() *pixFormatMplane { return (*pixFormatMplane)(unsafe.Pointer(&f.raw)) }

type requestBuffers struct {
	count        uint32
	typ          uint32
	memory       uint32
	capabilities uint32
	flags        uint32
}

type timecode struct {
	typ      uint32
	flags    uint32
	values   [4]uint8
	userBits [4]uint8
}

type streamParm struct {
	typ          uint32
	capability   uint32
	captureMode  uint32
	timePerFrame fract
	extendedMode uint32
	readBuffers  uint32
	reserved     [4]uint32
	rest         [160]byte // the union has 200 bytes
}

type control struct {
	id    uint32
	value int32
}

type queryCtrl struct {
	id       uint32
	typ      uint32
	name     [32]byte
	minimum  int32
	maximum  int32
	step     int32
	standard int32
	flags    uint32
	reserved [2]uint32
}
