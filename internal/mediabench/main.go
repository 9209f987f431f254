// Command mediabench measures what it costs to capture, encode and send
// pictures, against the encoder alone and against ffmpeg with the same library
// and the same settings, and how long a picture takes to the other side:
//
//	go build -tags codecs -o /tmp/parley ./cmd/parley
//	go run -tags codecs ./internal/mediabench -parley /tmp/parley
//
// Everything runs at 30 pictures a second in processes of its own, whose time
// on the processor is read from the kernel: all ways at once, so that the rest
// of the machine is the same to all, and in several rounds, of which the middle
// one counts. It needs Linux and ffmpeg with libvpx.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

type config struct {
	parley  string
	rounds  int
	during  time.Duration
	only    string
	profile string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if len(os.Args) > 1 && os.Args[1] == "child" {
		err = child(ctx, os.Args[2:], os.Stdin, os.Stdout)
	} else {
		err = parent(ctx, os.Args[1:], os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mediabench:", err)
		os.Exit(1)
	}
}

func parent(ctx context.Context, args []string, out io.Writer) error {
	var c config
	flags := flag.NewFlagSet("mediabench", flag.ContinueOnError)
	flags.StringVar(&c.parley, "parley", "", "the program that runs the server")
	flags.IntVar(&c.rounds, "rounds", 3, "how often each is measured")
	flags.DurationVar(&c.during, "during", 8*time.Second, "how long each is measured")
	flags.StringVar(&c.only, "only", "", "measure only this: 640x480, 1280x720 or H.264")
	flags.StringVar(&c.profile, "profile", "", "a folder for the CPU profiles of those who send, which makes them slower")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if c.parley == "" || c.rounds < 1 || c.during < time.Second {
		return errors.New("-parley is missing, or -rounds or -during are too small")
	}
	dir, err := os.MkdirTemp("", "mediabench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left is in a place for that
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer func() { _ = table.Flush() }() // also of what came before an error
	for _, s := range []setting{
		{name: "640x480", width: 640, height: 480, bitrate: 1_000_000},
		{name: "1280x720", width: 1280, height: 720, bitrate: 2_000_000},
	} {
		if !c.wants(s.name) {
			continue
		}
		s.clip = filepath.Join(dir, s.name+".yuyv")
		if err := writeClip(s.clip, s.width, s.height); err != nil {
			return err
		}
		if err := c.size(ctx, table, s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := os.Remove(s.clip); err != nil {
			return err
		}
	}
	if !c.wants("H.264") {
		return nil
	}
	if err := c.passthrough(ctx, table, dir); err != nil {
		return fmt.Errorf("passthrough: %w", err)
	}
	return nil
}

func (c *config) wants(name string) bool { return c.only == "" || c.only == name }

// roundTime bounds what comes before and after the measuring.
const roundTime = time.Minute

// setting is one size to measure.
type setting struct {
	name          string
	width, height int
	bitrate       int
	clip          string
}

// The ways to handle pictures, in the order of their processes.
const (
	alone = iota
	encoded
	sent
	byFFmpeg
)

// size measures all that there is to one size.
func (c *config) size(ctx context.Context, out io.Writer, s setting) error {
	costs := make([][]float64, 4)
	var told [4][]result
	for range c.rounds {
		cost, results, err := c.round(ctx, s)
		if err != nil {
			return err
		}
		for i := range cost {
			costs[i] = append(costs[i], cost[i])
			told[i] = append(told[i], results[i])
		}
	}
	row := func(what string, value float64, unit, goal string) {
		fmt.Fprintf(out, "%s\t%s\t%.3g\t%s\t%s\n", s.name, what, value, unit, goal)
	}
	row("encoder alone (VP8)", middle(costs[alone]), "% of a core", "")
	row("converted and encoded", middle(costs[encoded]), "% of a core", "")
	row("converted, encoded and sent", middle(costs[sent]), "% of a core", "")
	row("ffmpeg: converted, encoded and sent", middle(costs[byFFmpeg]), "% of a core", "")
	row("whole against the encoder alone", ratios(costs[sent], costs[alone]), "x", "≤ 1.3")
	row("whole against ffmpeg", ratios(costs[sent], costs[byFFmpeg]), "x", "≤ 1.1")
	row("garbage of a picture, encoded", least(told[encoded], result.garbage), "B", "0")
	row("garbage of a picture, sent", least(told[sent], result.garbage), "B", "")
	row("captured to received, p50", least(told[sent], func(r result) float64 { return r.P50 }), "ms", "")
	row("captured to received, p99", least(told[sent], func(r result) float64 { return r.P99 }), "ms", "")
	return nil
}

// round measures all ways once.
func (c *config) round(ctx context.Context, s setting) (cost []float64, told []result, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.during+roundTime)
	defer cancel()
	told = make([]result, 4)
	ps := make([]*process, 4)
	for i, mode := range []string{alone: "encode", encoded: "source"} {
		if ps[i], err = c.child(ctx, mode, s, "", ""); err != nil {
			return nil, nil, err
		}
	}
	r, err := c.room(ctx, "publish", s)
	if err != nil {
		return nil, nil, err
	}
	ps[sent] = r.publisher
	sink, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = sink.Close() }() // it was only read
	if ps[byFFmpeg], err = ffmpeg(ctx, s, sink); err != nil {
		return nil, nil, err
	}
	cost, err = c.costs(ctx, ps)
	errs := []error{err}
	for i := range ps[:sent] {
		told[i], err = ps[i].end()
		errs = append(errs, err)
	}
	told[sent], err = r.end()
	ps[byFFmpeg].kill()
	return cost, told, errors.Join(append(errs, err)...)
}

func (c *config) passthrough(ctx context.Context, out io.Writer, dir string) error {
	clip := filepath.Join(dir, "clip.h264")
	if err := writeH264(ctx, clip); err != nil {
		return err
	}
	var costs []float64
	var told []result
	for range c.rounds {
		r, err := c.room(ctx, "passthrough", setting{clip: clip})
		if err != nil {
			return err
		}
		cost, err := c.costs(ctx, []*process{r.publisher})
		result, ended := r.end()
		if err := errors.Join(err, ended); err != nil {
			return err
		}
		costs, told = append(costs, cost...), append(told, result)
	}
	fmt.Fprintf(out, "%s\t%s\t%.3g\t%s\t%s\n", "H.264", "passed through and sent, 2 Mbit/s", middle(costs), "% of a core", "≤ 1")
	fmt.Fprintf(out, "%s\t%s\t%.3g\t%s\t%s\n", "H.264", "garbage of a picture", least(told, result.garbage), "B", "0")
	return nil
}

func middle(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

// ratios returns the middle of the ratios of what was measured next to each
// other.
func ratios(a, b []float64) float64 {
	var r []float64
	for i := range a {
		r = append(r, a[i]/b[i])
	}
	return middle(r)
}

func least(results []result, value func(result) float64) float64 {
	var values []float64
	for _, r := range results {
		values = append(values, value(r))
	}
	return slices.Min(values)
}
