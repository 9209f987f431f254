//go:build unix

package screen

import (
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"slices"
)

// Families of the authority file (Xauth.h).
const (
	familyInternet  = 0
	familyInternet6 = 6
	familyLocal     = 256
	familyWild      = 65535
)

const cookieName = "MIT-MAGIC-COOKIE-1"

// cookie finds what lets us into the display in the authority file, nil where
// there is nothing: many servers ask for nothing. ip is the server's, nil for a
// socket of this machine.
func cookie(ip net.IP, display string) []byte {
	name := os.Getenv("XAUTHORITY")
	if name == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil
		}
		name = filepath.Join(home, ".Xauthority")
	}
	info, err := os.Stat(name)
	if err != nil || info.Size() > 1<<20 {
		return nil
	}
	file, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	host, _ := os.Hostname() // an empty name matches only wild entries
	return findCookie(file, ip, host, display)
}

// findCookie reads the entries of an authority file: a family and four strings
// with their lengths, all big-endian. Forwarded displays are of this machine.
func findCookie(file []byte, ip net.IP, host, display string) []byte {
	local := ip == nil || ip.IsLoopback()
	for len(file) > 2 {
		family := binary.BigEndian.Uint16(file)
		file = file[2:]
		var fields [4][]byte // address, display, name, data
		for i := range fields {
			if len(file) < 2 {
				return nil
			}
			n := int(binary.BigEndian.Uint16(file))
			if len(file) < 2+n {
				return nil
			}
			fields[i], file = file[2:2+n], file[2+n:]
		}
		fits := family == familyWild ||
			family == familyLocal && local && string(fields[0]) == host ||
			(family == familyInternet || family == familyInternet6) && ip != nil && ip.Equal(net.IP(fields[0]))
		if !fits || len(fields[1]) > 0 && string(fields[1]) != display || string(fields[2]) != cookieName {
			continue
		}
		return slices.Clone(fields[3])
	}
	return nil
}
