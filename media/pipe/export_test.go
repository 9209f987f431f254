package pipe

import (
	"io"
	"time"

	"github.com/parley-rtc/parley/media"
)

// RTSPCommand is the command that RTSP runs.
func RTSPCommand(address string, opts *RTSPOptions) ([]string, *Options, error) {
	return rtspCommand(address, opts)
}

// Secrets are what its logs and errors do not show.
func (o *Options) Secrets() []string { return o.secrets }

// Redact is what is done to what programs say.
func Redact(s string, secrets []string) string { return redact(s, secrets) }

// Demux takes a whole stream apart, without goroutine: the samples of each
// source that fit into its queue, and the reason of the end.
func Demux(r io.Reader, opts *Options) (all [][]media.Sample, stats Stats, err error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, stats, err
	}
	p := newPipe("test", o)
	err = p.consume(newInput(r, 0, 0))
	for _, s := range p.sources {
		var list []media.Sample
		for _, q := range s.queue {
			list = append(list, q.sample)
		}
		all = append(all, list)
	}
	return all, p.Stats(), err
}

// Timeline is the timeline.
type Timeline struct{ t timeline }

// Next begins another stream.
func (t *Timeline) Next() { t.t.next() }

// Place places a sample.
func (t *Timeline) Place(at time.Duration, arrival time.Time) (time.Duration, time.Time) {
	return t.t.place(at, arrival)
}

// Smooth returns a smoother's method.
func Smooth(fps float64) func(time.Time) time.Duration {
	s := newSmoother(fps)
	return s.next
}
