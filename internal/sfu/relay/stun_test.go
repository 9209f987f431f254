package relay_test

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The parts of STUN and TURN that tests say and hear, RFC 8489 and RFC 8656.
const (
	methodAllocate   = 0x003
	methodRefresh    = 0x004
	methodSend       = 0x016
	methodData       = 0x017
	methodPermission = 0x008

	attrUsername  = 0x0006
	attrIntegrity = 0x0008
	attrError     = 0x0009
	attrLifetime  = 0x000d
	attrPeer      = 0x0012
	attrData      = 0x0013
	attrRealm     = 0x0014
	attrNonce     = 0x0015
	attrRelayed   = 0x0016
	attrTransport = 0x0019
	attrEvenPort  = 0x0018

	magic = 0x2112a442
)

type attr struct {
	kind  uint16
	value []byte
}

// raw speaks TURN by hand, so that it can say what no client would.
type raw struct {
	t                  *testing.T
	send               func([]byte)
	recv               func() []byte // nil: the connection ended
	username, password string
	realm, nonce       []byte
}

func rawUDP(t *testing.T, conn net.PacketConn, server net.Addr, username, password string) *raw {
	t.Cleanup(func() { _ = conn.Close() })
	return &raw{
		t: t, username: username, password: password,
		send: func(b []byte) {
			_, err := conn.WriteTo(b, server)
			require.NoError(t, err)
		},
		recv: func() []byte {
			b := make([]byte, 2000)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
			n, _, err := conn.ReadFrom(b)
			if err != nil {
				return nil
			}
			return b[:n]
		},
	}
}

func rawTCP(t *testing.T, conn net.Conn, username, password string) *raw {
	t.Cleanup(func() { _ = conn.Close() })
	return &raw{
		t: t, username: username, password: password,
		send: func(b []byte) {
			_, err := conn.Write(b)
			require.NoError(t, err)
		},
		recv: func() []byte {
			head := make([]byte, 20)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
			if _, err := io.ReadFull(conn, head); err != nil {
				return nil
			}
			body := make([]byte, binary.BigEndian.Uint16(head[2:]))
			_, err := io.ReadFull(conn, body)
			require.NoError(t, err)
			return append(head, body...)
		},
	}
}

func message(kind uint16, id []byte, attrs []attr) []byte {
	m := binary.BigEndian.AppendUint16(nil, kind)
	m = append(m, 0, 0)
	m = binary.BigEndian.AppendUint32(m, magic)
	m = append(m, id...)
	for _, a := range attrs {
		m = binary.BigEndian.AppendUint16(m, a.kind)
		m = binary.BigEndian.AppendUint16(m, uint16(len(a.value)))
		m = append(m, a.value...)
		m = append(m, make([]byte, (4-len(a.value)%4)%4)...)
	}
	binary.BigEndian.PutUint16(m[2:], uint16(len(m)-20))
	return m
}

func attrsOf(m []byte) map[uint16][]byte {
	all := map[uint16][]byte{}
	for b := m[20:]; len(b) >= 4; {
		n := int(binary.BigEndian.Uint16(b[2:]))
		all[binary.BigEndian.Uint16(b)] = b[4 : 4+n]
		b = b[4+(n+3)/4*4:]
	}
	return all
}

// exchange sends a request, signed if it can be, and returns the answer to it;
// code is 0 when it was granted and -1 when nothing came.
func (r *raw) exchange(method uint16, attrs ...attr) (code int, answer map[uint16][]byte) {
	r.t.Helper()
	for range 2 {
		id := make([]byte, 12)
		_, _ = rand.Read(id)
		all := attrs
		if r.nonce != nil {
			all = append(append([]attr{}, attrs...),
				attr{attrUsername, []byte(r.username)}, attr{attrRealm, r.realm}, attr{attrNonce, r.nonce})
		}
		m := message(method, id, all)
		if r.nonce != nil {
			m = r.sign(m)
		}
		r.send(m)
		for {
			got := r.recv()
			if got == nil {
				return -1, nil
			}
			if string(got[8:20]) == string(id) {
				answer = attrsOf(got)
				break
			}
		}
		code = 0
		if e := answer[attrError]; len(e) >= 4 {
			code = int(e[2])*100 + int(e[3])
		}
		if (code == 401 || code == 438) && answer[attrNonce] != nil {
			r.realm, r.nonce = answer[attrRealm], answer[attrNonce]
			continue
		}
		break
	}
	return code, answer
}

func (r *raw) sign(m []byte) []byte {
	key := md5.Sum([]byte(r.username + ":" + string(r.realm) + ":" + r.password))
	binary.BigEndian.PutUint16(m[2:], uint16(len(m)-20+24))
	mac := hmac.New(sha1.New, key[:])
	mac.Write(m)
	m = binary.BigEndian.AppendUint16(m, attrIntegrity)
	m = binary.BigEndian.AppendUint16(m, 20)
	return mac.Sum(m)
}

var udpTransport = attr{attrTransport, []byte{17, 0, 0, 0}}

func lifetime(d time.Duration) attr {
	return attr{attrLifetime, binary.BigEndian.AppendUint32(nil, uint32(d.Seconds()))}
}

// peerAddr is XOR-PEER-ADDRESS, for IPv4.
func peerAddr(at netip.AddrPort) attr {
	ip := at.Addr().As4()
	v := []byte{0, 1}
	v = binary.BigEndian.AppendUint16(v, at.Port()^(magic>>16))
	v = binary.BigEndian.AppendUint32(v, binary.BigEndian.Uint32(ip[:])^magic)
	return attr{attrPeer, v}
}

func addrOf(v []byte) netip.AddrPort {
	ip := binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(v[4:])^magic)
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip)), binary.BigEndian.Uint16(v[2:])^(magic>>16))
}

// allocate makes an allocation and returns its address.
func (r *raw) allocate() netip.AddrPort {
	r.t.Helper()
	code, answer := r.exchange(methodAllocate, udpTransport)
	require.Zero(r.t, code)
	return addrOf(answer[attrRelayed])
}

func (r *raw) permit(to netip.Addr) int {
	r.t.Helper()
	code, _ := r.exchange(methodPermission, peerAddr(netip.AddrPortFrom(to, 9)))
	return code
}

// tell sends data to a peer through the allocation.
func (r *raw) tell(to netip.AddrPort, data string) {
	id := make([]byte, 12)
	r.send(message(methodSend|0x0010, id, []attr{peerAddr(to), {attrData, []byte(data)}}))
}

// hear returns what comes next from a peer, or "" after 5 s without.
func (r *raw) hear() (from netip.AddrPort, data string) {
	for {
		got := r.recv()
		if got == nil {
			return netip.AddrPort{}, ""
		}
		if binary.BigEndian.Uint16(got) == methodData|0x0010 {
			a := attrsOf(got)
			return addrOf(a[attrPeer]), string(a[attrData])
		}
	}
}
