package synth

import (
	"context"
	"math"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/internal/g711"
	"github.com/parley-rtc/parley/media/internal/pace"
)

const (
	g711Rate   = 8000
	g711Packet = 160 // 20 ms
	// toneLevel is the tone's peak: a quarter of full scale.
	toneLevel = 8192
)

// PCMU returns a tone of freq Hz in G.711 mu-law, in packets of 20 ms. It is
// computed, not stored, and never ends by itself. Frequencies outside 1 to
// 3999 Hz give 440 Hz.
func PCMU(freq float64) media.Source { return newTone(media.PCMU, freq, g711.EncodeMuLaw) }

// PCMA is [PCMU] in A-law.
func PCMA(freq float64) media.Source { return newTone(media.PCMA, freq, g711.EncodeALaw) }

type toneSource struct {
	codec  media.Codec
	encode func(int16) byte
	step   float64 // periods per sample
	phase  float64 // of the next packet, in periods
	n      int64   // packets returned
	pacer  *pace.Pacer
}

func newTone(codec media.Codec, freq float64, encode func(int16) byte) *toneSource {
	if !(freq >= 1 && freq < g711Rate/2) {
		freq = 440
	}
	return &toneSource{codec: codec, encode: encode, step: freq / g711Rate, pacer: pace.New()}
}

func (t *toneSource) Codec() media.Codec { return t.codec }

func (t *toneSource) Next(ctx context.Context) (media.Sample, error) {
	const length = g711Packet * time.Second / g711Rate
	ts, err := t.pacer.Wait(ctx, time.Duration(t.n)*length)
	if err != nil {
		return media.Sample{}, err
	}
	data := make([]byte, g711Packet)
	for i := range data {
		phase := t.phase + t.step*float64(i)
		data[i] = t.encode(int16(math.Round(toneLevel * math.Sin(2*math.Pi*phase))))
	}
	_, t.phase = math.Modf(t.phase + t.step*g711Packet)
	t.n++
	return media.Sample{Codec: t.codec, Data: data, Timestamp: ts, Duration: length, Keyframe: true}, nil
}

func (t *toneSource) Close() error {
	t.pacer.Close()
	return nil
}
