//go:build unix

package screen

import (
	"encoding/binary"
	"fmt"
)

// setup is what of the server's greeting matters here.
type setup struct {
	idBase    uint32
	bigEndian bool
	screens   []xScreen
	bits      map[byte]byte // bits a pixel, by depth
}

type xScreen struct {
	root          uint32
	width, height int
	depth         byte
	visual        visual
}

// visual says where the colors are in a pixel.
type visual struct{ red, green, blue uint32 }

// parseSetup reads what follows the first eight bytes of the greeting.
func parseSetup(b []byte) (setup, error) {
	s := setup{bits: map[byte]byte{}}
	bad := fmt.Errorf("%w: the server's greeting is cut off", ErrDisplay)
	if len(b) < 32 {
		return s, bad
	}
	s.idBase = binary.LittleEndian.Uint32(b[4:])
	vendor := int(binary.LittleEndian.Uint16(b[16:]))
	screens, formats := int(b[20]), int(b[21])
	s.bigEndian = b[22] != 0
	if b = b[32:]; len(b) < vendor+pad(vendor)+8*formats {
		return s, bad
	}
	b = b[vendor+pad(vendor):]
	for range formats {
		s.bits[b[0]] = b[1]
		b = b[8:]
	}
	for range screens {
		if len(b) < 40 {
			return s, bad
		}
		sc := xScreen{
			root:   binary.LittleEndian.Uint32(b),
			width:  int(binary.LittleEndian.Uint16(b[20:])),
			height: int(binary.LittleEndian.Uint16(b[22:])),
			depth:  b[38],
		}
		rootVisual, depths := binary.LittleEndian.Uint32(b[32:]), int(b[39])
		b = b[40:]
		for range depths {
			if len(b) < 8 {
				return s, bad
			}
			n := int(binary.LittleEndian.Uint16(b[2:]))
			if b = b[8:]; len(b) < 24*n {
				return s, bad
			}
			for range n {
				if binary.LittleEndian.Uint32(b) == rootVisual {
					sc.visual = visual{
						red:   binary.LittleEndian.Uint32(b[8:]),
						green: binary.LittleEndian.Uint32(b[12:]),
						blue:  binary.LittleEndian.Uint32(b[16:]),
					}
				}
				b = b[24:]
			}
		}
		s.screens = append(s.screens, sc)
	}
	return s, nil
}
