package v4l2

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fakeHost stands for the kernel: what it answers can be made to lie.
type fakeHost struct {
	mu      sync.Mutex
	devices map[string]*fakeDevice
	links   map[string]string
}

func newFakeHost(devices ...*fakeDevice) *fakeHost {
	h := &fakeHost{devices: make(map[string]*fakeDevice), links: make(map[string]string)}
	for i, d := range devices {
		h.devices[fmt.Sprintf("/dev/video%d", i)] = d
	}
	return h
}

func (h *fakeHost) nodes() ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.devices)), nil
}

func (h *fakeHost) byID() map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.links)
}

func (h *fakeHost) index(string) int                    { return 0 }
func (h *fakeHost) resolve(path string) (string, error) { return path, nil }
func (h *fakeHost) users(string) string                 { return "by cheese (process 7)" }

func (h *fakeHost) open(path string) (node, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.devices[path]
	if d == nil {
		return nil, syscall.ENOENT
	}
	return d.open()
}

func (h *fakeHost) put(path string, d *fakeDevice) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d == nil {
		delete(h.devices, path)
		return
	}
	h.devices[path] = d
}

// fakeDevice is a device file with what the kernel keeps about it.
type fakeDevice struct {
	caps   uint32
	card   string
	bus    string
	mplane bool
	codes  []string
	sizes  []Size
	rates  []uint32
	keys   []uint32 // controls

	openErr error
	// answer, when set, may change what an ioctl answers.
	answer func(req uint32, arg unsafe.Pointer, err error) error

	mu        sync.Mutex
	pix       pixFormat
	interval  fract
	strides   []uint32
	images    []uint32
	memory    [][]byte // of each buffer and memory plane
	queued    []int
	done      []fakeFrame
	streaming bool
	owner     *fakeNode
	gone      bool
	fatal     bool
	sequence  uint32
	set       []control
	opened    int
	starts    int
}

type fakeFrame struct {
	buffer   int
	used     []uint32
	sequence uint32
	flags    uint32
	stamp    time.Duration
}

func newFake(codes ...string) *fakeDevice {
	return &fakeDevice{
		caps: capVideoCapture | capStreaming, card: "Fake", bus: "usb-1", codes: codes,
		sizes: []Size{{320, 240}, {640, 480}, {1280, 720}}, rates: []uint32{30, 15},
	}
}

type fakeNode struct {
	d     *fakeDevice
	event int
	word  [8]byte
}

func (d *fakeDevice) open() (node, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.openErr != nil {
		return nil, d.openErr
	}
	if d.gone {
		return nil, syscall.ENODEV
	}
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	d.opened++
	return &fakeNode{d: d, event: fd}, nil
}

func (n *fakeNode) fd() int { return n.event }

func (n *fakeNode) close() error {
	n.d.mu.Lock()
	defer n.d.mu.Unlock()
	if n.d.owner == n {
		n.d.owner = nil
		n.d.streaming = false
	}
	n.d.opened--
	return unix.Close(n.event)
}

func (n *fakeNode) mmap(offset int64, length int) ([]byte, error) {
	n.d.mu.Lock()
	defer n.d.mu.Unlock()
	if i := int(offset >> 12); i >= 0 && i < len(n.d.memory) && length == len(n.d.memory[i]) {
		return n.d.memory[i], nil
	}
	if length > 1<<22 {
		return nil, syscall.ENOMEM
	}
	return make([]byte, length), nil
}

func (n *fakeNode) munmap([]byte) error { return nil }

func (n *fakeNode) signal() {
	binary.NativeEndian.PutUint64(n.word[:], 1)
	_, _ = unix.Write(n.event, n.word[:])
}

// push makes the camera take a picture. fill gets the memory planes.
func (d *fakeDevice) push(flags uint32, fill func(planes [][]byte) []uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sequence := d.sequence
	d.sequence++
	if !d.streaming || len(d.queued) == 0 {
		return
	}
	f := fakeFrame{buffer: d.queued[0], sequence: sequence, flags: flags | flagTimestampMonotonic, stamp: monotonic()}
	d.queued = d.queued[1:]
	planes := len(d.images)
	f.used = fill(d.memory[f.buffer*planes : (f.buffer+1)*planes])
	d.done = append(d.done, f)
	d.owner.signal()
}

// pushRaw pushes a whole picture of one brightness.
func (d *fakeDevice) pushRaw(value byte) {
	d.push(0, func(planes [][]byte) []uint32 {
		var used []uint32
		for _, p := range planes {
			for i := range p {
				p[i] = value
			}
			used = append(used, uint32(len(p)))
		}
		return used
	})
}

func (d *fakeDevice) pushData(data []byte) {
	d.push(0, func(planes [][]byte) []uint32 { return []uint32{uint32(copy(planes[0], data))} })
}

// unplug makes the device fail as one that is gone.
func (d *fakeDevice) unplug() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = true
	if d.owner != nil {
		d.owner.signal()
	}
}

func (n *fakeNode) ioctl(req uint32, arg unsafe.Pointer) error {
	n.d.mu.Lock()
	defer n.d.mu.Unlock()
	err := n.handle(req, arg)
	if n.d.answer != nil {
		err = n.d.answer(req, arg, err)
	}
	return err
}

