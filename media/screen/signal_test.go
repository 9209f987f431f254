//go:build linux && xvfb

package screen

import "golang.org/x/sys/unix"

const (
	stop = unix.SIGSTOP
	cont = unix.SIGCONT
)
