package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/vpx"
	"github.com/parley-rtc/parley/media/file"
)

// interval is the time of one picture.
const interval = time.Second / 30

// profileTo is the variable that tells a child where to write its CPU profile.
const profileTo = "MEDIABENCH_PROFILE"

// child does one thing until its standard input ends.
func child(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) != 7 {
		return errors.New("a child has seven arguments")
	}
	s := setting{clip: args[1]}
	for i, p := range []*int{&s.width, &s.height, &s.bitrate} {
		var err error
		if *p, err = strconv.Atoi(args[2+i]); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, in) // however it ends
		stop()
	}()
	c := &worker{setting: s, out: out}
	if path := os.Getenv(profileTo); path != "" {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // a profile that is cut cannot be read
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	var err error
	switch mode, url, token := args[0], args[5], args[6]; mode {
	case "encode":
		err = c.encode(ctx)
	case "source":
		err = c.source(ctx)
	case "publish", "passthrough":
		err = c.publish(ctx, mode, url, token)
	case "watch":
		err = c.watch(ctx, url, token)
	default:
		err = fmt.Errorf("no mode %q", mode)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(c.result)
}

// worker is the child.
type worker struct {
	setting
	out    io.Writer
	result result

	count   int64
	before  uint64
	garbage []uint64 // of each window
}

// window is how many pictures garbage is counted over. The least counts: what
// is allocated once is not for each picture.
const window = 60

// tick counts a picture. It is called by one goroutine. After the first second
// it says that the child is under way.
func (c *worker) tick() {
	c.count++
	switch {
	case c.count == 30:
		fmt.Fprintln(c.out, "ready")
	case c.count > 30:
		_, _ = c.out.Write([]byte{'.'}) // the parent counts them
	}
	if c.count%window == 0 {
		now := allocated()
		c.garbage = append(c.garbage, now-c.before)
		c.before = now
	}
}

// done ends the counting.
func (c *worker) done() {
	fmt.Fprintln(c.out)
	if len(c.garbage) > 1 {
		c.result.Bytes, c.result.Frames = slices.Min(c.garbage[1:]), window
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// pace waits for the next picture of the schedule, in absolute time.
type pace struct {
	begun time.Time
	n     int
	timer *time.Timer
}

func (p *pace) wait(ctx context.Context) error {
	if p.timer == nil {
		p.begun, p.timer = time.Now(), time.NewTimer(0)
	}
	p.n++
	p.timer.Reset(time.Until(p.begun.Add(time.Duration(p.n) * interval)))
	select {
	case <-p.timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// clipReader plays a clip as a camera does.
type clipReader struct {
	pace
	setting
	file *os.File
}

func (r *clipReader) ReadFrame(ctx context.Context, f *media.VideoFrame) error {
	if err := r.wait(ctx); err != nil {
		return err
	}
	if err := f.Reset(media.YUYV, r.width, r.height); err != nil {
		return err
	}
	if _, err := r.file.ReadAt(f.Planes[0], int64(r.n%clipFrames*len(f.Planes[0]))); err != nil {
		return err
	}
	f.Captured = time.Now()
	f.Timestamp = f.Captured.Sub(r.begun)
	stamp(f, f.Captured)
	return nil
}

func (r *clipReader) Close() error { return r.file.Close() }

func (c *worker) reader() (*clipReader, error) {
	f, err := os.Open(c.clip)
	return &clipReader{setting: c.setting, file: f}, err
}

func (c *worker) encoder() (media.VideoEncoder, error) {
	return vpx.NewEncoder(codec.VideoOptions{Bitrate: c.bitrate, Threads: 1})
}

// encode gives the encoder pictures that were converted before.
func (c *worker) encode(ctx context.Context) error {
	r, err := c.reader()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // it was only read
	enc, err := c.encoder()
	if err != nil {
		return err
	}
	defer func() { _ = enc.Close() }() // nothing is left to do with it
	var raw media.VideoFrame
	frames := make([]media.VideoFrame, clipFrames)
	if err := raw.Reset(media.YUYV, c.width, c.height); err != nil {
		return err
	}
	for i := range frames {
		if _, err := r.file.ReadAt(raw.Planes[0], int64(i*len(raw.Planes[0]))); err != nil {
			return err
		}
		stamp(&raw, time.Now())
		if err := media.Convert(&frames[i], &raw); err != nil {
			return err
		}
	}
	for p := (pace{}); p.wait(ctx) == nil; c.tick() {
		f := &frames[p.n%clipFrames]
		f.Timestamp = time.Duration(p.n) * interval
		if _, err := enc.Encode(f, false); err != nil {
			return err
		}
	}
	c.done()
	return nil
}

// source reads, converts and encodes.
func (c *worker) source(ctx context.Context) error {
	r, err := c.reader()
	if err != nil {
		return err
	}
	enc, err := c.encoder()
	if err != nil {
		return err
	}
	src := media.NewVideoSource(r, enc, nil)
	defer func() { _ = src.Close() }() // nothing is left to do with it
	for {
		_, err := src.Next(ctx)
		if ctx.Err() != nil {
			c.done()
			return nil
		}
		if err != nil {
			return err
		}
		c.tick()
	}
}

// counted counts the samples of a source.
type counted struct {
	media.Source
	c *worker
}

func (s counted) Next(ctx context.Context) (media.Sample, error) {
	sample, err := s.Source.Next(ctx)
	if err == nil {
		s.c.tick()
	}
	return sample, err
}

func (s counted) RequestKeyframe() {
	if k, ok := s.Source.(media.KeyframeRequester); ok {
		k.RequestKeyframe()
	}
}

// encodingCamera gives a film that is encoded already, like a camera that
// encodes.
type encodingCamera struct {
	pace
	film []media.Sample
}

func newEncodingCamera(path string) (*encodingCamera, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	c := &encodingCamera{}
	for s, err := range file.Samples(f, nil) {
		if err != nil {
			return nil, err
		}
		s.Data = slices.Clone(s.Data)
		c.film = append(c.film, s)
	}
	return c, nil
}

func (c *encodingCamera) Next(ctx context.Context) (media.Sample, error) {
	if err := c.wait(ctx); err != nil {
		return media.Sample{}, err
	}
	s := c.film[c.n%len(c.film)]
	s.Captured = time.Now()
	s.Timestamp = s.Captured.Sub(c.begun)
	return s, nil
}

func (c *encodingCamera) Codec() media.Codec { return media.H264 }

func (c *encodingCamera) Close() error { return nil }

// publish sends what source does, or a film that is encoded already.
func (c *worker) publish(ctx context.Context, mode, url, token string) error {
	var src media.Source
	if mode == "passthrough" {
		cam, err := newEncodingCamera(c.clip)
		if err != nil {
			return err
		}
		src = cam
	} else {
		r, err := c.reader()
		if err != nil {
			return err
		}
		enc, err := c.encoder()
		if err != nil {
			return err
		}
		src = media.NewVideoSource(r, enc, nil)
	}
	track, err := parley.NewLocalVideoTrack(counted{src, c}, nil)
	if err != nil {
		return err
	}
	defer track.Stop()
	room, err := parley.ConnectContext(ctx, token, &parley.ConnectOptions{URL: url, Tracks: []parley.LocalTrack{track}})
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-room.Done():
		return fmt.Errorf("the room ended: %w", room.Err())
	}
	room.Disconnect()
	track.Stop()
	c.done()
	return nil
}

// watch receives the pictures and tells how old they are when they arrive.
func (c *worker) watch(ctx context.Context, url, token string) error {
	room, err := parley.ConnectContext(ctx, token, &parley.ConnectOptions{URL: url})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	sink := &arrivals{c: c, queue: make(chan arrival, 256)}
	wg.Go(func() {
		for ev := range room.Events() {
			if s, ok := ev.(parley.TrackSubscribed); ok {
				if v, ok := s.Track.(*parley.RemoteVideoTrack); ok {
					err = errors.Join(err, v.Attach(sink))
				}
			}
		}
	})
	var ages []time.Duration
	if c.width > 0 {
		wg.Go(func() { ages, err = sink.decode() })
	}
	<-ctx.Done()
	room.Disconnect()
	sink.close()
	wg.Wait()
	c.done()
	if len(ages) > 60 {
		ages = slices.Sorted(slices.Values(ages[30:]))
		c.result.P50 = float64(ages[len(ages)/2]) / 1e6
		c.result.P99 = float64(ages[len(ages)*99/100]) / 1e6
	}
	return err
}

type arrival struct {
	sample media.Sample
	at     time.Time
}

// arrivals notes when samples arrive.
type arrivals struct {
	c     *worker
	queue chan arrival

	mu     sync.Mutex
	closed bool
}

func (a *arrivals) WriteSample(s media.Sample) error {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return media.ErrClosed
	}
	a.c.tick()
	s.Data = slices.Clone(s.Data)
	select {
	case a.queue <- arrival{s, now}:
	default: // nobody decodes
	}
	return nil
}

func (a *arrivals) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	close(a.queue)
}

// decode reads the times in the pictures.
func (a *arrivals) decode() (ages []time.Duration, err error) {
	dec, err := vpx.NewDecoder()
	if err != nil {
		return nil, err
	}
	defer func() { _ = dec.Close() }() // nothing is left to do with it
	var f media.VideoFrame
	for s := range a.queue {
		if ok, err := dec.Decode(s.sample, &f); err != nil || !ok {
			continue // until a key frame comes
		}
		if age, ok := stamped(&f, s.at); ok {
			ages = append(ages, age)
		}
	}
	return ages, nil
}
