//go:build 386 || arm

package v4l2

import (
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// oldKernel knows no 64-bit time.
type oldKernel struct {
	node
	calls []uint32
}

func (k *oldKernel) ioctl(req uint32, arg unsafe.Pointer) error {
	k.calls = append(k.calls, req)
	if req != 0xc0445611 {
		return syscall.ENOTTY
	}
	b := (*bufferTime32)(arg)
	b.index, b.bytesUsed, b.seconds, b.micros, b.sequence = 3, 77, 1000, 5, 9
	return nil
}

func TestKernelWithoutTime64(t *testing.T) {
	require.EqualValues(t, 68, unsafe.Sizeof(bufferTime32{}))
	var k oldKernel
	var c bufferCall
	for range 2 {
		var b buffer
		require.NoError(t, c.do(&k, vidiocDQBuf, &b))
		require.Equal(t, buffer{index: 3, bytesUsed: 77, seconds: 1000, micros: 5, sequence: 9}, b)
	}
	require.Equal(t, []uint32{vidiocDQBuf, 0xc0445611, 0xc0445611}, k.calls, "asked once")
}
