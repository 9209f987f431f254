//go:build unix

package screen

import (
	"encoding/binary"
	"image"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

func TestDisplayNames(t *testing.T) {
	for in, want := range map[string]address{
		":0":               {network: "unix", dial: "/tmp/.X11-unix/X0", display: "0", screen: -1},
		":10.1":            {network: "unix", dial: "/tmp/.X11-unix/X10", display: "10", screen: 1},
		"unix:3":           {network: "unix", dial: "/tmp/.X11-unix/X3", display: "3", screen: -1},
		"/private/x/org:0": {network: "unix", dial: "/private/x/org:0", display: "0", screen: -1},
		"host:2.0":         {network: "tcp", dial: "host:6002", display: "2", screen: 0},
		"tcp/host:2":       {network: "tcp", dial: "host:6002", display: "2", screen: -1},
		"[::1]:0":          {network: "tcp", dial: "[::1]:6000", display: "0", screen: -1},
	} {
		got, err := parseDisplay(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
	for _, bad := range []string{"0", "host", ":x", ":-1", ":99999", ":0.x", ":0.", ":"} {
		_, err := parseDisplay(bad)
		require.ErrorIs(t, err, ErrDisplay, bad)
	}
}

func TestDisplayOfTheEnvironment(t *testing.T) {
	t.Setenv("DISPLAY", ":7")
	a, err := parseDisplay("")
	require.NoError(t, err)
	require.Equal(t, "7", a.display)
	t.Setenv("DISPLAY", "")
	_, err = parseDisplay("")
	require.ErrorIs(t, err, ErrDisplay)
	require.ErrorContains(t, err, "$DISPLAY is not set")
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for name, o := range map[string]*Options{
		"rate":   {FrameRate: -1},
		"fast":   {FrameRate: 1e9},
		"region": {Region: image.Rect(-5, 0, 10, 10)},
		"huge":   {Region: image.Rect(0, 0, 1<<20, 10)},
	} {
		_, err := Open(t.Context(), o)
		require.Error(t, err, name)
		require.NotErrorIs(t, err, ErrDisplay, name)
	}
}

func TestNobodyHasTheDisplay(t *testing.T) {
	_, err := Open(t.Context(), &Options{Display: filepath.Join(t.TempDir(), "none") + ":0"})
	require.ErrorIs(t, err, ErrDisplay)
}

// entry makes one entry of an authority file.
func entry(family uint16, fields ...string) []byte {
	b := binary.BigEndian.AppendUint16(nil, family)
	for _, f := range fields {
		b = binary.BigEndian.AppendUint16(b, uint16(len(f)))
		b = append(b, f...)
	}
	return b
}

func TestCookies(t *testing.T) {
	var file []byte
	for _, e := range [][]byte{
		entry(familyLocal, "elsewhere", "0", cookieName, "wrong host"),
		entry(familyLocal, "here", "1", cookieName, "other display"),
		entry(familyLocal, "here", "0", "XDM-AUTHORIZATION-1", "other kind"),
		entry(familyLocal, "here", "0", cookieName, "right"),
		entry(familyInternet, "\x0a\x00\x00\x05", "0", cookieName, "by address"),
		entry(familyWild, "", "", cookieName, "wild"),
	} {
		file = append(file, e...)
	}
	find := func(ip net.IP, display string) string { return string(findCookie(file, ip, "here", display)) }
	require.Equal(t, "right", find(nil, "0"))
	require.Equal(t, "right", find(net.IPv4(127, 0, 0, 1), "0"), "a forwarded display is of this machine")
	require.Equal(t, "other display", find(nil, "1"))
	require.Equal(t, "by address", find(net.IPv4(10, 0, 0, 5), "0"))
	require.Equal(t, "wild", find(net.IPv4(10, 0, 0, 6), "0"))
	for n := range file {
		findCookie(file[:n], nil, "nowhere", "0") // cut off anywhere
	}
}

func TestCookieOfTheEnvironment(t *testing.T) {
	name := filepath.Join(t.TempDir(), "authority")
	require.NoError(t, os.WriteFile(name, entry(familyWild, "", "", cookieName, "key"), 0o600))
	t.Setenv("XAUTHORITY", name)
	require.Equal(t, "key", string(cookie(nil, "0")))
	t.Setenv("XAUTHORITY", name+".none")
	require.Nil(t, cookie(nil, "0"))
}

func TestPointerIsBlendedAndCut(t *testing.T) {
	f := &media.VideoFrame{}
	pixels := shape(f, 4, 2)
	for i := range pixels {
		pixels[i] = 100
	}
	// Two by two: opaque, clear; half, opaque.
	pointer := []byte{
		1, 2, 3, 255, 0, 0, 0, 0,
		64, 64, 64, 128, 9, 9, 9, 255,
	}
	blend(f, pointer, image.Rect(3, 0, 5, 2)) // its right half is outside
	require.Equal(t, []byte{100, 100, 100}, pixels[8:11])
	require.Equal(t, []byte{1, 2, 3}, pixels[12:15])
	require.Equal(t, []byte{114, 114, 114}, pixels[28:31])
	blend(f, pointer, image.Rect(-1, -1, 1, 1)) // only its last pixel is inside
	require.Equal(t, []byte{9, 9, 9}, pixels[0:3])
	blend(f, pointer, image.Rect(50, 50, 52, 52))
}

func FuzzSetup(f *testing.F) {
	f.Add(make([]byte, 200))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = parseSetup(b) })
}

func FuzzCookie(f *testing.F) {
	f.Add(entry(familyLocal, "here", "0", cookieName, "right"))
	f.Fuzz(func(_ *testing.T, b []byte) { findCookie(b, nil, "here", "0") })
}
