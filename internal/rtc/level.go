package rtc

import (
	"fmt"

	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// levelURI names the header extension of RFC 6464: how loud the sound in a
// packet is. All audio sections offer it: what the first negotiation leaves out
// pion never offers again.
const levelURI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"

// maxLevel is silence, in dB below the loudest.
const maxLevel = 127

// voice marks a level that is probably speech. Others find out for themselves.
const (
	voice      = 0x80
	voiceLevel = 60
)

func registerLevel(engine *webrtc.MediaEngine) error {
	ext := webrtc.RTPHeaderExtensionCapability{URI: levelURI}
	if err := engine.RegisterHeaderExtension(ext, webrtc.RTPCodecTypeAudio); err != nil {
		return fmt.Errorf("registering audio levels: %w", err)
	}
	return nil
}

// levelID returns the id under which levels travel, or zero.
func levelID(kind media.Kind, negotiated []webrtc.RTPHeaderExtensionParameter) uint8 {
	for _, ext := range negotiated {
		if kind == media.Audio && ext.URI == levelURI && ext.ID > 0 && ext.ID < 15 {
			return uint8(ext.ID)
		}
	}
	return 0
}

// Level returns how loud the sound in a packet that Read returned is: -127 dB,
// which is silence, to -1 dB of the loudest; zero where the packet does not
// tell.
func (in *Inlet) Level(h *rtp.Header) int {
	if in.level == 0 {
		return 0
	}
	if ext := h.GetExtension(in.level); len(ext) > 0 {
		return min(-int(ext[0]&maxLevel), -1)
	}
	return 0
}

// Level is the header extension that tells how loud a packet is. Its zero value
// is ready; it can be used again for each packet of one stream.
type Level struct {
	value [1]byte
	id    uint8
	list  []rtp.Extension
}

// Put adds a level, as [Inlet.Level] returns it, to the header of a packet that
// the outlet will send next, if the other side wants to know. It allocates only
// the first time. The header refers to l until it is written.
func (l *Level) Put(h *rtp.Header, o *Outlet, level int) {
	if o == nil || level == 0 {
		return
	}
	b := o.bound.Load()
	if b == nil || b.level == 0 {
		return
	}
	l.value[0] = byte(min(max(-level, 0), maxLevel))
	if l.value[0] <= voiceLevel {
		l.value[0] |= voice
	}
	if l.id != b.level {
		var made rtp.Header
		if made.SetExtension(b.level, l.value[:]) != nil {
			return // never: the id and the length are possible
		}
		l.id, l.list = b.level, made.Extensions
	}
	h.Extension, h.ExtensionProfile, h.Extensions = true, rtp.ExtensionProfileOneByte, l.list
}
