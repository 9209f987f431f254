package file

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
)

// Writer writes one track into a file that [Open] reads, for looking into what
// was received: IVF for VP8, VP9 and AV1, Ogg for Opus, Annex B for H.264 and
// H.265, WAV for G.711. For recordings that players open, see media/record.
//
// It implements [media.Sink]. WriteSample and Close may be called concurrently.
type Writer struct {
	path  string
	codec media.Codec

	mu     sync.Mutex
	f      *os.File
	w      *bufio.Writer
	n      uint32        // samples written
	size   uint32        // bytes of them
	origin time.Duration // the first one's timestamp
	err    error
	closed bool

	granule uint64 // Ogg: samples at 48 kHz so far
	pages   uint32 // Ogg: pages with packets so far
	held    []byte // Ogg: the newest packet, kept to mark the last page
}

// Create makes or empties the file at path.
func Create(path string, codec media.Codec) (*Writer, error) {
	if codec.Kind() == "" {
		return nil, &Error{Path: path, Err: fmt.Errorf("%w: codec %q", ErrUnsupported, codec)}
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, &Error{Path: path, Err: err}
	}
	return &Writer{path: path, codec: codec, f: f, w: bufio.NewWriter(f)}, nil
}

// WriteSample adds a sample. Video before the first key frame is left out.
func (w *Writer) WriteSample(s media.Sample) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return w.err
	case w.closed:
		return &Error{Path: w.path, Err: os.ErrClosed}
	case s.Codec != w.codec && s.Codec != "":
		return &Error{Path: w.path, Err: fmt.Errorf("%w: %s sample in a file of %s", ErrUnsupported, s.Codec, w.codec)}
	case len(s.Data) == 0 || w.n == 0 && !s.Keyframe && w.codec.Kind() == media.Video:
		return nil
	}
	if w.n == 0 {
		w.origin = s.Timestamp
		w.header(s)
	}
	w.n++
	w.size += uint32(len(s.Data))
	w.fail(w.body(s))
	return w.err
}

func (w *Writer) header(s media.Sample) {
	switch w.codec {
	case media.VP8, media.VP9, media.AV1:
		width, height := s.Width, s.Height
		if width == 0 || height == 0 {
			width, height, _ = media.Dimensions(w.codec, s.Data)
		}
		w.put(ivfHead(w.codec, width, height))
	case media.Opus:
		head := append([]byte("OpusHead\x01\x02\x00\x00"), 0x80, 0xbb, 0, 0, 0, 0, 0)
		w.put(oggPage(head, 0, 0, oggFirst))
		w.put(oggPage([]byte("OpusTags\x06\x00\x00\x00parley\x00\x00\x00\x00"), 0, 1, 0))
	case media.PCMU, media.PCMA:
		w.put(wavHead(w.codec, 0))
	}
}

func (w *Writer) body(s media.Sample) error {
	switch w.codec {
	case media.VP8, media.VP9, media.AV1:
		h := binary.LittleEndian.AppendUint32(nil, uint32(len(s.Data)))
		w.put(binary.LittleEndian.AppendUint64(h, uint64((s.Timestamp-w.origin)/time.Microsecond)))
	case media.Opus:
		d, err := bitstream.OpusDuration(s.Data)
		if err == nil {
			w.flushOgg(0)
			w.granule += uint64(d * 48 / time.Millisecond)
			w.held = s.Data
		} // otherwise it was damaged on the way; Ogg has no place for it
		return nil
	}
	_, err := w.w.Write(s.Data)
	return err
}

// flushOgg writes the held packet, behind the two pages of headers.
func (w *Writer) flushOgg(flags byte) {
	if w.held != nil {
		w.pages++
		w.put(oggPage(w.held, w.granule, w.pages+1, flags))
	}
}

func (w *Writer) put(b []byte) {
	_, err := w.w.Write(b)
	w.fail(err)
}

func (w *Writer) fail(err error) {
	if err != nil && w.err == nil {
		w.err = &Error{Path: w.path, Err: err}
	}
}

// Close completes the file. It returns what kept samples from being written.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return w.err
	}
	w.closed = true
	w.flushOgg(oggLast)
	w.fail(w.w.Flush())
	if w.err == nil && w.n > 0 {
		w.complete()
	}
	w.fail(w.f.Close())
	return w.err
}

// complete fills in what the header could not know.
func (w *Writer) complete() {
	const ivfCount = 24
	var err error
	switch w.codec {
	case media.VP8, media.VP9, media.AV1:
		_, err = w.f.WriteAt(binary.LittleEndian.AppendUint32(nil, w.n), ivfCount)
	case media.PCMU, media.PCMA:
		_, err = w.f.WriteAt(wavHead(w.codec, w.size), 0)
	}
	w.fail(err)
}

func ivfHead(codec media.Codec, width, height int) []byte {
	fourCC := map[media.Codec]string{media.VP8: "VP80", media.VP9: "VP90", media.AV1: "AV01"}[codec]
	h := append([]byte("DKIF\x00\x00\x20\x00"), fourCC...)
	h = binary.LittleEndian.AppendUint16(h, uint16(width))
	h = binary.LittleEndian.AppendUint16(h, uint16(height))
	h = binary.LittleEndian.AppendUint32(h, uint32(time.Second/time.Microsecond))
	h = binary.LittleEndian.AppendUint32(h, 1)
	return append(h, make([]byte, 8)...)
}

func wavHead(codec media.Codec, size uint32) []byte {
	tag := uint16(wavMuLaw)
	if codec == media.PCMA {
		tag = wavALaw
	}
	h := binary.LittleEndian.AppendUint32([]byte("RIFF"), 38+size)
	h = binary.LittleEndian.AppendUint32(append(h, "WAVEfmt "...), 18)
	h = binary.LittleEndian.AppendUint16(h, tag)
	h = binary.LittleEndian.AppendUint16(h, 1)
	h = binary.LittleEndian.AppendUint32(h, g711Rate)
	h = binary.LittleEndian.AppendUint32(h, g711Rate)
	h = append(h, 1, 0, 8, 0, 0, 0)
	return binary.LittleEndian.AppendUint32(append(h, "data"...), size)
}

// oggPage returns a page with one packet, which ends on it. No packet of RTP
// needs more than one page.
func oggPage(packet []byte, granule uint64, sequence uint32, flags byte) []byte {
	packet = packet[:min(len(packet), 255*255-1)]
	b := append([]byte("OggS\x00"), flags)
	b = binary.LittleEndian.AppendUint64(b, granule)
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = binary.LittleEndian.AppendUint32(b, sequence)
	b = append(b, 0, 0, 0, 0, byte(len(packet)/255+1))
	for range len(packet) / 255 {
		b = append(b, 255)
	}
	b = append(append(b, byte(len(packet)%255)), packet...)
	binary.LittleEndian.PutUint32(b[22:], oggCRC(0, b))
	return b
}
