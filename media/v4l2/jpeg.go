package v4l2

import (
	"bytes"
	"image"
	"image/jpeg"
	"sync"
)

const (
	jpegSOS = 0xda
	jpegDHT = 0xc4
)

// appendJPEG appends a camera's picture to dst. Many cameras leave out the
// Huffman tables where they are those of the standard, as AVI files do;
// decoders want them.
func appendJPEG(dst, data []byte) []byte {
	at, missing := missingTables(data)
	if !missing {
		return append(dst, data...)
	}
	dst = append(dst, data[:at]...)
	dst = append(dst, huffmanTables()...)
	return append(dst, data[at:]...)
}

// missingTables returns where Huffman tables belong in a picture without any.
func missingTables(data []byte) (at int, missing bool) {
	at = 2 // behind the start of the image
	for at+4 <= len(data) && data[at] == 0xff {
		switch data[at+1] {
		case 0xff: // a fill byte
			at++
			continue
		case jpegDHT:
			return 0, false
		case jpegSOS:
			return at, true
		}
		at += 2 + int(data[at+2])<<8 + int(data[at+3])
	}
	return 0, false
}

// huffmanTables returns the tables of the JPEG standard (ITU-T T.81, K.3) as a
// segment. They are those that the standard library writes.
var huffmanTables = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewYCbCr(image.Rect(0, 0, 8, 8), image.YCbCrSubsampleRatio420), nil); err != nil {
		return nil // a buffer takes everything
	}
	data := b.Bytes()
	for at := 2; at+4 <= len(data); {
		size := 2 + int(data[at+2])<<8 + int(data[at+3])
		if data[at+1] == jpegDHT {
			return data[at : at+size]
		}
		at += size
	}
	return nil
})
