// Package mkv reads Matroska and WebM from front to back, as they come out of
// a pipe (RFC 9559). It never seeks, ignores indexes and tags, and takes its
// input for hostile: it allocates no more than what is there, within limits.
package mkv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// Conditions that callers can tell apart with [errors.Is]. An input that ends
// in the middle of something gives [io.ErrUnexpectedEOF].
var (
	// ErrMalformed means that the input breaks the rules of the format.
	ErrMalformed = errors.New("malformed Matroska")
	// ErrUnsupported means valid input that uses what is not read here.
	ErrUnsupported = errors.New("unsupported Matroska")
)

const (
	// maxFrame bounds a block; larger ones are taken for damage.
	maxFrame = 16 << 20
	// maxHead bounds the elements that are read as a whole before the frames.
	maxHead = 1 << 20
	// maxTracks bounds the tracks of a file.
	maxTracks = 64
	// step is how far memory grows before what it is for has come.
	step = 256 << 10
)

// Element ids (RFC 9559, section 5; RFC 8794, section 11.2).
const (
	idEBML           = 0x1a45dfa3
	idDocType        = 0x4282
	idMaxIDLength    = 0x42f2
	idMaxSizeLength  = 0x42f3
	idSegment        = 0x18538067
	idInfo           = 0x1549a966
	idTimestampScale = 0x2ad7b1
	idTracks         = 0x1654ae6b
	idTrackEntry     = 0xae
	idCluster        = 0x1f43b675
	idTimestamp      = 0xe7
	idSimpleBlock    = 0xa3
	idBlockGroup     = 0xa0
	idBlock          = 0xa1
	idReference      = 0xfb
)

// Frame is one frame of a track.
type Frame struct {
	// Track is an index into [Reader.Tracks].
	Track int
	// Time is the presentation time since the start of the segment.
	Time time.Duration
	// Follows is true for a frame that shares a block with the one before, so
	// that its own time is not known: it follows that one without gap.
	Follows bool
	// Keyframe is what the block says.
	Keyframe bool
	// Data is valid until the next call.
	Data []byte
}

// Reader reads one segment. It is not safe for concurrent use.
type Reader struct {
	r      io.Reader
	tracks []Track
	index  map[uint64]int
	scale  uint64 // nanoseconds in a tick

	at         uint64 // bytes read
	segmentEnd uint64 // math.MaxUint64 when it is not known
	clusterEnd uint64 // likewise, while inCluster
	inCluster  bool
	clusterAt  uint64 // time of the cluster in ticks
	hasTime    bool

	buf    []byte
	frames [][]byte // of the block at hand
	given  int      // of them
	common Frame    // what they have in common
}

// NewReader reads the headers, up to and including the list of tracks.
func NewReader(r io.Reader) (*Reader, error) {
	d := &Reader{r: r, scale: 1e6, segmentEnd: math.MaxUint64, index: map[uint64]int{}}
	if err := d.header(); err != nil {
		return nil, whole(err)
	}
	for d.tracks == nil {
		e, err := d.element()
		if err != nil {
			return nil, whole(err)
		}
		switch e.id {
		case idInfo:
			err = d.info(e)
		case idTracks:
			err = d.trackList(e)
		case idCluster:
			err = fmt.Errorf("%w: a cluster before the tracks", ErrMalformed)
		default:
			err = d.skip(e)
		}
		if err != nil {
			return nil, whole(err)
		}
	}
	return d, nil
}

