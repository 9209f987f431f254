package pipe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/parley-rtc/parley/media"
)

// maxFrame bounds a picture; larger ones are taken for damage.
const maxFrame = 16 << 20

// unit is one frame as its container has it.
type unit struct {
	track    int
	data     []byte // valid until the next call
	at       time.Duration
	follows  bool // at is not known: without gap after the one before
	keyframe bool // as the container says
	arrival  time.Time
	made     time.Time // zero: not known
}

// demuxer takes a stream apart. io.EOF is the orderly end.
type demuxer interface {
	tracks() []*shaper // nil for those that cannot be carried
	next() (unit, error)
	close()
}

// open finds the format and reads up to the list of tracks.
func open(in *input, o *Options) (demuxer, error) {
	format := o.Format
	if format == "" {
		var err error
		if format, err = sniff(in); err != nil {
			return nil, err
		}
	}
	switch format {
	case AnnexB:
		return openAnnexB(in, o)
	case IVF:
		return openIVF(in)
	case Matroska:
		return openMatroska(in, o)
	case Ogg, WAV:
		return openFile(in)
	default:
		return openRaw(in, format), nil
	}
}

func sniff(in *input) (Format, error) {
	head, err := in.Peek(4)
	switch {
	case len(head) == 0 && errors.Is(err, io.EOF):
		return "", ErrEmpty
	case err != nil && !errors.Is(err, io.EOF):
		return "", err
	case bytes.Equal(head, []byte("DKIF")):
		return IVF, nil
	case bytes.Equal(head, []byte("OggS")):
		return Ogg, nil
	case bytes.Equal(head, []byte("RIFF")):
		return WAV, nil
	case bytes.Equal(head, []byte{0x1a, 0x45, 0xdf, 0xa3}):
		return Matroska, nil
	case bytes.HasPrefix(head, []byte{0, 0, 1}), bytes.Equal(head, []byte{0, 0, 0, 1}), bytes.Equal(head, make([]byte, 4)):
		return AnnexB, nil
	}
	head, _ = in.Peek(min(12, in.Buffered()))
	hint := "it begins with " + fmt.Sprintf("%q", head)
	switch {
	case len(head) >= 8 && string(head[4:8]) == "ftyp":
		hint = "this is MP4; have the program write Matroska (ffmpeg: -f matroska)"
	case bytes.HasPrefix(head, []byte("FLV")):
		hint = "this is FLV; have the program write Matroska (ffmpeg: -f matroska)"
	case head[0] == 0x47:
		hint = "this looks like MPEG-TS; have the program write Matroska (ffmpeg: -f matroska)"
	case bytes.HasPrefix(head, []byte{0xff, 0xd8}):
		hint = "this is MJPEG, which tracks cannot carry; have it encoded (ffmpeg: -c:v libx264 -f h264)"
	}
	return "", fmt.Errorf("%w: %s", ErrUnknownFormat, hint)
}

// choose keeps the tracks that are asked for, and fails when none is left.
func choose(tracks []*shaper, names []string, codec media.Codec) error {
	usable := 0
	for i, t := range tracks {
		if t == nil {
			continue
		}
		if codec != "" && t.codec != codec {
			tracks[i] = nil
			continue
		}
		usable++
	}
	switch {
	case usable > 0:
		return nil
	case codec != "":
		return fmt.Errorf("%w: %s was asked for, the stream has %v", ErrCodec, codec, names)
	}
	return fmt.Errorf("%w: the stream has %v", ErrUnsupported, names)
}
