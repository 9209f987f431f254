// Command mediabench measures what it costs to capture, encode and send
// pictures, against the encoder alone and against ffmpeg with the same library
// and the same settings, and how long a picture takes to the other side:
//
//	go build -tags codecs -o /tmp/parley ./cmd/parley
//	go run -tags codecs ./internal/mediabench -parley /tmp/parley
//
// Everything runs at 30 pictures a second in processes of its own, whose time
// on the processor is read from the kernel, one after the other and in several
// rounds; the middle one counts. The server is another process. It needs Linux
// and ffmpeg with libvpx.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

type config struct {
	parley string
	rounds int
	during time.Duration
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
	for _, s := range []setting{
		{name: "640x480", width: 640, height: 480, bitrate: 1_000_000},
		{name: "1280x720", width: 1280, height: 720, bitrate: 2_000_000},
	} {
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
	if err := c.passthrough(ctx, table, dir); err != nil {
		return fmt.Errorf("passthrough: %w", err)
	}
	return table.Flush()
}

// setting is one size to measure.
type setting struct {
	name          string
	width, height int
	bitrate       int
	clip          string
}

// size measures all that there is to one size.
func (c *config) size(ctx context.Context, out io.Writer, s setting) error {
	costs := map[string][]float64{}
	var sourceGarbage, sentGarbage, latency []result
	for range c.rounds {
		for _, mode := range []string{"encode", "source", "ffmpeg", "publish"} {
			cost, r, err := c.once(ctx, mode, s)
			if err != nil {
				return fmt.Errorf("%s: %w", mode, err)
			}
			costs[mode] = append(costs[mode], cost)
			switch mode {
			case "source":
				sourceGarbage = append(sourceGarbage, r)
			case "publish":
				sentGarbage, latency = append(sentGarbage, r), append(latency, r)
			}
		}
	}
	alone := middle(costs["encode"])
	row := func(what string, value float64, unit, goal string) {
		fmt.Fprintf(out, "%s\t%s\t%.3g\t%s\t%s\n", s.name, what, value, unit, goal)
	}
	row("encoder alone (VP8)", alone, "% of a core", "")
	row("converted and encoded", middle(costs["source"]), "% of a core", "")
	row("converted, encoded and sent", middle(costs["publish"]), "% of a core", "")
	row("ffmpeg: converted, encoded and sent", middle(costs["ffmpeg"]), "% of a core", "")
	row("whole against the encoder alone", ratios(costs["publish"], costs["encode"]), "x", "≤ 1.3")
	row("whole against ffmpeg", ratios(costs["publish"], costs["ffmpeg"]), "x", "≤ 1.1")
	row("garbage of a picture, encoded", least(sourceGarbage, result.garbage), "B", "0")
	row("garbage of a picture, sent", least(sentGarbage, result.garbage), "B", "")
	row("captured to received, p50", least(latency, func(r result) float64 { return r.P50 }), "ms", "")
	row("captured to received, p99", least(latency, func(r result) float64 { return r.P99 }), "ms", "")
	return nil
}

func (c *config) passthrough(ctx context.Context, out io.Writer, dir string) error {
	clip := filepath.Join(dir, "clip.h264")
	if err := writeH264(ctx, clip); err != nil {
		return err
	}
	var costs []float64
	for range c.rounds {
		cost, _, err := c.once(ctx, "passthrough", setting{clip: clip})
		if err != nil {
			return err
		}
		costs = append(costs, cost)
	}
	fmt.Fprintf(out, "%s\t%s\t%.3g\t%s\t%s\n", "H.264", "passed through and sent, 2 Mbit/s", middle(costs), "% of a core", "≤ 1")
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
