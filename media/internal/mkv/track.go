package mkv

import (
	"bytes"
	"fmt"
	"math"
)

// More element ids (RFC 9559, section 5.1.4).
const (
	idTrackNumber     = 0xd7
	idTrackType       = 0x83
	idCodecID         = 0x86
	idCodecPrivate    = 0x63a2
	idContentEncoding = 0x6d80
	idAudio           = 0xe1
	idSampling        = 0xb5
	idChannels        = 0x9f
)

// Track types.
const (
	Video = 1
	Audio = 2
)

// Track is what the file says of one of its tracks.
type Track struct {
	Number uint64
	// Type is Video, Audio or another.
	Type int
	// CodecID is that of the Matroska codec specifications, such as "V_VP8".
	CodecID string
	// Private is the codec's own header.
	Private []byte
	// Encoded is true when the frames are compressed or encrypted once more,
	// so that they cannot be used.
	Encoded bool
	// Rate and Channels are those of audio.
	Rate     float64
	Channels int
}

func (d *Reader) trackList(e element) error {
	body, err := d.body(e, maxHead)
	if err != nil {
		return err
	}
	d.tracks = []Track{}
	for c, err := range children(body) {
		if err != nil {
			return err
		}
		if c.id != idTrackEntry {
			continue
		}
		t, err := trackEntry(c.data)
		if err != nil {
			return err
		}
		if _, twice := d.index[t.Number]; twice || len(d.tracks) == maxTracks {
			return fmt.Errorf("%w: track number %d of %d tracks", ErrMalformed, t.Number, len(d.tracks)+1)
		}
		d.index[t.Number] = len(d.tracks)
		d.tracks = append(d.tracks, t)
	}
	return nil
}

func trackEntry(body []byte) (Track, error) {
	t := Track{Rate: 8000, Channels: 1}
	for c, err := range children(body) {
		if err != nil {
			return t, err
		}
		switch c.id {
		case idTrackNumber:
			t.Number = number(c.data)
		case idTrackType:
			t.Type = int(min(number(c.data), 255))
		case idCodecID:
			t.CodecID = text(c.data)
		case idCodecPrivate:
			t.Private = bytes.Clone(c.data)
		case idContentEncoding:
			t.Encoded = len(c.data) > 0
		case idAudio:
			if err := t.audio(c.data); err != nil {
				return t, err
			}
		}
	}
	if t.Number == 0 || t.CodecID == "" {
		return t, fmt.Errorf("%w: track %d with codec %q", ErrMalformed, t.Number, t.CodecID)
	}
	return t, nil
}

func (t *Track) audio(body []byte) error {
	for c, err := range children(body) {
		if err != nil {
			return err
		}
		switch c.id {
		case idSampling:
			switch len(c.data) {
			case 4:
				t.Rate = float64(math.Float32frombits(uint32(number(c.data))))
			case 8:
				t.Rate = math.Float64frombits(number(c.data))
			}
		case idChannels:
			t.Channels = int(min(number(c.data), 255))
		}
	}
	return nil
}
