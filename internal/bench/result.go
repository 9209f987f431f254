package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"
)

// Row is one figure.
type Row struct {
	Key   string // in JSON, with its unit
	Label string
	Value float64
	Unit  string
	Goal  string // what is aimed for; may be empty
}

// Result is what was measured, in order.
type Result []Row

// MarshalJSON makes one flat object of the figures.
func (r Result) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, row := range r {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(row.Key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(round(row.Value))
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Get returns a figure by its key.
func (r Result) Get(key string) (float64, bool) {
	i := slices.IndexFunc(r, func(row Row) bool { return row.Key == key })
	if i < 0 {
		return 0, false
	}
	return r[i].Value, true
}

// Print writes a table for people.
func (r Result) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tmeasured\tgoal")
	for _, row := range r {
		goal := row.Goal
		if goal == "" {
			goal = "-"
		} else if row.Unit != "" {
			goal += " " + row.Unit
		}
		fmt.Fprintf(t, "%s\t%v %s\t%s\n", row.Label, round(row.Value), row.Unit, goal)
	}
	return t.Flush()
}

// round keeps the digits that mean something.
func round(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	scale := math.Pow(10, math.Max(0, 2-math.Floor(math.Log10(math.Abs(v)))))
	return math.Round(v*scale) / scale
}

// samples are measured times.
type samples []time.Duration

// at returns the time that the share p of the samples does not pass.
func (s samples) at(p float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	i := int(math.Ceil(p*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