func (n *fakeNode) handle(req uint32, arg unsafe.Pointer) error {
	d := n.d
	if d.gone {
		return syscall.ENODEV
	}
	if owned := req == vidiocSFmt || req == vidiocReqBufs; owned && d.owner != nil && d.owner != n {
		return syscall.EBUSY
	}
	switch req {
	case vidiocQueryCap:
		c := (*capability)(arg)
		c.capabilities = d.caps | capDeviceCaps | capVideoM2M
		c.deviceCaps = d.caps
		copy(c.card[:], d.card)
		copy(c.busInfo[:], d.bus)
		copy(c.driver[:], "fake")
	case vidiocEnumFmt:
		f := (*fmtDesc)(arg)
		if int(f.index) >= len(d.codes) {
			return syscall.EINVAL
		}
		f.pixelFormat = codeOf(d.codes[f.index])
		copy(f.description[:], "as "+d.codes[f.index])
	case vidiocEnumFrameSizes:
		return d.enumSize((*sizeEnum)(arg))
	case vidiocEnumFrameIntervals:
		q := (*intervalEnum)(arg)
		if int(q.index) >= len(d.rates) {
			return syscall.EINVAL
		}
		q.typ = sizeDiscrete
		q.values[0] = fract{1, d.rates[q.index]}
	case vidiocSFmt:
		d.setFormat((*format)(arg))
	case vidiocGParm, vidiocSParm:
		p := (*streamParm)(arg)
		if req == vidiocSParm {
			d.interval = p.timePerFrame
		}
		p.capability = capTimePerFrame
		p.timePerFrame = d.interval
	case vidiocQueryCtrl:
		q := (*queryCtrl)(arg)
		if !slices.Contains(d.keys, q.id) {
			return syscall.EINVAL
		}
		q.minimum, q.maximum = 0, 4000000
	case vidiocSCtrl:
		d.set = append(d.set, *(*control)(arg))
	case vidiocStreamOn:
		d.streaming = true
		d.starts++
	case vidiocStreamOff:
		d.streaming = false
		d.queued, d.done = nil, nil
	default:
		return n.handleBuffers(req, arg)
	}
	return nil
}

func codeOf(s string) uint32 { return binary.LittleEndian.Uint32([]byte(s + "    ")) }

func (d *fakeDevice) enumSize(q *sizeEnum) error {
	if int(q.index) >= len(d.sizes) {
		return syscall.EINVAL
	}
	q.typ = sizeDiscrete
	q.values[0], q.values[1] = uint32(d.sizes[q.index].Width), uint32(d.sizes[q.index].Height)
	return nil
}

func (d *fakeDevice) setFormat(f *format) {
	if d.mplane {
		p := f.pixMplane()
		d.strides, d.images = fakeMemory(p.width, p.height, p.pixelFormat)
		p.numPlanes = uint8(len(d.images))
		for i := range d.images {
			p.planes[i] = planeFormat{sizeImage: d.images[i], bytesPerLine: d.strides[i]}
		}
		return
	}
	p := f.pix()
	d.strides, d.images = fakeMemory(p.width, p.height, p.pixelFormat)
	p.bytesPerLine, p.sizeImage = d.strides[0], d.images[0]
	d.pix = *p
}

// fakeMemory gives rows of a padded stride.
func fakeMemory(w, h, code uint32) (strides, images []uint32) {
	padded := w + 32
	switch formatOf(code) {
	case "YUYV":
		return []uint32{2 * padded}, []uint32{2 * padded * h}
	case "GREY":
		return []uint32{padded}, []uint32{padded * h}
	case "NM12":
		return []uint32{padded, padded}, []uint32{padded * h, padded * (h + 1) / 2}
	case "MJPG", "H264":
		return []uint32{0}, []uint32{w * h}
	}
	return []uint32{padded}, []uint32{padded * h * 3 / 2}
}

func (n *fakeNode) handleBuffers(req uint32, arg unsafe.Pointer) error {
	d := n.d
	switch req {
	case vidiocReqBufs:
		r := (*requestBuffers)(arg)
		d.memory, d.queued, d.done, d.owner = nil, nil, nil, nil
		for range r.count {
			for _, size := range d.images {
				d.memory = append(d.memory, make([]byte, size))
			}
		}
		if r.count > 0 {
			d.owner = n
		}
	case vidiocQueryBuf:
		b := (*buffer)(arg)
		if d.mplane {
			b.length = uint32(len(d.images))
			for i, p := range d.planes(b)[:len(d.images)] {
				p.length = d.images[i]
				p.m = uintptr(b.index)*uintptr(len(d.images))<<12 + uintptr(i)<<12
				d.planes(b)[i] = p
			}
			return nil
		}
		b.length = d.images[0]
		b.m = uintptr(b.index) << 12
	case vidiocQBuf:
		d.queued = append(d.queued, int((*buffer)(arg).index))
	case vidiocDQBuf:
		return n.dequeue((*buffer)(arg))
	default:
		return syscall.ENOTTY
	}
	return nil
}

func (d *fakeDevice) planes(b *buffer) *[maxPlanes]plane {
	return (*[maxPlanes]plane)(*(*unsafe.Pointer)(unsafe.Pointer(&b.m)))
}

func (n *fakeNode) dequeue(b *buffer) error {
	d := n.d
	if d.fatal {
		return syscall.EIO
	}
	if len(d.done) == 0 {
		_, _ = unix.Read(n.event, n.word[:])
		return syscall.EAGAIN
	}
	f := d.done[0]
	d.done = append(d.done[:0], d.done[1:]...)
	b.index, b.sequence, b.flags = uint32(f.buffer), f.sequence, f.flags
	b.seconds, b.micros = int64(f.stamp/time.Second), int64(f.stamp%time.Second/time.Microsecond)
	if d.mplane {
		for i, used := range f.used {
			d.planes(b)[i].bytesUsed = used
		}
		return nil
	}
	b.bytesUsed = f.used[0]
	return nil
}
