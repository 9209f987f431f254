package netwatch

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// open subscribes to the kernel's notices, rtnetlink(7). As the messages are
// not read, no library is needed; and the runtime's poller makes Close end a
// Read, which libraries' sockets do not.
func open() (io.ReadCloser, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("opening a netlink socket: %w", err)
	}
	groups := unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR |
		unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: uint32(groups)}); err != nil {
		_ = unix.Close(fd) // the first error says it all
		return nil, fmt.Errorf("subscribing to changes of the network: %w", err)
	}
	return os.NewFile(uintptr(fd), "netlink"), nil
}

// lost reports whether more notices came than were read in time.
func lost(err error) bool { return errors.Is(err, unix.ENOBUFS) }
