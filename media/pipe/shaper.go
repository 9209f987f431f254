package pipe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
)

// maxSets bounds the parameter sets that are kept.
const maxSets = 64

// shaper brings the frames of a track into the form that [media.Sample]
// promises, and gives key frames the parameter sets that they lack.
type shaper struct {
	codec      media.Codec
	lengthSize int      // of the lengths before NAL units; zero: Annex B
	sets       [][]byte // the newest; for AV1 the sequence header
	scratch    []byte
}

// addSets takes count parameter sets, each after its length.
func (s *shaper) addSets(b []byte, count int) (rest []byte, ok bool) {
	for range count {
		if len(b) < 2 {
			return nil, false
		}
		n := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; n > len(b) || len(s.sets) >= maxSets {
			return nil, false
		}
		if n > 0 {
			s.sets = append(s.sets, bytes.Clone(b[:n]))
		}
		b = b[n:]
	}
	return b, true
}

// shape appends the frame to dst.
func (s *shaper) shape(dst, data []byte, keyframe bool) ([]byte, error) {
	if len(data) == 0 {
		return dst, fmt.Errorf("%w: empty frame", ErrMalformed)
	}
	switch s.codec {
	case media.H264, media.H265:
		if s.lengthSize == 0 {
			return s.nals(dst, data)
		}
		var err error
		if s.scratch, err = bitstream.AnnexB(s.scratch[:0], data, s.lengthSize); err != nil {
			return dst, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		return s.nals(dst, s.scratch)
	case media.AV1:
		return s.obus(dst, data, keyframe)
	case media.Opus:
		if _, err := bitstream.OpusDuration(data); err != nil {
			return dst, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
	case media.VP8:
		if _, err := bitstream.ParseVP8(data); err != nil {
			return dst, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
	case media.VP9:
		if _, err := bitstream.ParseVP9(data); err != nil {
			return dst, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
	}
	return append(dst, data...), nil
}

// nals copies an access unit in Annex B form.
func (s *shaper) nals(dst, unit []byte) ([]byte, error) {
	start, insert := len(dst), len(dst)
	var key, own, sliced bool
	for nal := range bitstream.NALs(unit) {
		kind, err := s.kind(nal)
		if err != nil {
			return dst[:start], err
		}
		switch kind {
		case nalForeign:
			continue
		case nalKey:
			key = true
			sliced = true
		case nalSequence, nalSet:
			if sliced && s.has(nal) {
				// GStreamer repeats the sets before each slice of a key
				// frame, where they would begin another picture.
				continue
			}
			s.keep(nal, kind == nalSequence && !own)
			own = own || kind == nalSequence
		}
		dst = append(append(dst, 0, 0, 0, 1), nal...)
		if kind == nalDelimiter && insert == start {
			insert = len(dst)
		}
	}
	if len(dst) == start {
		return dst, fmt.Errorf("%w: a picture without NAL units", ErrMalformed)
	}
	if key && !own {
		var sets []byte
		for _, set := range s.sets {
			sets = append(append(sets, 0, 0, 0, 1), set...)
		}
		dst = slices.Insert(dst, insert, sets...)
	}
	if p, err := parsePicture(s.codec, dst[start:]); err != nil {
		return dst[:start], fmt.Errorf("%w: %w", ErrMalformed, err)
	} else if key && p.Width == 0 {
		return dst[:start], fmt.Errorf("%w: a key frame without parameter sets", ErrMalformed)
	}
	return dst, nil
}

func parsePicture(codec media.Codec, unit []byte) (bitstream.Picture, error) {
	if codec == media.H264 {
		return bitstream.ParseH264(unit)
	}
	return bitstream.ParseH265(unit)
}

// What a NAL unit is to a track.
const (
	nalOther     = iota
	nalForeign   // nothing that RTP carries
	nalDelimiter // begins the access unit
	nalSequence  // opens a group of parameter sets
	nalSet       // another parameter set
	nalKey       // a slice to start decoding with
)

func (s *shaper) kind(nal []byte) (int, error) {
	if nal[0]&0x80 != 0 || s.codec == media.H265 && len(nal) < 2 {
		return 0, fmt.Errorf("%w: no NAL unit", ErrMalformed)
	}
	if s.codec == media.H264 {
		switch t := bitstream.H264Type(nal); {
		case t == 0 || t >= 24:
			return nalForeign, nil
		case t == bitstream.H264AUD:
			return nalDelimiter, nil
		case t == bitstream.H264SPS:
			return nalSequence, nil
		case t == bitstream.H264PPS:
			return nalSet, nil
		case t == bitstream.H264IDR:
			return nalKey, nil
		}
		return nalOther, nil
	}
	switch t := bitstream.H265Type(nal); {
	case t >= 48:
		return nalForeign, nil
	case t == bitstream.H265AUD:
		return nalDelimiter, nil
	case t == bitstream.H265VPS:
		return nalSequence, nil
	case t == bitstream.H265SPS, t == bitstream.H265PPS:
		return nalSet, nil
	case bitstream.H265IRAP(nal):
		return nalKey, nil
	}
	return nalOther, nil
}

// has reports whether a parameter set is known.
func (s *shaper) has(nal []byte) bool {
	return slices.ContainsFunc(s.sets, func(set []byte) bool { return bytes.Equal(set, nal) })
}

// keep notes a parameter set, after forgetting the others if it opens a group.
func (s *shaper) keep(nal []byte, first bool) {
	if first {
		if len(s.sets) > 0 && bytes.Equal(s.sets[0], nal) {
			return // a group like the last: nothing changes unless a set does
		}
		s.sets = s.sets[:0]
	}
	if len(s.sets) >= maxSets || s.has(nal) {
		return
	}
	s.sets = append(s.sets, bytes.Clone(nal))
}

// obus copies a temporal unit, with sizes and without delimiters.
func (s *shaper) obus(dst, unit []byte, keyframe bool) ([]byte, error) {
	start, own := len(dst), false
	for o, err := range bitstream.OBUs(unit) {
		if err != nil {
			return dst[:start], fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		switch o.Type {
		case bitstream.OBUTemporalDelimiter, bitstream.OBUTileList:
			continue
		case bitstream.OBUSequenceHeader:
			own = true
		}
		dst = appendOBU(dst, o)
	}
	if len(dst) == start {
		return dst, fmt.Errorf("%w: a picture without OBUs", ErrMalformed)
	}
	if keyframe && !own && len(s.sets) > 0 {
		dst = slices.Insert(dst, start, s.sets[0]...)
	}
	if _, err := bitstream.ParseAV1(dst[start:]); err != nil {
		return dst[:start], fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return dst, nil
}

func appendOBU(dst []byte, o bitstream.OBU) []byte {
	const hasSize = 2
	dst = append(append(dst, o.Header[0]|hasSize), o.Header[1:]...)
	return append(bitstream.AppendLEB128(dst, uint64(len(o.Payload))), o.Payload...)
}
