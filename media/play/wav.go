package play

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"time"

	"github.com/parley-rtc/parley/media"
)

// WAV is a [Sound] that nobody hears: it is written into a file as it would be
// heard, with its pauses.
//
// It owns the goroutine that writes, from Start to Close.
type WAV struct {
	f *os.File
	w *bufio.Writer

	mu     sync.Mutex
	cancel context.CancelFunc // nil before Start
	wg     sync.WaitGroup
	closed bool
	err    error

	size int64 // of the sound; the goroutine's until it ends
	head [wavHead]byte
}

const wavHead = 44

// CreateWAV makes or empties the file at path.
func CreateWAV(path string) (*WAV, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("play: %w", err)
	}
	return &WAV{f: f, w: bufio.NewWriterSize(f, 1<<16)}, nil
}

// Start writes what m mixes, at the pace of the clock.
func (w *WAV) Start(m *Mixer) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.cancel != nil {
		return fmt.Errorf("play: %s: %w: a file is for one player", w.f.Name(), ErrOption)
	}
	if _, err := w.w.Write(w.header(m.Channels(), 0)); err != nil {
		return fmt.Errorf("play: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background()) // ends with Close
	w.cancel = cancel
	w.wg.Go(func() {
		err := w.record(ctx, m)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.err = err
	})
	return nil
}

func (w *WAV) record(ctx context.Context, m *Mixer) error {
	var f media.AudioFrame
	var raw []byte
	for {
		switch err := m.ReadAudio(ctx, &f); {
		case errors.Is(err, io.EOF), errors.Is(err, context.Canceled):
			return nil // as it should end
		case err != nil:
			return err
		}
		raw = raw[:0]
		for _, v := range f.Samples {
			raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
		}
		if w.size+int64(len(raw)) > math.MaxUint32-wavHead {
			return fmt.Errorf("play: %s is full", w.f.Name())
		}
		if _, err := w.w.Write(raw); err != nil {
			return fmt.Errorf("play: %w", err)
		}
		w.size += int64(len(raw))
	}
}

// header is the file's, for sound of so many bytes.
func (w *WAV) header(channels int, size int64) []byte {
	h := append(w.head[:0], "RIFF"...)
	h = binary.LittleEndian.AppendUint32(h, uint32(wavHead-8+size))
	h = append(h, "WAVEfmt \x10\x00\x00\x00\x01\x00"...)
	h = binary.LittleEndian.AppendUint16(h, uint16(channels))
	h = binary.LittleEndian.AppendUint32(h, rate)
	h = binary.LittleEndian.AppendUint32(h, uint32(rate*2*channels))
	h = binary.LittleEndian.AppendUint16(h, uint16(2*channels))
	h = append(h, "\x10\x00data"...)
	return binary.LittleEndian.AppendUint32(h, uint32(size))
}

// Latency is nothing.
func (w *WAV) Latency() time.Duration { return 0 }

// Close completes the file. It returns what kept sound from being written.
func (w *WAV) Close() error {
	w.mu.Lock()
	first := !w.closed
	w.closed = true
	if w.cancel != nil {
		w.cancel()
	}
	w.mu.Unlock()
	w.wg.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !first {
		return w.err
	}
	err := w.w.Flush()
	if err == nil && w.size > 0 {
		sizes := [2][]byte{}
		for i, v := range []int64{wavHead - 8 + w.size, w.size} {
			sizes[i] = binary.LittleEndian.AppendUint32(nil, uint32(v))
		}
		_, err1 := w.f.WriteAt(sizes[0], 4)
		_, err2 := w.f.WriteAt(sizes[1], wavHead-4)
		err = errors.Join(err1, err2)
	}
	if err = errors.Join(err, w.f.Close()); err != nil {
		w.err = errors.Join(w.err, fmt.Errorf("play: %w", err))
	}
	return w.err
}
