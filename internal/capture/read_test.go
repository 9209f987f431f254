package capture_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// file is a pcapng file, taken apart by the letter of the draft.
type file struct {
	interfaces []string
	secrets    []byte
	comment    string
	packets    []packet
}

type packet struct {
	on      int
	ns      uint64
	ip      []byte
	comment string
	flags   uint32
}

func parse(t *testing.T, data []byte) file {
	t.Helper()
	le := binary.LittleEndian
	var f file
	for n := 0; len(data) > 0; n++ {
		kind, length := le.Uint32(data), int(le.Uint32(data[4:]))
		require.Zero(t, length%4)
		require.Equal(t, uint32(length), le.Uint32(data[length-4:]), "block %d ends as it begins", n)
		body := data[8 : length-4]
		data = data[length:]
		require.Equal(t, n == 0, kind == 0x0A0D0D0A)
		switch kind {
		case 0x0A0D0D0A:
			require.Equal(t, uint32(0x1A2B3C4D), le.Uint32(body))
			require.Equal(t, []byte{1, 0, 0, 0}, body[4:8], "version 1.0")
			f.comment = string(options(t, body[16:])[1])
		case 1:
			require.Equal(t, uint16(101), le.Uint16(body))
			o := options(t, body[8:])
			require.Equal(t, []byte{9}, o[9])
			f.interfaces = append(f.interfaces, string(o[2]))
		case 10:
			require.Empty(t, f.packets, "keys come before the packets that need them")
			require.Equal(t, uint32(0x544C534B), le.Uint32(body))
			f.secrets = body[8 : 8+le.Uint32(body[4:])]
		case 6:
			size := int(le.Uint32(body[12:]))
			require.Equal(t, body[12:16], body[16:20], "packets are whole")
			o := options(t, body[20+(size+3)/4*4:])
			f.packets = append(f.packets, packet{
				on: int(le.Uint32(body)), ns: uint64(le.Uint32(body[4:]))<<32 | uint64(le.Uint32(body[8:])),
				ip: body[20 : 20+size], comment: string(o[1]), flags: le.Uint32(o[2]),
			})
		default:
			require.Fail(t, "unknown block", "%#x", kind)
		}
	}
	return f
}

func options(t *testing.T, b []byte) map[uint16][]byte {
	t.Helper()
	found := map[uint16][]byte{}
	for len(b) > 0 {
		code, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if code == 0 {
			require.Len(t, b, 4, "the end is the end")
			return found
		}
		found[code] = b[4 : 4+n]
		b = b[4+(n+3)/4*4:]
	}
	require.Fail(t, "options without end")
	return nil
}

// udp takes the headers off and checks them.
func udp(t *testing.T, ip []byte) (srcPort, dstPort uint16, payload []byte) {
	t.Helper()
	be := binary.BigEndian
	var pseudo []byte
	var u []byte
	switch ip[0] >> 4 {
	case 4:
		require.Equal(t, len(ip), int(be.Uint16(ip[2:])))
		require.EqualValues(t, 0xFFFF, onesSum(ip[:20]), "the header's checksum")
		require.EqualValues(t, 17, ip[9])
		u = ip[20:]
		require.Zero(t, be.Uint16(u[6:]), "no checksum")
	case 6:
		require.Equal(t, len(ip)-40, int(be.Uint16(ip[4:])))
		require.EqualValues(t, 17, ip[6])
		u = ip[40:]
		pseudo = append(bytes.Clone(ip[8:40]), 0, 17)
		pseudo = be.AppendUint16(pseudo, uint16(len(u)))
		if len(u)%2 == 1 {
			pseudo = append(append(pseudo, u...), 0)
		} else {
			pseudo = append(pseudo, u...)
		}
		require.EqualValues(t, 0xFFFF, onesSum(pseudo), "the checksum")
	default:
		require.Fail(t, "no IP")
	}
	require.Equal(t, len(u), int(be.Uint16(u[4:])))
	return be.Uint16(u), be.Uint16(u[2:]), u[8:]
}

func onesSum(b []byte) uint32 {
	var s uint32
	for i := 0; i < len(b); i += 2 {
		s += uint32(binary.BigEndian.Uint16(b[i:]))
		s = s>>16 + s&0xFFFF
	}
	return s
}
