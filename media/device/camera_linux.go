package device

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/v4l2"
)

// On Linux cameras are read by our own package. What mediadevices v0.10.0 does
// there cannot be made good from outside: it takes the size that it asked for
// as granted and rows as having no padding, so that pictures of some drivers
// are skewed or read past their end; it cannot open multi-planar cameras; it
// opens every camera when it is imported; waiting for a picture cannot be
// interrupted for five seconds; and an H.264 camera has no formats.
type v4l2Camera struct {
	*v4l2.Camera
	preferred bool // it was the default one when it was opened
}

func (c v4l2Camera) device() Device {
	d := deviceOf(c.Camera.Device())
	d.Default = c.preferred
	return d
}

func (c v4l2Camera) source() media.Source {
	return v4l2Source{c.Camera.Source(), c.Camera.Device().Label}
}

func (c v4l2Camera) settings() VideoSettings {
	g := c.Config()
	s := VideoSettings{Width: g.Width, Height: g.Height, FrameRate: g.FrameRate}
	s.Format, _ = g.Format.Pixels()
	s.Codec, _ = g.Format.Codec()
	return s
}

func (c v4l2Camera) ReadFrame(ctx context.Context, f *media.VideoFrame) error {
	if err := c.Camera.ReadFrame(ctx, f); err != nil {
		return cameraError(ctx, c.Camera.Device().Label, err)
	}
	return nil
}

// v4l2Source is what a camera encodes, with our errors.
type v4l2Source struct {
	media.Source
	label string
}

func (s v4l2Source) Next(ctx context.Context) (media.Sample, error) {
	sample, err := s.Source.Next(ctx)
	if err != nil {
		return sample, cameraError(ctx, s.label, err)
	}
	return sample, nil
}

func (s v4l2Source) RequestKeyframe() {
	if k, ok := s.Source.(media.KeyframeRequester); ok {
		k.RequestKeyframe()
	}
}

func (s v4l2Source) SetBitrate(bps int) {
	if b, ok := s.Source.(media.BitrateSetter); ok {
		b.SetBitrate(bps)
	}
}

func cameras(context.Context) ([]Device, error) {
	found, err := v4l2.Devices()
	all := make([]Device, len(found))
	for i, d := range found {
		all[i] = deviceOf(d)
		all[i].Default = i == 0
	}
	if err != nil {
		return all, cameraError(context.Background(), "", err)
	}
	return all, nil
}

func deviceOf(d v4l2.Device) Device {
	out := Device{ID: d.ID, Label: d.Label, Kind: media.Video, alias: []string{d.Path}, place: d.Path}
	for _, f := range d.Formats {
		vf := VideoFormat{Name: string(f.Format)}
		vf.Pixels, _ = f.Format.Pixels()
		vf.Codec, _ = f.Format.Codec()
		if vf.Pixels == "" && vf.Codec == "" {
			continue // nobody here can read it
		}
		for _, s := range f.Sizes {
			vf.Width, vf.Height = s.Min.Width, s.Min.Height
			vf.MaxWidth, vf.MaxHeight = s.Max.Width, s.Max.Height
			vf.StepWidth, vf.StepHeight = s.Step.Width, s.Step.Height
			vf.FrameRates = nil
			for _, r := range s.Rates {
				vf.FrameRates = append(vf.FrameRates, r.Max)
				if r.Min != r.Max {
					vf.FrameRates = append(vf.FrameRates, r.Min)
				}
			}
			out.Video = append(out.Video, vf)
		}
		if len(f.Sizes) == 0 {
			out.Video = append(out.Video, vf)
		}
	}
	return out
}

func openCamera(ctx context.Context, d Device, w cameraWant) (camera, error) {
	o := v4l2.Options{
		Width: w.Width, Height: w.Height, FrameRate: w.FrameRate,
		Format: v4l2.Format(w.Format), Nearest: w.Nearest, Reopen: w.Reopen,
	}
	if w.codec != "" {
		o.Format = v4l2.Format(w.codec)
	} else if o.Format == "" && onlyEncodes(d) {
		return nil, &Error{
			Kind: media.Video, Device: d.Label, Err: ErrUnsatisfiable,
			Cause: fmt.Errorf("it gives no pictures, only what it has encoded itself (%s), which can be passed through", formatNames(d)),
		}
	}
	cam, err := openV4L2(ctx, d, o)
	if err != nil || w.codec != "" || cam.settings().Format != "" {
		return cam, err
	}
	// What it encodes itself fits best, but pictures are wanted.
	_ = cam.Close() // nothing was read
	for _, pixels := range preferred {
		if !slices.ContainsFunc(d.Video, func(f VideoFormat) bool { return f.Pixels == pixels }) {
			continue
		}
		o.Format = v4l2.Format(pixels)
		if cam, err = openV4L2(ctx, d, o); !errors.Is(err, ErrUnsatisfiable) {
			return cam, err
		}
	}
	return nil, err
}

// preferred is in which order formats are tried: what costs least to convert,
// then what has to be decoded, then what lacks color.
var preferred = []media.PixelFormat{
	media.I420, media.NV12, media.NV21, media.YUYV, media.UYVY, media.BGRA, media.RGBA, media.MJPEG, media.Gray,
}

func openV4L2(ctx context.Context, d Device, o v4l2.Options) (camera, error) {
	c, err := v4l2.Open(ctx, d.place.(string), o)
	if err != nil {
		return nil, cameraError(ctx, d.Label, err)
	}
	return v4l2Camera{c, d.Default}, nil
}

func onlyEncodes(d Device) bool {
	for _, f := range d.Video {
		if f.Pixels != "" {
			return false
		}
	}
	return len(d.Video) > 0
}

func formatNames(d Device) string {
	var names []string
	for _, f := range d.Video {
		if len(names) == 0 || names[len(names)-1] != f.Name {
			names = append(names, f.Name)
		}
	}
	return strings.Join(names, ", ")
}

// cameraError makes errors of v4l2 ours. Those of a context stay as they are.
func cameraError(ctx context.Context, label string, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	for theirs, ours := range map[error]error{
		v4l2.ErrNotFound:      ErrNotFound,
		v4l2.ErrBusy:          ErrBusy,
		v4l2.ErrPermission:    ErrPermission,
		v4l2.ErrUnsatisfiable: ErrUnsatisfiable,
		v4l2.ErrUnplugged:     ErrUnplugged,
		v4l2.ErrBroken:        ErrBroken,
		v4l2.ErrStalled:       ErrBroken,
	} {
		if errors.Is(err, theirs) {
			e := &Error{Kind: media.Video, Device: label, Err: ours, Cause: err}
			if theirs == v4l2.ErrNotFound { //nolint:errorlint // a key of the map; listed a moment ago, and gone
				e.Err = ErrUnplugged
			}
			return e
		}
	}
	return err
}
