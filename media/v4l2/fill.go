package v4l2

import "github.com/parley-rtc/parley/media"

// fill copies a picture out of the driver's memory. It reports whether it can
// be what the device says it is.
func (s *stream) fill(f *media.VideoFrame, pixels media.PixelFormat, p *picture) bool {
	memory := s.buffers[p.index]
	if pixels == media.MJPEG {
		data := memory[0][p.starts[0]:p.ends[0]]
		if len(data) < 4 || data[0] != 0xff || data[1] != 0xd8 {
			return false
		}
		f.Planes[0] = appendJPEG(f.Planes[0][:0], data)
	}
	for i, part := range s.layout.parts {
		data := memory[part.memory][p.starts[part.memory]:p.ends[part.memory]]
		data = data[part.offset:]
		f.Planes[i] = resize(f.Planes[i], part.length)
		copy(f.Planes[i], data) // the padding of the last row may be missing
	}
	f.Format, f.Width, f.Height = pixels, s.config.Width, s.config.Height
	planes := max(len(s.layout.parts), 1)
	for i := range f.Planes {
		f.Strides[i] = 0
		switch {
		case i >= planes:
			f.Planes[i] = f.Planes[i][:0]
		case i < len(s.layout.parts):
			f.Strides[i] = s.layout.parts[i].stride
		}
	}
	return true
}

func resize(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
