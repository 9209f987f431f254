package icetcp

import (
	"bytes"
	"encoding/binary"
)

// STUN, RFC 8489 sections 5 and 14.
const (
	stunHeader   = 20
	stunBinding  = 0x0001
	stunCookie   = 0x2112a442
	stunUsername = 0x0006
	maxUsername  = 513
)

// wanted returns the ufrag of ours that a binding request asks for. Who sends it
// has yet to show the password: ICE looks at that.
func wanted(b []byte) (ufrag string, ok bool) {
	if len(b) < stunHeader || binary.BigEndian.Uint16(b) != stunBinding ||
		int(binary.BigEndian.Uint16(b[2:])) != len(b)-stunHeader || binary.BigEndian.Uint32(b[4:]) != stunCookie {
		return "", false
	}
	for b = b[stunHeader:]; len(b) >= 4; {
		kind, size := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		padded := (size + 3) &^ 3
		if len(b) < 4+padded {
			return "", false
		}
		if kind == stunUsername {
			ours, _, found := bytes.Cut(b[4:4+size], []byte{':'})
			return string(ours), found && len(ours) > 0 && size <= maxUsername
		}
		b = b[4+padded:]
	}
	return "", false
}
