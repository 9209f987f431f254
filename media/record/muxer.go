package record

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/at-wat/ebml-go"
	"github.com/at-wat/ebml-go/webm"
)

const (
	// A cluster is written when a key frame comes after minCluster, and at
	// the latest when it spans maxCluster or holds clusterBytes.
	minCluster   = 500 * time.Millisecond
	maxCluster   = 2 * time.Second
	clusterBytes = 1 << 20
	// spanLimit is what the 16 bits for a block's time in its cluster hold.
	spanLimit = 30 * time.Second

	// headRoom is what is kept free behind the header for tracks that come
	// later and for what Close fills in.
	headRoom = 4096
	// cueBytes is more than an entry of the index takes.
	cueBytes = 40
	// maxCues bounds the index; beyond, only every other entry is kept.
	maxCues = 1 << 16

	tick = time.Millisecond
)

// file is what is needed of *os.File.
type file interface {
	io.Writer
	io.WriterAt
	io.Closer
	Truncate(size int64) error
}

// block is one frame on its way into the file.
type block struct {
	track      int
	at, end    time.Duration
	key, video bool
	data       []byte
}

// muxer lays out the file. ebml-go encodes the elements; its own block writer
// is not used, because it cannot report a full disk to who writes.
//
//	EBML header
//	Segment: SeekHead, Info, Tracks, padding; rewritten in place
//	         Cluster, Cluster, ... of known size
//	         Cues, written by finish
type muxer struct {
	f    file
	webm bool
	max  int64

	tracks   []trackEntry
	header   []byte // of EBML and of the segment
	headSize int    // of the part that is rewritten
	size     int64  // of the file; what is there is whole

	blocks   []block
	bytes    int
	from, to time.Duration // of the blocks

	cues     []webm.CuePoint
	cuesAt   int64
	duration time.Duration
	err      error
}

func newMuxer(f file, isWebM bool, limit int64) *muxer {
	return &muxer{f: f, webm: isWebM, max: limit}
}

// addTrack lists a track in the header.
func (m *muxer) addTrack(e trackEntry) error {
	m.tracks = append(m.tracks, e)
	if m.header == nil {
		if err := m.writeHeader(); err != nil {
			return err
		}
	}
	err := m.writeHead()
	if errors.Is(err, ErrTooManyTracks) {
		m.tracks = m.tracks[:len(m.tracks)-1]
	}
	return err
}

func (m *muxer) writeHeader() error {
	doc := *webm.DefaultEBMLHeader
	if !m.webm {
		doc.DocType = "matroska"
	}
	var b bytes.Buffer
	if err := ebml.Marshal(&struct {
		Header  webm.EBMLHeader `ebml:"EBML"`
		Segment struct{}        `ebml:"Segment,size=unknown"`
	}{Header: doc}, &b); err != nil {
		return err
	}
	m.header = b.Bytes()
	head, err := m.head()
	if err != nil {
		return err
	}
	m.headSize = len(head) + headRoom
	if int64(len(m.header)+m.headSize) > m.max {
		return ErrTooLarge
	}
	n, err := m.f.Write(append(bytes.Clone(m.header), void(m.headSize)...))
	if err != nil {
		m.cut()
		return err
	}
	m.size = int64(n)
	return nil
}

// writeHead writes the part of the header that changes, in its place.
func (m *muxer) writeHead() error {
	b, err := m.head()
	if err != nil {
		return err
	}
	room := m.headSize - len(b)
	if room != 0 && room < minVoid {
		return fmt.Errorf("%w: their headers take %d bytes", ErrTooManyTracks, len(b))
	}
	_, err = m.f.WriteAt(append(b, void(room)...), int64(len(m.header)))
	return err
}

// write takes a block, and writes the cluster that it completes.
func (m *muxer) write(b block) error {
	if m.err != nil {
		return m.err
	}
	if len(m.blocks) > 0 {
		from, to := min(m.from, b.at), max(m.to, b.at)
		span := to - from
		if span > spanLimit || b.at-m.from >= maxCluster || m.bytes+len(b.data) > clusterBytes ||
			b.video && b.key && b.at-m.from >= minCluster {
			if err := m.flush(); err != nil {
				return err
			}
		} else {
			m.from, m.to = from, to
		}
	}
	if len(m.blocks) == 0 {
		m.from, m.to = b.at, b.at
	}
	m.blocks = append(m.blocks, b)
	m.bytes += len(b.data)
	return nil
}

