//go:build cgo && (darwin || windows)

package device

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/pion/mediadevices/pkg/driver"
	mediacamera "github.com/pion/mediadevices/pkg/driver/camera" // registers the cameras, once
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
)

// Cameras of macOS and Windows are read by the drivers of mediadevices, and by
// nothing above them. What they cannot do: tell that a camera was unplugged
// other than by silence, open one camera twice, or say why one cannot be
// opened. Cameras are looked for once, when the program starts, and again by
// each listing that finds none of them open.

// known guards the one list of drivers, which a new look replaces.
var known struct {
	sync.Mutex
	open int
}

// pixelFormats is in the order in which formats are chosen, with their names.
var pixelFormats = []struct {
	frame  frame.Format
	pixels media.PixelFormat
}{
	{frame.FormatI420, media.I420},
	{frame.FormatNV12, media.NV12},
	{frame.FormatNV21, media.NV21},
	{frame.FormatYUYV, media.YUYV},
	{frame.FormatUYVY, media.UYVY},
	{frame.FormatMJPEG, media.MJPEG},
}

func pixelsOf(f frame.Format) media.PixelFormat {
	for _, p := range pixelFormats {
		if p.frame == f {
			return p.pixels
		}
	}
	return ""
}

func rank(f frame.Format) int {
	for i, p := range pixelFormats {
		if p.frame == f {
			return i
		}
	}
	return len(pixelFormats)
}

func cameras(context.Context) ([]Device, error) {
	known.Lock()
	defer known.Unlock()
	if known.open == 0 {
		mediacamera.Initialize()
	}
	var all []Device
	for _, d := range driver.GetManager().Query(driver.FilterVideoRecorder()) {
		info := d.Info()
		if info.DeviceType != driver.Camera {
			continue
		}
		id, _, _ := strings.Cut(info.Label, mediacamera.LabelSeparator) // their own id is new each time
		label := info.Name
		if label == "" {
			label = id
		}
		dev := Device{ID: id, Label: label, Kind: media.Video, Default: info.Priority == driver.PriorityHigh, place: d}
		dev.Video = formatsOf(d)
		all = append(all, dev)
	}
	if len(all) > 0 && !slices.ContainsFunc(all, func(d Device) bool { return d.Default }) {
		all[0].Default = true
	}
	return all, nil
}

// formatsOf asks for what a camera gives, for which it has to be open.
func formatsOf(d driver.Driver) []VideoFormat {
	if d.Status() == driver.StateClosed {
		if d.Open() != nil {
			return nil
		}
		defer d.Close()
	}
	var out []VideoFormat
	for _, p := range d.Properties() {
		f := VideoFormat{
			Name: string(p.FrameFormat), Pixels: pixelsOf(p.FrameFormat),
			Width: p.Width, Height: p.Height, MaxWidth: p.Width, MaxHeight: p.Height,
		}
		if p.FrameRate > 0 {
			f.FrameRates = []float64{float64(p.FrameRate)}
		}
		out = append(out, f)
	}
	return out
}

// mediaCamera is a camera of mediadevices. It owns one goroutine, which reads,
// so that Close and contexts can end the waiting.
type mediaCamera struct {
	dev    Device
	driver driver.Driver
	got    VideoSettings
	begun  time.Time
	close  func() error
	wg     sync.WaitGroup
	done   chan struct{}
	more   chan struct{} // one slot: a picture is there

	mu     sync.Mutex
	frame  media.VideoFrame // the newest
	there  bool
	failed error
}

func openCamera(ctx context.Context, d Device, w cameraWant) (camera, error) {
	if w.codec != "" {
		return nil, &Error{Kind: media.Video, Device: d.Label, Err: ErrUnsatisfiable, Cause: errors.New("it passes nothing through on this system")}
	}
	dr := d.place.(driver.Driver)
	known.Lock()
	known.open++
	known.Unlock()
	m := &mediaCamera{dev: d, driver: dr, begun: time.Now(), done: make(chan struct{}), more: make(chan struct{}, 1)}
	release := func() {
		known.Lock()
		known.open--
		known.Unlock()
	}
	if err := dr.Open(); err != nil {
		release()
		return nil, &Error{Kind: media.Video, Device: d.Label, Err: ErrBusy, Cause: err} // the only reason that is known
	}
	reader, err := m.begin(w)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = dr.Close() // the first error says more
		release()
		return nil, err
	}
	m.close = sync.OnceValue(func() error {
		close(m.done)
		err := dr.Close()
		m.wg.Wait()
		release()
		return err
	})
	m.wg.Add(1)
	go func() {
		defer m.wg.Done()
		m.fail(m.run(reader))
	}()
	return m, nil
}

