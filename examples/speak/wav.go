package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parley-rtc/parley/media"
)

// maxWAV bounds a file: a minute of the best sound.
const maxWAV = 60*48000*2*2 + 1<<10

// decodeWAV takes the sound out of a WAV file of 16-bit PCM. Programs that
// write to a pipe do not know its length beforehand; what is there counts.
func decodeWAV(b []byte) (*media.AudioFrame, error) {
	if len(b) < 12 || !bytes.Equal(b[:4], []byte("RIFF")) || !bytes.Equal(b[8:12], []byte("WAVE")) {
		return nil, errors.New("not a WAV file")
	}
	f := &media.AudioFrame{}
	for b = b[12:]; len(b) >= 8; {
		name, size := string(b[:4]), uint64(binary.LittleEndian.Uint32(b[4:8]))
		chunk := b[8:]
		if size < uint64(len(chunk)) {
			chunk = chunk[:size]
		}
		switch {
		case name == "fmt " && len(chunk) >= 16:
			format, bits := binary.LittleEndian.Uint16(chunk), binary.LittleEndian.Uint16(chunk[14:])
			if format != 1 || bits != 16 {
				return nil, fmt.Errorf("it is of format %d with %d bits; 16-bit PCM is understood", format, bits)
			}
			f.Channels, f.Rate = int(binary.LittleEndian.Uint16(chunk[2:])), int(binary.LittleEndian.Uint32(chunk[4:]))
		case name == "data" && f.Rate > 0:
			f.Samples = make([]int16, len(chunk)/2)
			for i := range f.Samples {
				f.Samples[i] = int16(binary.LittleEndian.Uint16(chunk[2*i:]))
			}
			if f.Channels > 0 {
				f.Samples = f.Samples[:len(f.Samples)/f.Channels*f.Channels]
			}
			return f, f.Validate()
		}
		b = b[min(8+size+size%2, uint64(len(b))):]
	}
	return nil, errors.New("no sound in it")
}
