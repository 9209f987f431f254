package pipe

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/internal/mkv"
)

// matroska reads Matroska and WebM.
type matroska struct {
	in    *input
	r     *mkv.Reader
	shape []*shaper
}

func openMatroska(in *input, o *Options) (demuxer, error) {
	r, err := mkv.NewReader(in)
	if err != nil {
		return nil, mapMKV(err)
	}
	d := &matroska{in: in, r: r}
	var names []string
	for _, t := range r.Tracks() {
		s, err := describe(t)
		names = append(names, t.CodecID)
		if err != nil {
			o.Logger.Warn("a track is left out", "codec", t.CodecID, "err", err)
		}
		d.shape = append(d.shape, s)
	}
	if err := choose(d.shape, names, o.Codec); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *matroska) tracks() []*shaper { return d.shape }
func (d *matroska) close()            {}

func (d *matroska) next() (unit, error) {
	f, err := d.r.Next()
	if err != nil {
		return unit{}, mapMKV(err)
	}
	return unit{track: f.Track, data: f.Data, at: f.Time, follows: f.Follows, keyframe: f.Keyframe, arrival: d.in.at}, nil
}

func mapMKV(err error) error {
	switch {
	case errors.Is(err, mkv.ErrMalformed):
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	case errors.Is(err, mkv.ErrUnsupported):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return err
}

// describe finds out how a track is carried. A track that cannot be is nil with
// an error.
func describe(t mkv.Track) (*shaper, error) {
	if t.Encoded {
		return nil, fmt.Errorf("%w: compressed or encrypted by the container", ErrUnsupported)
	}
	switch t.CodecID {
	case "V_VP8":
		return &shaper{codec: media.VP8}, nil
	case "V_VP9":
		return &shaper{codec: media.VP9}, nil
	case "V_AV1":
		return newAV1Shaper(t.Private), nil
	case "V_MPEG4/ISO/AVC":
		return newShaperAVC(t.Private)
	case "V_MPEGH/ISO/HEVC":
		return newShaperHEVC(t.Private)
	case "A_OPUS":
		if t.Channels > 2 {
			return nil, fmt.Errorf("%w: Opus with %d channels", ErrUnsupported, t.Channels)
		}
		return &shaper{codec: media.Opus}, nil
	case "A_MS/ACM":
		return newShaperWave(t)
	}
	return nil, fmt.Errorf("%w: codec %q", ErrUnsupported, t.CodecID)
}

// newShaperWave reads a WAVEFORMATEX, by which Matroska carries G.711.
func newShaperWave(t mkv.Track) (*shaper, error) {
	if len(t.Private) < 16 {
		return nil, fmt.Errorf("%w: sound format of %d bytes", ErrMalformed, len(t.Private))
	}
	codec, ok := map[uint16]media.Codec{6: media.PCMA, 7: media.PCMU}[binary.LittleEndian.Uint16(t.Private)]
	if !ok || t.Rate != g711Rate || t.Channels != 1 {
		return nil, fmt.Errorf("%w: sound format %d with %d channels at %v Hz",
			ErrUnsupported, binary.LittleEndian.Uint16(t.Private), t.Channels, t.Rate)
	}
	return &shaper{codec: codec}, nil
}

// newShaperAVC reads an AVCDecoderConfigurationRecord (ISO/IEC 14496-15,
// 5.3.3.1).
func newShaperAVC(b []byte) (*shaper, error) {
	if len(b) < 6 || b[0] != 1 {
		return nil, fmt.Errorf("%w: configuration of H.264 with %d bytes", ErrMalformed, len(b))
	}
	s := &shaper{codec: media.H264, lengthSize: int(b[4]&3) + 1}
	count := int(b[5] & 31)
	b = b[6:]
	for range 2 { // sequence sets, then picture sets
		var ok bool
		if b, ok = s.addSets(b, count); !ok {
			return nil, fmt.Errorf("%w: configuration of H.264", ErrMalformed)
		}
		if len(b) == 0 {
			break
		}
		count, b = int(b[0]), b[1:]
	}
	return s, nil
}

// newShaperHEVC reads an HEVCDecoderConfigurationRecord (8.3.3.1).
func newShaperHEVC(b []byte) (*shaper, error) {
	if len(b) < 23 {
		return nil, fmt.Errorf("%w: configuration of H.265 with %d bytes", ErrMalformed, len(b))
	}
	s := &shaper{codec: media.H265, lengthSize: int(b[21]&3) + 1}
	arrays := int(b[22])
	b = b[23:]
	for range arrays {
		ok := len(b) >= 3
		if ok {
			kind, count := b[0]&63, int(binary.BigEndian.Uint16(b[1:]))
			keep := s.sets
			if b, ok = s.addSets(b[3:], count); kind < bitstream.H265VPS || kind > bitstream.H265PPS {
				s.sets = keep
			}
		}
		if !ok {
			return nil, fmt.Errorf("%w: configuration of H.265", ErrMalformed)
		}
	}
	return s, nil
}

// newAV1Shaper reads what follows the four bytes of an AV1 configuration (AV1
// in ISOBMFF, 2.3.3).
func newAV1Shaper(b []byte) *shaper {
	s := &shaper{codec: media.AV1}
	if len(b) < 4 {
		return s
	}
	for o, err := range bitstream.OBUs(b[4:]) {
		if err != nil {
			break // the stream has its own
		}
		if o.Type == bitstream.OBUSequenceHeader {
			s.sets = [][]byte{appendOBU(nil, o)}
		}
	}
	return s
}
