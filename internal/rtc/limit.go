package rtc

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/parley-rtc/parley/internal/congestion"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// limitStep is by how much the limit must change to be told, one part in so
// many.
const limitStep = 32

// Limit returns how much the connection can send, in bits per second with
// everything; 0: no limit is known. Handler.Limit tells of changes.
func (p *Peer) Limit() int { return p.congestion.Limit() }

// MediaLimit returns how much video can be sent, in bits per second of payload,
// beside sound and repairs; ok is false where no limit is known. While a queue
// on the path goes away, lasting is what it will be after that.
func (p *Peer) MediaLimit() (bitrate, lasting int, ok bool) {
	return p.congestion.MediaLimit(time.Since(p.born))
}

// Want says how much video there would be to send, in bits per second of
// payload, so that it is found out whether there is room for it. 0, as in the
// beginning: nothing that is not sent.
func (p *Peer) Want(bitrate int) {
	p.congestion.Want(bitrate)
	p.wake()
}

// tellLimit tells the owner when the limit has changed.
func (p *Peer) tellLimit() {
	limit := int64(p.congestion.Limit())
	told := p.limitTold.Load()
	if d := max(limit-told, told-limit); d == 0 || limit != 0 && told != 0 && d < told/limitStep {
		return
	}
	p.limitTold.Store(limit)
	p.tell(p.handler.Limit)
}

// anotherPath forgets what is known of the path.
func (p *Peer) anotherPath(pair *webrtc.ICECandidatePair) {
	p.callNobody(pair.Local)
	p.congestion.Reset()
	p.tellLimit()
}

// readNumbers notes under which ids the other side takes numbers. Sections of a
// kind share them, as all sections of a bundle must.
func (p *Peer) readNumbers(description string) {
	kind := -1
	for line := range strings.Lines(description) {
		switch {
		case strings.HasPrefix(line, "m=audio "):
			kind = 0
		case strings.HasPrefix(line, "m=video "):
			kind = 1
		case strings.HasPrefix(line, "m="):
			kind = -1
		case kind >= 0 && strings.HasPrefix(line, "a=extmap:"):
			f := strings.Fields(line[len("a=extmap:"):])
			if len(f) < 2 || f[1] != sdp.TransportCCURI {
				continue
			}
			number, _, _ := strings.Cut(f[0], "/")
			if id, err := strconv.Atoi(number); err == nil && id > 0 && id < 15 {
				p.numberIDs[kind].Store(uint32(id))
			}
		}
	}
}

// numberID returns the id of the header extension for numbers; 0: the other
// side does not take them.
func (p *Peer) numberID(kind media.Kind) uint8 {
	if kind == media.Video {
		return uint8(p.numberIDs[1].Load())
	}
	return uint8(p.numberIDs[0].Load())
}

// numbering writes numbers into headers. Its zero value is ready; it can be used
// again for each packet that one goroutine at a time sends.
type numbering struct {
	value [2]byte
	id    uint8
	own   rtp.Extension
	list  [4]rtp.Extension
}

// write sends a packet with its number, if the other side takes numbers. It
// allocates only the first time.
func (n *numbering) write(p *Peer, kind media.Kind, w webrtc.TrackLocalWriter, h *rtp.Header, payload []byte, what congestion.Kind) error {
	id := p.numberID(kind)
	if id == 0 {
		_, err := w.WriteRTP(h, payload)
		return err
	}
	if n.id != id {
		var made rtp.Header
		if err := made.SetExtension(id, n.value[:]); err != nil {
			return err // never: the id and the length are possible
		}
		n.id, n.own = id, made.Extensions[0]
	}
	binary.BigEndian.PutUint16(n.value[:], p.congestion.Sent(time.Since(p.born), len(payload), what))
	had, profile, list := h.Extension, h.ExtensionProfile, h.Extensions
	h.Extensions = n.list[:0]
	if had {
		h.Extensions = append(h.Extensions, list...)
	}
	h.Extension, h.ExtensionProfile, h.Extensions = true, rtp.ExtensionProfileOneByte, append(h.Extensions, n.own)
	_, err := w.WriteRTP(h, payload)
	h.Extension, h.ExtensionProfile, h.Extensions = had, profile, list
	return err
}

// probe sends the fillers that are due, and returns when there may be more;
// zero: when something is told.
func (p *Peer) probe(now time.Time) (next time.Time) {
	o, b := p.prober()
	if o == nil {
		return time.Time{}
	}
	n, again := p.congestion.Probe(now.Sub(p.born))
	if n > 0 {
		o.Hold()
		for range n {
			o.fill(b)
		}
		o.Release()
	}
	if again == 0 {
		return time.Time{}
	}
	return p.born.Add(again)
}

// prober returns a section that can send fillers, or nil. It has sent something:
// the other side may not listen to others.
func (p *Peer) prober() (*Outlet, *binding) {
	if p.numberID(media.Video) == 0 {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.outlets {
		if b := o.bound.Load(); b != nil && o.kind == media.Video && b.rtxSSRC != 0 && len(b.rtx) > 0 && o.Stats().Packets > 0 {
			return o, b
		}
	}
	return nil, nil
}

// filling is all padding: the last byte says how much.
var filling = func() []byte {
	b := make([]byte, congestion.FillerSize)
	b[congestion.FillerSize-1] = congestion.FillerSize
	return b
}()

// fill sends a packet that is all padding in the stream of repairs, where gaps
// do not matter.
func (o *Outlet) fill(b *binding) {
	h := rtp.Header{Version: 2, Padding: true, SSRC: b.rtxSSRC}
	for _, pt := range b.rtx {
		h.PayloadType = pt
	}
	o.mu.Lock()
	o.rtxSeq++
	h.SequenceNumber, h.Timestamp = o.rtxSeq, o.report.rtp
	o.mu.Unlock()
	_ = o.fillers.write(o.peer, o.kind, b.writer, &h, filling, congestion.Filler) // lost is lost
}
