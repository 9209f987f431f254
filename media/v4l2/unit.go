package v4l2

import (
	"bytes"
	"fmt"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
)

// maxParameters bounds the parameter sets kept, in bytes.
const maxParameters = 1 << 16

// unit makes access units of what a camera gives: key frames carry their
// parameter sets, which some cameras give once, or by themselves.
type unit struct {
	codec media.Codec

	parameters []byte // the last, with start codes
	complete   bool   // parameters has all kinds
	data       []byte
}

// nalKind is what a NAL unit means here.
type nalKind int

const (
	nalOther nalKind = iota
	nalDelimiter
	nalVideoSet
	nalSequenceSet
	nalPictureSet
	nalSlice
	nalKeySlice
)

func nalKindOf(codec media.Codec, nal []byte) nalKind {
	if codec == media.H265 {
		switch t := nal[0] >> 1 & 0x3f; {
		case t >= 16 && t <= 21:
			return nalKeySlice
		case t < 32:
			return nalSlice
		case t == 32:
			return nalVideoSet
		case t == 33:
			return nalSequenceSet
		case t == 34:
			return nalPictureSet
		case t == 35:
			return nalDelimiter
		}
		return nalOther
	}
	switch t := bitstream.H264Type(nal); {
	case t == bitstream.H264IDR:
		return nalKeySlice
	case t >= 1 && t < 5:
		return nalSlice
	case t == bitstream.H264SPS:
		return nalSequenceSet
	case t == bitstream.H264PPS:
		return nalPictureSet
	case t == bitstream.H264AUD:
		return nalDelimiter
	}
	return nalOther
}

// take makes a unit of a picture. ok is false when it shows nothing by itself.
// The data is used again by the next call.
func (u *unit) take(picture []byte) (data []byte, keyframe, ok bool, err error) {
	if u.codec != media.H264 && u.codec != media.H265 {
		u.data = append(u.data[:0], picture...)
		return u.data, media.IsKeyframe(u.codec, u.data), len(picture) > 0, nil
	}
	c := u.contents(picture)
	if !c.any {
		return nil, false, false, fmt.Errorf("%s: no start code: %w", u.codec, bitstream.ErrInvalid)
	}
	if c.sets() {
		u.keep(picture, c)
	}
	if !c.slice && !c.key {
		return nil, false, false, nil
	}
	u.data = u.data[:0]
	if c.key && !c.all(u.codec) && u.complete {
		u.rebuild(picture)
	} else {
		u.data = append(u.data, bytes.TrimRight(picture, "\x00")...)
	}
	return u.data, c.key, true, nil
}

// contents is which kinds of NAL units a picture has.
type contents struct{ any, video, sequence, picture, slice, key bool }

func (c contents) sets() bool { return c.video || c.sequence || c.picture }

func (c contents) all(codec media.Codec) bool {
	return c.sequence && c.picture && (c.video || codec == media.H264)
}

func (u *unit) contents(picture []byte) contents {
	var c contents
	for nal := range bitstream.NALs(picture) {
		c.any = true
		switch nalKindOf(u.codec, nal) {
		case nalVideoSet:
			c.video = true
		case nalSequenceSet:
			c.sequence = true
		case nalPictureSet:
			c.picture = true
		case nalSlice:
			c.slice = true
		case nalKeySlice:
			c.key = true
		}
	}
	return c
}

// keep remembers the picture's parameter sets. Those that begin a sequence
// replace all before, the others add to them.
func (u *unit) keep(picture []byte, c contents) {
	if first := c.video || u.codec == media.H264 && c.sequence; first {
		u.parameters, u.complete = u.parameters[:0], false
	}
	for nal := range bitstream.NALs(picture) {
		switch nalKindOf(u.codec, nal) {
		case nalVideoSet, nalSequenceSet, nalPictureSet:
			if !u.has(nal) && len(u.parameters)+len(nal) < maxParameters {
				u.parameters = appendNAL(u.parameters, nal)
			}
		}
	}
	u.complete = u.contents(u.parameters).all(u.codec)
}

func (u *unit) has(nal []byte) bool {
	for have := range bitstream.NALs(u.parameters) {
		if bytes.Equal(have, nal) {
			return true
		}
	}
	return false
}

// rebuild puts the parameter sets in front of a picture, but behind its
// delimiter.
func (u *unit) rebuild(picture []byte) {
	done := false
	for nal := range bitstream.NALs(picture) {
		kind := nalKindOf(u.codec, nal)
		if !done && kind != nalDelimiter {
			u.data = append(u.data, u.parameters...)
			done = true
		}
		switch kind {
		case nalVideoSet, nalSequenceSet, nalPictureSet: // among the others
		default:
			u.data = appendNAL(u.data, nal)
		}
	}
}

func appendNAL(dst, nal []byte) []byte {
	return append(append(dst, 0, 0, 0, 1), nal...)
}