// flush writes the cluster at hand, in the order of time. Only whole clusters
// stay in the file.
func (m *muxer) flush() error {
	if len(m.blocks) == 0 {
		return nil
	}
	slices.SortStableFunc(m.blocks, func(a, b block) int { return cmp.Compare(a.at, b.at) })
	base := m.blocks[0].at / tick
	c := cluster{Timecode: uint64(base)}
	for _, b := range m.blocks {
		c.SimpleBlock = append(c.SimpleBlock, ebml.Block{
			TrackNumber: uint64(b.track),
			Timecode:    int16(b.at/tick - base),
			Keyframe:    b.key,
			Data:        [][]byte{b.data},
		})
	}
	var b bytes.Buffer
	if err := ebml.Marshal(&struct {
		Cluster cluster `ebml:"Cluster"`
	}{c}, &b); err != nil {
		return err
	}
	at := m.size
	if at+int64(b.Len())+int64(len(m.cues)+2)*cueBytes > m.max {
		m.err = ErrTooLarge
		return m.err
	}
	if _, err := m.f.Write(b.Bytes()); err != nil {
		m.err = err
		m.cut()
		return err
	}
	m.size += int64(b.Len())
	m.cue(at)
	for _, b := range m.blocks {
		m.duration = max(m.duration, b.end)
	}
	clear(m.blocks)
	m.blocks, m.bytes = m.blocks[:0], 0
	return nil
}

// cue remembers where a key frame is: the cluster's first of a video track, or
// its start when the file has no video.
func (m *muxer) cue(at int64) {
	hasVideo := slices.ContainsFunc(m.tracks, func(t trackEntry) bool { return t.Video != nil })
	for _, b := range m.blocks {
		if !b.key || hasVideo && !b.video {
			continue
		}
		m.cues = append(m.cues, webm.CuePoint{
			CueTime: uint64(b.at / tick),
			CueTrackPositions: []webm.CueTrackPosition{{
				CueTrack:           uint64(b.track),
				CueClusterPosition: uint64(at) - uint64(len(m.header)),
			}},
		})
		break
	}
	if len(m.cues) > maxCues {
		kept := m.cues[:0]
		for i := 0; i < len(m.cues); i += 2 {
			kept = append(kept, m.cues[i])
		}
		m.cues = kept
	}
}

// finish writes the last cluster, the index, and what the header could not say
// before, and closes the file.
func (m *muxer) finish() error {
	if m.f == nil {
		return nil
	}
	err := m.flush()
	if e := m.seal(); err == nil {
		err = e
	}
	return err
}

// abandon ends the file after an error, as well as still goes.
func (m *muxer) abandon() {
	if m.f == nil {
		return
	}
	m.blocks = nil
	// The error that led here is the one that counts, and has been reported.
	_ = m.seal()
}

// cut takes away what a failed write left behind the last whole element. It is
// an attempt: players also get by with the remains.
func (m *muxer) cut() { _ = m.f.Truncate(m.size) }

// seal writes index and header, and closes the file.
func (m *muxer) seal() error {
	var err error
	if m.size > 0 { // else there is not even a header
		err = m.complete()
	}
	if e := m.f.Close(); err == nil {
		err = e
	}
	m.f = nil
	return err
}

func (m *muxer) complete() error {
	// A disk that is full has no room for the index, but the header is there
	// already and can still be rewritten.
	err := m.index()
	if e := m.writeHead(); err == nil {
		err = e
	}
	if e := m.writeSize(); err == nil {
		err = e
	}
	return err
}

func (m *muxer) index() error {
	if len(m.cues) == 0 {
		return nil
	}
	slices.SortStableFunc(m.cues, func(a, b webm.CuePoint) int { return cmp.Compare(a.CueTime, b.CueTime) })
	var b bytes.Buffer
	if err := ebml.Marshal(&struct {
		Cues webm.Cues `ebml:"Cues"`
	}{webm.Cues{CuePoint: m.cues}}, &b); err != nil {
		return err
	}
	if _, err := m.f.WriteAt(b.Bytes(), m.size); err != nil {
		m.cut()
		return err
	}
	m.cuesAt = m.size
	m.size += int64(b.Len())
	return nil
}

// writeSize replaces the segment's unknown size by the real one.
func (m *muxer) writeSize() error {
	const width = 8
	size := uint64(m.size-int64(len(m.header))) | 1<<(7*width)
	_, err := m.f.WriteAt(binary.BigEndian.AppendUint64(nil, size), int64(len(m.header)-width))
	return err
}
