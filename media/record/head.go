package record

import (
	"bytes"
	"time"

	"github.com/at-wat/ebml-go"
	"github.com/at-wat/ebml-go/webm"
)

// application names this library in the files.
const application = "parley"

// The elements that the library's own structs lack fields for.
type (
	trackEntry struct {
		TrackNumber  uint64      `ebml:"TrackNumber"`
		TrackUID     uint64      `ebml:"TrackUID"`
		TrackType    uint64      `ebml:"TrackType"`
		FlagLacing   uint64      `ebml:"FlagLacing"`
		Name         string      `ebml:"Name,omitempty"`
		Language     string      `ebml:"Language"`
		CodecID      string      `ebml:"CodecID"`
		CodecPrivate []byte      `ebml:"CodecPrivate,omitempty"`
		SeekPreRoll  uint64      `ebml:"SeekPreRoll,omitempty"`
		Video        *videoEntry `ebml:"Video"`
		Audio        *audioEntry `ebml:"Audio"`
	}
	videoEntry struct {
		PixelWidth  uint64 `ebml:"PixelWidth"`
		PixelHeight uint64 `ebml:"PixelHeight"`
	}
	audioEntry struct {
		SamplingFrequency float64 `ebml:"SamplingFrequency"`
		Channels          uint64  `ebml:"Channels"`
		BitDepth          uint64  `ebml:"BitDepth,omitempty"`
	}
	cluster struct {
		Timecode    uint64       `ebml:"Timecode"`
		SimpleBlock []ebml.Block `ebml:"SimpleBlock"`
	}
	seek struct {
		SeekID       []byte `ebml:"SeekID"`
		SeekPosition uint64 `ebml:"SeekPosition,size=8"`
	}
)

var (
	idInfo   = []byte{0x15, 0x49, 0xa9, 0x66}
	idTracks = []byte{0x16, 0x54, 0xae, 0x6b}
	idCues   = []byte{0x1c, 0x53, 0xbb, 0x6b}
)

// head returns SeekHead, Info and Tracks as they are to be now. Positions count
// from the start of the segment's contents, which is where SeekHead is.
func (m *muxer) head() ([]byte, error) {
	info, err := element(&struct {
		Info webm.Info `ebml:"Info"`
	}{webm.Info{
		TimecodeScale: uint64(tick),
		MuxingApp:     application,
		WritingApp:    application,
		Duration:      float64(m.duration) / float64(tick),
		DateUTC:       time.Time{},
	}})
	if err != nil {
		return nil, err
	}
	tracks, err := element(&struct {
		Tracks struct {
			TrackEntry []trackEntry `ebml:"TrackEntry"`
		} `ebml:"Tracks"`
	}{struct {
		TrackEntry []trackEntry `ebml:"TrackEntry"`
	}{m.tracks}})
	if err != nil {
		return nil, err
	}
	// The size does not depend on the positions, so the first try tells it.
	list, err := m.seekHead(0, 0)
	if err == nil {
		list, err = m.seekHead(len(list), len(list)+len(info))
	}
	return append(append(list, info...), tracks...), err
}

func (m *muxer) seekHead(info, tracks int) ([]byte, error) {
	seeks := []seek{{idInfo, uint64(info)}, {idTracks, uint64(tracks)}}
	if m.cuesAt > 0 {
		seeks = append(seeks, seek{idCues, uint64(m.cuesAt) - uint64(len(m.header))})
	}
	return element(&struct {
		SeekHead struct {
			Seek []seek `ebml:"Seek"`
		} `ebml:"SeekHead"`
	}{struct {
		Seek []seek `ebml:"Seek"`
	}{seeks}})
}

func element(v any) ([]byte, error) {
	var b bytes.Buffer
	err := ebml.Marshal(v, &b)
	return b.Bytes(), err
}

// minVoid is the size of an empty Void element with eight bytes for its size.
const minVoid = 9

// void returns padding of n bytes: 0, or at least minVoid.
func void(n int) []byte {
	b := make([]byte, n)
	if n >= minVoid {
		b[0], b[1] = 0xec, 0x01
		for i, left := 8, n-minVoid; left > 0; i-- {
			b[i] = byte(left)
			left >>= 8
		}
	}
	return b
}
