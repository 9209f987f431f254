package icetcp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"
)

func request(t testing.TB, setters ...stun.Setter) []byte {
	t.Helper()
	m, err := stun.Build(append([]stun.Setter{stun.BindingRequest, stun.TransactionID}, setters...)...)
	require.NoError(t, err)
	return m.Raw
}

func TestWantedReadsTheFirstRequest(t *testing.T) {
	software, integrity := stun.NewSoftware("x"), stun.NewShortTermIntegrity("a password")
	good := request(t, software, stun.NewUsername("ours:theirs"), integrity, stun.Fingerprint)
	ufrag, ok := wanted(good)
	require.True(t, ok)
	require.Equal(t, "ours", ufrag)

	for n := range good {
		_, ok := wanted(good[:n])
		require.False(t, ok, "the first %d bytes", n)
	}
	other := bytes.Clone(good)
	other[4] ^= 1
	long := bytes.Clone(good)
	binary.BigEndian.PutUint16(long[20+2:], 4000) // of the first attribute
	success, err := stun.Build(stun.BindingSuccess, stun.TransactionID, stun.NewUsername("ours:theirs"))
	require.NoError(t, err)
	for name, b := range map[string][]byte{
		"no username": request(t, software, integrity), "no colon": request(t, stun.NewUsername("ours")),
		"no ufrag": request(t, stun.NewUsername(":theirs")), "another cookie": other, "a long attribute": long,
		"a response": success.Raw, "HTTP": []byte("GET / HTTP/1.1\r\nHost: example\r\n\r\n"),
	} {
		_, ok := wanted(b)
		require.False(t, ok, name)
	}
}

// FuzzWanted reads any first packet: who sends it is nobody yet.
func FuzzWanted(f *testing.F) {
	f.Add(request(f, stun.NewUsername("ours:theirs"), stun.Fingerprint))
	f.Add(request(f, stun.NewSoftware("abc"), stun.NewUsername("ours:theirs")))
	f.Fuzz(func(t *testing.T, b []byte) {
		ufrag, ok := wanted(b)
		if !ok {
			return
		}
		m := &stun.Message{Raw: bytes.Clone(b)}
		if m.Decode() != nil {
			return // what comes after the username is for ICE to judge
		}
		username, err := m.Get(stun.AttrUsername)
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(username, append([]byte(ufrag), ':')))
		require.NotEmpty(t, ufrag)
	})
}

// FuzzFrames reads frames out of anything.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 1, 7, 0, 0, 0, 2, 8, 9}, uint16(16))
	f.Add([]byte{0, 17, 7}, uint16(16))
	f.Fuzz(func(t *testing.T, in []byte, most uint16) {
		r, b := bufio.NewReaderSize(bytes.NewReader(in), 16), make([]byte, most%64)
		var again []byte
		for {
			size, ok := readFrame(r, b)
			if !ok {
				break
			}
			again = append(binary.BigEndian.AppendUint16(again, uint16(size)), b[:size]...)
		}
		require.True(t, bytes.HasPrefix(in, again))
	})
}
