package record

import (
	"encoding/binary"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/internal/params"
)

// codecInfo is how Matroska holds a codec (RFC 9559, Matroska codec
// specifications).
type codecInfo struct {
	id      string
	webm    bool
	private func(data []byte) []byte // nil result: not with this sample
	pack    func(data []byte) []byte // nil: as it is
}

var codecs = map[media.Codec]codecInfo{
	media.VP8:  {id: "V_VP8", webm: true},
	media.VP9:  {id: "V_VP9", webm: true},
	media.AV1:  {id: "V_AV1", webm: true, private: av1C},
	media.H264: {id: "V_MPEG4/ISO/AVC", private: avcC, pack: lengthPrefixed},
	media.H265: {id: "V_MPEGH/ISO/HEVC", private: hvcC, pack: lengthPrefixed},
	media.Opus: {id: "A_OPUS", webm: true, private: opusHead},
	media.PCMU: {id: "A_MS/ACM", private: func([]byte) []byte { return waveFormat(7) }},
	media.PCMA: {id: "A_MS/ACM", private: func([]byte) []byte { return waveFormat(6) }},
}

// seekPreRoll is how long an Opus decoder needs to settle after a jump, in
// nanoseconds (RFC 7845 4.6).
const seekPreRoll = 80_000_000

// describe makes the track's header of its first sample. ok is false when the
// sample is not one to start with.
func describe(t *Track, s media.Sample) (e trackEntry, ok bool) {
	c := codecs[t.codec]
	e = trackEntry{
		TrackNumber: uint64(t.number),
		TrackUID:    uint64(t.number),
		Name:        t.label,
		Language:    "und",
		CodecID:     c.id,
	}
	if t.codec.Kind() == media.Video {
		if !s.Keyframe && !media.IsKeyframe(t.codec, s.Data) {
			return e, false
		}
		w, h := s.Width, s.Height
		if w <= 0 || h <= 0 {
			if w, h, ok = media.Dimensions(t.codec, s.Data); !ok {
				return e, false
			}
		}
		e.TrackType = 1
		e.Video = &videoEntry{PixelWidth: uint64(w), PixelHeight: uint64(h)}
	} else {
		e.TrackType = 2
		e.Audio = &audioEntry{SamplingFrequency: float64(t.codec.ClockRate()), Channels: 1}
		if t.codec == media.Opus {
			e.Audio.Channels = opusChannels
			e.SeekPreRoll = seekPreRoll
		} else {
			e.Audio.BitDepth = 8
		}
	}
	if c.private != nil {
		if e.CodecPrivate = c.private(s.Data); e.CodecPrivate == nil {
			return e, false
		}
	}
	return e, true
}

// opusChannels is two always: RTP negotiates two, and packets may change
// between mono and stereo at any time.
const opusChannels = 2

// opusHead returns the identification header (RFC 7845 5.1). The recording
// begins in the middle of a stream, so nothing is to be skipped.
func opusHead([]byte) []byte {
	b := append([]byte("OpusHead"), 1, opusChannels, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, 48000)
	return append(b, 0, 0, 0)
}

// waveFormat returns a WAVEFORMATEX for G.711.
func waveFormat(tag uint16) []byte {
	b := binary.LittleEndian.AppendUint16(nil, tag)
	b = binary.LittleEndian.AppendUint16(b, 1)    // channels
	b = binary.LittleEndian.AppendUint32(b, 8000) // samples a second
	b = binary.LittleEndian.AppendUint32(b, 8000) // bytes a second
	b = binary.LittleEndian.AppendUint16(b, 1)    // bytes per block
	b = binary.LittleEndian.AppendUint16(b, 8)    // bits per sample
	return binary.LittleEndian.AppendUint16(b, 0)
}

// lengthPrefixed replaces start codes by lengths of four bytes.
func lengthPrefixed(unit []byte) []byte {
	out := make([]byte, 0, len(unit)+16)
	for nal := range bitstream.NALs(unit) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(nal)))
		out = append(out, nal...)
	}
	return out
}

