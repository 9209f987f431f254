package v4l2

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// The numbers are those of the kernel's headers for each architecture.
func TestLayoutsAreTheKernels(t *testing.T) {
	for name, sizes := range map[string][2]uintptr{
		"v4l2_capability":      {unsafe.Sizeof(capability{}), 104},
		"v4l2_fmtdesc":         {unsafe.Sizeof(fmtDesc{}), 64},
		"v4l2_frmsizeenum":     {unsafe.Sizeof(sizeEnum{}), 44},
		"v4l2_frmivalenum":     {unsafe.Sizeof(intervalEnum{}), 52},
		"v4l2_pix_format":      {unsafe.Sizeof(pixFormat{}), 48},
		"v4l2_plane_pix":       {unsafe.Sizeof(planeFormat{}), 20},
		"v4l2_pix_mplane":      {unsafe.Sizeof(pixFormatMplane{}), 192},
		"v4l2_requestbuffers":  {unsafe.Sizeof(requestBuffers{}), 20},
		"v4l2_streamparm":      {unsafe.Sizeof(streamParm{}), 204},
		"v4l2_control":         {unsafe.Sizeof(control{}), 8},
		"v4l2_queryctrl":       {unsafe.Sizeof(queryCtrl{}), 68},
		"v4l2_timecode":        {unsafe.Sizeof(timecode{}), 16},
		"plane formats begin":  {unsafe.Offsetof(pixFormatMplane{}.planes), 20},
		"plane formats end":    {unsafe.Offsetof(pixFormatMplane{}.numPlanes), 180},
		"interval of the parm": {unsafe.Offsetof(streamParm{}.timePerFrame), 12},
	} {
		require.Equal(t, sizes[1], sizes[0], name)
	}
	for nr, req := range map[uint32]uint32{
		0x80685600: vidiocQueryCap, 0xc0405602: vidiocEnumFmt, 0xc0145608: vidiocReqBufs,
		0x40045612: vidiocStreamOn, 0x40045613: vidiocStreamOff, 0xc0cc5615: vidiocGParm, 0xc0cc5616: vidiocSParm,
		0xc008561c: vidiocSCtrl, 0xc0445624: vidiocQueryCtrl, 0xc02c564a: vidiocEnumFrameSizes,
		0xc034564b: vidiocEnumFrameIntervals,
	} {
		require.Equal(t, nr, req)
	}
}

func TestLayoutsOfTheArchitecture(t *testing.T) {
	type layout struct {
		format, raw, buffer, stamp, m, fd, plane, planeM uintptr
		sFmt, queryBuf, qBuf, dqBuf                      uint32
	}
	wide := layout{208, 8, 88, 24, 64, 80, 64, 8, 0xc0d05605, 0xc0585609, 0xc058560f, 0xc0585611}
	want, ok := map[string]layout{
		"amd64": wide, "arm64": wide, "riscv64": wide, "loong64": wide,
		"arm": {204, 4, 80, 24, 64, 76, 60, 8, 0xc0cc5605, 0xc0505609, 0xc050560f, 0xc0505611},
		"386": {204, 4, 76, 20, 60, 72, 60, 8, 0xc0cc5605, 0xc04c5609, 0xc04c560f, 0xc04c5611},
	}[runtime.GOARCH]
	require.True(t, ok, "no layout known for %s", runtime.GOARCH)
	var f format
	var b buffer
	var p plane
	require.Equal(t, want, layout{
		unsafe.Sizeof(f), unsafe.Offsetof(f.raw),
		unsafe.Sizeof(b), unsafe.Offsetof(b.seconds), unsafe.Offsetof(b.m), unsafe.Offsetof(b.requestFD),
		unsafe.Sizeof(p), unsafe.Offsetof(p.m),
		vidiocSFmt, vidiocQueryBuf, vidiocQBuf, vidiocDQBuf,
	})
}
