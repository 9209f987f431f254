//go:build unix

package screen

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// address is where a display is.
type address struct {
	network, dial string
	display       string // its number
	screen        int    // -1: not told
}

// parseDisplay reads "host:display.screen", as in X(7).
func parseDisplay(s string) (address, error) {
	if s == "" {
		s = os.Getenv("DISPLAY")
	}
	if s == "" {
		return address{}, fmt.Errorf("%w: none is named and $DISPLAY is not set", ErrDisplay)
	}
	bad := fmt.Errorf("%w: %q is not host:display.screen", ErrDisplay, s)
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 {
		return address{}, bad
	}
	host := s[:colon]
	a := address{screen: -1}
	number, screen, hasScreen := strings.Cut(s[colon+1:], ".")
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n > 65535-6000 {
		return address{}, bad
	}
	a.display = strconv.FormatUint(n, 10)
	if hasScreen {
		n, err := strconv.ParseUint(screen, 10, 8)
		if err != nil {
			return address{}, bad
		}
		a.screen = int(n)
	}
	switch {
	case strings.HasPrefix(host, "/"): // a socket by its path, as on macOS
		a.network, a.dial = "unix", host+":"+a.display
	case host == "" || host == "unix":
		a.network, a.dial = "unix", "/tmp/.X11-unix/X"+a.display
	default:
		host = strings.Trim(strings.TrimPrefix(host, "tcp/"), "[]")
		a.network, a.dial = "tcp", net.JoinHostPort(host, strconv.FormatUint(6000+n, 10))
	}
	return a, nil
}