// begin picks what fits best, all by itself: mediadevices would take any.
func (m *mediaCamera) begin(w cameraWant) (video.Reader, error) {
	width, height, rate := w.Width, w.Height, w.FrameRate
	if width == 0 && height == 0 {
		width, height = 640, 480
	}
	if rate == 0 {
		rate = 30
	}
	off := func(a int, b float64) float64 {
		if b == 0 {
			return 0
		}
		return max(float64(a)/b, b/float64(a)) - 1
	}
	var best *prop.Media
	var least [3]float64
	for _, p := range m.driver.Properties() {
		fits := w.Nearest || (w.Width == 0 || p.Width == w.Width) && (w.Height == 0 || p.Height == w.Height) &&
			(w.FrameRate == 0 || p.FrameRate == 0 || off(int(p.FrameRate*1000), w.FrameRate*1000) < 0.005)
		if !fits || p.Width <= 0 || p.Height <= 0 || w.Format != "" && pixelsOf(p.FrameFormat) != w.Format {
			continue
		}
		score := [3]float64{off(p.Width, float64(width)) + off(p.Height, float64(height)), 0, float64(rank(p.FrameFormat))}
		if p.FrameRate > 0 {
			score[1] = off(int(p.FrameRate*1000), rate*1000)
		}
		if best == nil || slices.Compare(score[:], least[:]) < 0 {
			best, least = &p, score
		}
	}
	if best == nil {
		return nil, &Error{Kind: media.Video, Device: m.dev.Label, Err: ErrUnsatisfiable, Cause: fmt.Errorf("it has %v", m.dev.Video)}
	}
	m.got = VideoSettings{Width: best.Width, Height: best.Height, FrameRate: float64(best.FrameRate)}
	reader, err := m.driver.(driver.VideoRecorder).VideoRecord(*best)
	if err != nil {
		return nil, &Error{Kind: media.Video, Device: m.dev.Label, Err: ErrBroken, Cause: err}
	}
	return reader, nil
}

// run reads until the camera ends. Panics of the driver end it too.
func (m *mediaCamera) run(r video.Reader) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(media.Video, m.dev.Label, p)
		}
	}()
	for {
		img, release, err := r.Read()
		if err != nil {
			return &Error{Kind: media.Video, Device: m.dev.Label, Err: ErrUnplugged, Cause: err}
		}
		now := time.Now()
		m.mu.Lock()
		err = copyImage(&m.frame, img)
		m.frame.Timestamp, m.frame.Captured = now.Sub(m.begun), now
		m.there = m.there || err == nil
		m.mu.Unlock()
		release()
		if err != nil {
			return &Error{Kind: media.Video, Device: m.dev.Label, Err: ErrBroken, Cause: err}
		}
		select {
		case m.more <- struct{}{}:
		case <-m.done:
			return media.ErrClosed
		default:
		}
	}
}

// copyImage copies what the driver has decoded, whose memory it uses again.
func copyImage(f *media.VideoFrame, img image.Image) error {
	ycc, ok := img.(*image.YCbCr)
	if !ok {
		return fmt.Errorf("a picture of type %T", img)
	}
	size := ycc.Rect.Size()
	src := media.VideoFrame{
		Format: media.I420, Width: size.X, Height: size.Y,
		Planes: [3][]byte{ycc.Y, ycc.Cb, ycc.Cr}, Strides: [3]int{ycc.YStride, ycc.CStride, ycc.CStride},
	}
	switch ycc.SubsampleRatio {
	case image.YCbCrSubsampleRatio420:
	case image.YCbCrSubsampleRatio422: // every second row of color
		src.Strides[1], src.Strides[2] = 2*ycc.CStride, 2*ycc.CStride
	default:
		return fmt.Errorf("colors at %v", ycc.SubsampleRatio)
	}
	if err := src.Validate(); err != nil {
		return err
	}
	return f.CopyFrom(&src)
}

func (m *mediaCamera) fail(err error) {
	m.mu.Lock()
	m.failed = err
	m.mu.Unlock()
	select {
	case m.more <- struct{}{}:
	default:
	}
}

func (m *mediaCamera) ReadFrame(ctx context.Context, f *media.VideoFrame) error {
	for {
		m.mu.Lock()
		there, failed := m.there, m.failed
		var err error
		if there {
			m.there = false
			if err = f.CopyFrom(&m.frame); err == nil {
				f.Timestamp, f.Captured = m.frame.Timestamp, m.frame.Captured
			}
		}
		m.mu.Unlock()
		switch {
		case there:
			return err
		case failed != nil:
			return failed
		}
		select {
		case <-m.more:
		case <-m.done:
			return media.ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *mediaCamera) Close() error { return m.close() }

func (m *mediaCamera) device() Device { return m.dev }

// settings tells I420: that is what the driver decodes to.
func (m *mediaCamera) settings() VideoSettings {
	s := m.got
	s.Format = media.I420
	return s
}

func (m *mediaCamera) source() media.Source { return noSource{} }

// noSource is there for a camera that is never opened in this way.
type noSource struct{}

func (noSource) Codec() media.Codec                         { return "" }
func (noSource) Next(context.Context) (media.Sample, error) { return media.Sample{}, io.EOF }
func (noSource) Close() error                               { return nil }
