package v4l2

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
)

var (
	sps264   = []byte{0x67, 0x42, 0xc0, 0x28, 0xda, 0x01, 0xe0, 0x08, 0x9f, 0x97, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x2a}
	pps264   = []byte{0x68, 0xce, 0x3c, 0x80}
	idr264   = []byte{0x65, 0x88, 0x84}
	slice264 = []byte{0x41, 0x9a, 0x01}
	aud264   = []byte{0x09, 0xf0}
	sei264   = []byte{0x06, 0x05, 0x01, 0x80}
)

func nals(all ...[]byte) []byte {
	var out []byte
	for _, n := range all {
		out = append(append(out, 0, 0, 0, 1), n...)
	}
	return out
}

func TestKeyFramesCarryTheirParameterSets(t *testing.T) {
	type step struct {
		in, want []byte
		key      bool
	}
	for name, steps := range map[string][]step{
		"in each": {
			{nals(sps264, pps264, idr264), nals(sps264, pps264, idr264), true},
			{nals(slice264), nals(slice264), false},
		},
		"once": {
			{nals(sps264, pps264, idr264), nals(sps264, pps264, idr264), true},
			{nals(idr264), nals(sps264, pps264, idr264), true},
		},
		"behind the delimiter": {
			{nals(aud264, sps264, pps264, sei264, idr264), nals(aud264, sps264, pps264, sei264, idr264), true},
			{nals(aud264, sei264, idr264), nals(aud264, sps264, pps264, sei264, idr264), true},
			{nals(aud264, slice264), nals(aud264, slice264), false},
		},
		"by themselves": {
			{nals(sps264, pps264), nil, false},
			{nals(idr264), nals(sps264, pps264, idr264), true},
		},
		"one by one": {
			{nals(sps264), nil, false},
			{nals(pps264), nil, false},
			{nals(sei264), nil, false},
			{nals(idr264, idr264), nals(sps264, pps264, idr264, idr264), true},
		},
		"only one of them": {
			{nals(sps264, pps264, idr264), nals(sps264, pps264, idr264), true},
			{nals(pps264, idr264), nals(sps264, pps264, idr264), true},
		},
		"never": {
			{nals(idr264), nals(idr264), true},
		},
		"replaced": {
			{nals(sps264, pps264, idr264), nals(sps264, pps264, idr264), true},
			{nals(sps264[:20], pps264[:3]), nil, false},
			{nals(idr264), nals(sps264[:20], pps264[:3], idr264), true},
		},
		"short start codes and padding": {
			{
				append(bytes.ReplaceAll(nals(sps264, pps264, idr264), []byte{0, 0, 0, 1}, []byte{0, 0, 1}), 0, 0, 0, 0),
				bytes.ReplaceAll(nals(sps264, pps264, idr264), []byte{0, 0, 0, 1}, []byte{0, 0, 1}), true,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := unit{codec: media.H264}
			for i, s := range steps {
				data, key, ok, err := u.take(s.in)
				require.NoError(t, err, i)
				require.Equal(t, s.want != nil, ok, i)
				require.Equal(t, s.want, data, i)
				require.Equal(t, s.key, key, i)
			}
		})
	}
}

func TestKeyFramesOfH265(t *testing.T) {
	vps, sps, pps := []byte{0x40, 1, 2}, []byte{0x42, 1, 2}, []byte{0x44, 1, 2}
	idr, slice, aud := []byte{0x26, 1, 3}, []byte{0x02, 1, 4}, []byte{0x46, 1, 0x50}
	u := unit{codec: media.H265}
	_, key, ok, err := u.take(nals(aud, vps, sps, pps, idr))
	require.NoError(t, err)
	require.True(t, key && ok)
	data, key, _, err := u.take(nals(aud, idr))
	require.NoError(t, err)
	require.True(t, key)
	require.Equal(t, nals(aud, vps, sps, pps, idr), data)
	data, key, _, err = u.take(nals(slice))
	require.NoError(t, err)
	require.False(t, key)
	require.Equal(t, nals(slice), data)
}

func TestUnitsOfOtherCodecs(t *testing.T) {
	u := unit{codec: media.VP8}
	data, key, ok, err := u.take([]byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 2, 0x68, 1})
	require.NoError(t, err)
	require.True(t, key && ok)
	require.Len(t, data, 10)
	_, key, _, err = u.take([]byte{0x11, 0, 0})
	require.NoError(t, err)
	require.False(t, key)
}

func TestGarbageIsNoUnit(t *testing.T) {
	u := unit{codec: media.H264}
	for _, garbage := range [][]byte{nil, {1, 2, 3, 4}, {0, 0, 1}, {0, 0, 0, 1, 0, 0, 0}} {
		_, _, ok, err := u.take(garbage)
		require.Error(t, err, "% x", garbage)
		require.False(t, ok)
	}
}

func TestParameterSetsAreBounded(t *testing.T) {
	u := unit{codec: media.H264}
	for i := range 100 {
		set := append([]byte{0x68, byte(i + 1)}, bytes.Repeat([]byte{0xff}, 2000)...)
		_, _, _, err := u.take(nals(set))
		require.NoError(t, err)
	}
	require.LessOrEqual(t, len(u.parameters), maxParameters)
}