// whole makes an end where none is in order an error.
func whole(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Tracks returns the tracks, in the order of the file.
func (d *Reader) Tracks() []Track { return d.tracks }

func (d *Reader) header() error {
	e, err := d.element()
	if err != nil {
		return err
	}
	if e.id != idEBML {
		return fmt.Errorf("%w: it begins with element %#x", ErrMalformed, e.id)
	}
	body, err := d.body(e, maxHead)
	if err != nil {
		return err
	}
	docType, idLength, sizeLength := "matroska", uint64(4), uint64(8)
	for c, err := range children(body) {
		if err != nil {
			return err
		}
		switch c.id {
		case idDocType:
			docType = text(c.data)
		case idMaxIDLength:
			idLength = number(c.data)
		case idMaxSizeLength:
			sizeLength = number(c.data)
		}
	}
	if docType != "matroska" && docType != "webm" || idLength > 4 || sizeLength > 8 {
		return fmt.Errorf("%w: document %q, ids of %d, sizes of %d bytes", ErrUnsupported, docType, idLength, sizeLength)
	}
	for {
		e, err := d.element()
		if err != nil {
			return err
		}
		if e.id != idSegment {
			if err := d.skip(e); err != nil {
				return err
			}
			continue
		}
		if !e.unknown {
			d.segmentEnd = d.at + e.size
		}
		return nil
	}
}

func (d *Reader) info(e element) error {
	body, err := d.body(e, maxHead)
	if err != nil {
		return err
	}
	for c, err := range children(body) {
		if err != nil {
			return err
		}
		if c.id == idTimestampScale {
			d.scale = number(c.data)
		}
	}
	if d.scale == 0 || d.scale > uint64(time.Minute) {
		return fmt.Errorf("%w: ticks of %d ns", ErrMalformed, d.scale)
	}
	return nil
}

// Next returns the next frame of any track. io.EOF is the orderly end.
func (d *Reader) Next() (Frame, error) {
	for {
		if d.given < len(d.frames) {
			f := d.common
			f.Data, f.Follows = d.frames[d.given], d.given > 0
			d.given++
			return f, nil
		}
		if d.at >= d.segmentEnd {
			return Frame{}, io.EOF
		}
		if d.at >= d.clusterEnd {
			d.inCluster = false
		}
		e, err := d.element()
		if err != nil {
			return Frame{}, err
		}
		if err := d.take(e); err != nil {
			return Frame{}, whole(err)
		}
	}
}

// take handles one element of the segment or of a cluster, which lie flat in
// the input: a cluster of unknown size ends where the next begins.
func (d *Reader) take(e element) error {
	if d.inCluster && (d.at+e.size > d.clusterEnd || e.unknown && d.clusterEnd != math.MaxUint64) {
		return fmt.Errorf("%w: element %#x of %d bytes reaches out of its cluster", ErrMalformed, e.id, e.size)
	}
	switch e.id {
	case idCluster:
		d.inCluster, d.hasTime, d.clusterEnd = true, false, math.MaxUint64
		if !e.unknown {
			d.clusterEnd = d.at + e.size
		}
		return nil
	case idTimestamp:
		body, err := d.body(e, 8)
		if err != nil {
			return err
		}
		d.clusterAt, d.hasTime = number(body), true
		return nil
	case idSimpleBlock:
		body, err := d.body(e, maxFrame)
		if err != nil {
			return err
		}
		return d.block(body, true, true)
	case idBlockGroup:
		body, err := d.body(e, maxFrame)
		if err != nil {
			return err
		}
		return d.group(body)
	case idEBML, idSegment:
		return fmt.Errorf("%w: a second stream behind the first", ErrUnsupported)
	}
	return d.skip(e)
}

func (d *Reader) group(body []byte) error {
	var block []byte
	key := true
	for c, err := range children(body) {
		if err != nil {
			return err
		}
		switch c.id {
		case idBlock:
			block = c.data
		case idReference:
			key = false
		}
	}
	if block == nil {
		return fmt.Errorf("%w: a group without block", ErrMalformed)
	}
	return d.block(block, false, key)
}

// block takes the frames out of a block (RFC 9559, section 10).
func (d *Reader) block(body []byte, simple, key bool) error {
	track, n := vint(body)
	if n == 0 || len(body) < n+3 {
		return fmt.Errorf("%w: block of %d bytes", ErrMalformed, len(body))
	}
	if !d.inCluster || !d.hasTime {
		return fmt.Errorf("%w: a block without the time of its cluster", ErrMalformed)
	}
	offset := int16(uint16(body[n])<<8 | uint16(body[n+1]))
	flags := body[n+2]
	at, known := d.index[track]
	if !known {
		return nil // no track of ours
	}
	when, ok := d.time(offset)
	if !ok {
		return fmt.Errorf("%w: time %d", ErrMalformed, d.clusterAt)
	}
	if simple {
		key = flags&0x80 != 0
	}
	frames, err := unlace(body[n+3:], flags>>1&3, d.frames[:0])
	if err != nil {
		return err
	}
	d.frames, d.given, d.common = frames, 0, Frame{Track: at, Time: when, Keyframe: key}
	return nil
}

// time converts a time in ticks. A block may lie before its cluster.
func (d *Reader) time(offset int16) (time.Duration, bool) {
	if d.clusterAt > math.MaxInt64/d.scale-math.MaxInt16 {
		return 0, false
	}
	return time.Duration((int64(d.clusterAt) + int64(offset)) * int64(d.scale)), true
}

// text is a string element, which zeros may follow.
func text(b []byte) string { return string(bytes.TrimRight(b, "\x00")) }