// avcC returns the decoder configuration of H.264 (ISO/IEC 14496-15 5.3.3.1).
func avcC(unit []byte) []byte {
	var sets, pictures [][]byte
	for nal := range bitstream.NALs(unit) {
		switch {
		case len(nal) > 0xffff:
		case bitstream.H264Type(nal) == bitstream.H264SPS && len(sets) < 31:
			sets = append(sets, nal)
		case bitstream.H264Type(nal) == bitstream.H264PPS && len(pictures) < 255:
			pictures = append(pictures, nal)
		}
	}
	if len(sets) == 0 || len(pictures) == 0 {
		return nil
	}
	sps, err := params.ParseH264SPS(sets[0])
	if err != nil {
		return nil
	}
	b := []byte{1, sps.Profile, sps.Constraints, sps.Level, 0xfc | 3, 0xe0 | byte(len(sets))}
	b = appendSized(b, sets)
	b = appendSized(append(b, byte(len(pictures))), pictures)
	if sps.HasChroma() {
		b = append(b, 0xfc|byte(sps.Chroma), 0xf8|byte(sps.LumaDepth-8), 0xf8|byte(sps.ChromaDepth-8), 0)
	}
	return b
}

func appendSized(b []byte, nals [][]byte) []byte {
	for _, nal := range nals {
		b = binary.BigEndian.AppendUint16(b, uint16(len(nal)))
		b = append(b, nal...)
	}
	return b
}

// hvcC returns the decoder configuration of H.265 (ISO/IEC 14496-15 8.3.3.1).
func hvcC(unit []byte) []byte {
	kinds := []int{bitstream.H265VPS, bitstream.H265SPS, bitstream.H265PPS}
	sets := map[int][][]byte{}
	for nal := range bitstream.NALs(unit) {
		t := bitstream.H265Type(nal)
		if t >= kinds[0] && t <= kinds[2] && len(nal) <= 0xffff && len(sets[t]) < 64 {
			sets[t] = append(sets[t], nal)
		}
	}
	for _, t := range kinds {
		if len(sets[t]) == 0 {
			return nil
		}
	}
	sps, err := params.ParseH265SPS(sets[bitstream.H265SPS][0])
	if err != nil {
		return nil
	}
	nested := byte(0)
	if sps.Nested {
		nested = 1
	}
	b := append([]byte{1}, sps.General[:]...)
	b = append(b, 0xf0, 0, 0xfc, 0xfc|byte(sps.Chroma), 0xf8|byte(sps.LumaDepth-8), 0xf8|byte(sps.ChromaDepth-8))
	b = append(b, 0, 0, byte(sps.TemporalLayers)<<3|nested<<2|3, byte(len(kinds)))
	for _, t := range kinds {
		b = append(b, byte(t))
		b = binary.BigEndian.AppendUint16(b, uint16(len(sets[t])))
		b = appendSized(b, sets[t])
	}
	return b
}

// av1C returns the codec configuration of AV1 (AV1 in ISOBMFF, 2.3.3).
func av1C(unit []byte) []byte {
	for o, err := range bitstream.OBUs(unit) {
		if err != nil {
			return nil
		}
		if o.Type != bitstream.OBUSequenceHeader {
			continue
		}
		seq, err := params.ParseAV1Sequence(o.Payload)
		if err != nil {
			return nil
		}
		b := []byte{
			0x81,
			byte(seq.Profile<<5 | seq.Level),
			byte(seq.Tier<<7) | bit(seq.HighBitDepth, 6) | bit(seq.TwelveBit, 5) | bit(seq.Monochrome, 4) |
				bit(seq.SubsamplingX, 3) | bit(seq.SubsamplingY, 2) | byte(seq.ChromaPosition),
			0,
			bitstream.OBUSequenceHeader<<3 | 2,
		}
		b = bitstream.AppendLEB128(b, uint64(len(o.Payload)))
		return append(b, o.Payload...)
	}
	return nil
}

func bit(set bool, place int) byte {
	if set {
		return 1 << place
	}
	return 0
}
