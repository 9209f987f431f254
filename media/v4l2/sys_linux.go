//go:build 386 || amd64 || arm || arm64 || loong64 || riscv64

package v4l2

import (
	"cmp"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	devDir  = "/dev"
	byIDDir = "/dev/v4l/by-id"
	sysDir  = "/sys/class/video4linux"
)

// linux is the machine itself.
type linux struct{}

func system() host { return linux{} }

func (linux) nodes() ([]string, error) {
	entries, err := os.ReadDir(devDir)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), "video")
		if n, err := strconv.Atoi(number); ok && err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.SortFunc(numbers, cmp.Compare)
	paths := make([]string, len(numbers))
	for i, n := range numbers {
		paths[i] = filepath.Join(devDir, "video"+strconv.Itoa(n))
	}
	return paths, nil
}

func (l linux) byID() map[string]string {
	out := make(map[string]string)
	entries, err := os.ReadDir(byIDDir)
	if err != nil {
		return out // no udev, or no camera with a name
	}
	for _, e := range entries {
		if path, err := l.resolve(filepath.Join(byIDDir, e.Name())); err == nil {
			out[path] = e.Name()
		}
	}
	return out
}

func (linux) index(path string) int {
	b, err := os.ReadFile(filepath.Join(sysDir, filepath.Base(path), "index"))
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return n
}

func (linux) resolve(path string) (string, error) { return filepath.EvalSymlinks(path) }

func (linux) users(path string) string {
	var found []string
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is right
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || to != path {
			continue
		}
		process := filepath.Dir(filepath.Dir(link))
		name, err := os.ReadFile(filepath.Join(process, "comm"))
		if user := "by " + text(name) + " (process " + filepath.Base(process) + ")"; err == nil && !slices.Contains(found, user) {
			found = append(found, user)
		}
	}
	return strings.Join(found[:min(len(found), 4)], ", ")
}

func (linux) open(path string) (node, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err == nil {
			return file(fd), nil
		}
		if !errors.Is(err, unix.EINTR) {
			return nil, err
		}
	}
}

// file is an open device file, by its descriptor.
type file int

func (f file) fd() int { return int(f) }

func (f file) ioctl(req uint32, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(f), uintptr(req), uintptr(arg))
		runtime.KeepAlive(arg)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

func (f file) mmap(offset int64, length int) ([]byte, error) {
	return unix.Mmap(int(f), offset, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func (f file) munmap(b []byte) error { return unix.Munmap(b) }

func (f file) close() error { return unix.Close(int(f)) }

// waker wakes a goroutine that waits for a camera.
type waker struct {
	mu     sync.Mutex
	event  int // an eventfd, -1 once closed
	polled [3]unix.PollFd
}

func newWaker() (*waker, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &waker{event: fd}, nil
}

// wake makes the wait that goes on, or else the next, return. It may be called
// from any goroutine at any time.
func (w *waker) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.event < 0 {
		return
	}
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(w.event, one[:]) // EAGAIN: it is awake many times over
}

// wait waits until one of the descriptors has something, or fails, until wake,
// or for the timeout; negative means without limit. ready is false when no
// descriptor has anything.
func (w *waker) wait(timeout time.Duration, fds ...int) (ready bool, err error) {
	ms := -1
	if timeout >= 0 {
		ms = int((timeout + time.Millisecond - 1) / time.Millisecond)
	}
	polled := w.polled[:1+min(len(fds), 2)]
	polled[0] = unix.PollFd{Fd: int32(w.event), Events: unix.POLLIN}
	for i, fd := range fds {
		polled[i+1] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	}
	_, err = unix.Poll(polled, ms)
	switch {
	case errors.Is(err, unix.EINTR):
		return false, nil
	case err != nil:
		return false, err
	}
	if polled[0].Revents != 0 {
		var count [8]byte
		_, _ = unix.Read(w.event, count[:]) // EAGAIN: another read it
	}
	for _, p := range polled[1:] {
		ready = ready || p.Revents != 0
	}
	return ready, nil
}

func (w *waker) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.event >= 0 {
		_ = unix.Close(w.event) // an eventfd has nothing to lose
		w.event = -1
	}
}

// watcher tells that device files came or went.
type watcher struct {
	inotify int
	buf     [4096]byte
}

func newWatcher() (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	w := &watcher{inotify: fd}
	if err := w.add(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

const changes = unix.IN_CREATE | unix.IN_DELETE | unix.IN_ATTRIB | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_ONLYDIR

func (w *watcher) add() error {
	if _, err := unix.InotifyAddWatch(w.inotify, devDir, changes); err != nil {
		return err
	}
	// These exist only while there is a camera with a name.
	_, _ = unix.InotifyAddWatch(w.inotify, filepath.Dir(byIDDir), changes)
	_, _ = unix.InotifyAddWatch(w.inotify, byIDDir, changes)
	return nil
}

func (w *watcher) fd() int { return w.inotify }

// drain takes what happened and reports whether it may concern cameras.
func (w *watcher) drain() bool {
	relevant := false
	for {
		n, err := unix.Read(w.inotify, w.buf[:])
		if err != nil || n <= 0 {
			break
		}
		relevant = concernsVideo(w.buf[:n]) || relevant
	}
	if relevant {
		_ = w.add() // directories may have come; those known stay as they are
	}
	return relevant
}

func concernsVideo(events []byte) bool {
	for len(events) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(events[4:])
		size := int(binary.NativeEndian.Uint32(events[12:]))
		events = events[unix.SizeofInotifyEvent:]
		if size < 0 || size > len(events) {
			return true
		}
		name := text(events[:size])
		if mask&unix.IN_Q_OVERFLOW != 0 || strings.Contains(name, "video") || strings.HasPrefix(name, "v4l") ||
			strings.HasPrefix(name, "by-id") {
			return true
		}
		events = events[size:]
	}
	return false
}

func (w *watcher) close() { _ = unix.Close(w.inotify) }

// monotonic is the clock by which drivers stamp pictures.
func monotonic() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
