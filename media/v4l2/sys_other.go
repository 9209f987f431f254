//go:build !linux || !(386 || amd64 || arm || arm64 || loong64 || riscv64)

package v4l2

import "time"

// noHost is a system without V4L2.
type noHost struct{}

func system() host { return noHost{} }

func unsupported(op, device string) error {
	return &Error{Op: op, Device: device, Err: ErrUnsupported}
}

func (noHost) nodes() ([]string, error)            { return nil, unsupported("list", "") }
func (noHost) byID() map[string]string             { return nil }
func (noHost) index(string) int                    { return 0 }
func (noHost) resolve(path string) (string, error) { return "", unsupported("open", path) }
func (noHost) users(string) string                 { return "" }
func (noHost) open(path string) (node, error)      { return nil, unsupported("open", path) }

// waker wakes a goroutine that waits for a camera.
type waker struct{}

func newWaker() (*waker, error)                         { return nil, unsupported("open", "") }
func (*waker) wake()                                    {}
func (*waker) wait(time.Duration, ...int) (bool, error) { return false, nil }
func (*waker) close()                                   {}

// watcher tells that device files came or went.
type watcher struct{}

func newWatcher() (*watcher, error) { return nil, unsupported("watch", "") }
func (*watcher) fd() int            { return -1 }
func (*watcher) drain() bool        { return false }
func (*watcher) close()             {}

func monotonic() time.Duration { return 0 }
