package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// floors are how many tests of a spec have to pass in group rooms.
var floors = map[string]int{
	"connect.js": 306,
	"localparticipant/publishunpublishtrack.js": 380,
	"localtrackpublication.js":                  119,
	"room.js":                                   48,
	"localparticipant/networkqualitylevel.js":   33,
}

// notOurs are the specs that say nothing about a server, or need more than one.
var notOurs = map[string]string{
	"docker/docker.js":       "tests the peer's own network tool",
	"docker/reconnection.js": "needs the peer's network tool",
	"transcription.js":       "needs a speech service",
}

// result is what became of one spec.
type result struct {
	Spec    string   `json:"spec"`
	Passed  int      `json:"passed"`
	Failed  int      `json:"failed"`
	Pending int      `json:"pending"` // left out by the spec itself
	Cut     string   `json:"cut,omitempty"`
	Faults  []fault  `json:"faults,omitempty"`
	Tests   []string `json:"tests,omitempty"` // that passed
}

// fault is why a test failed.
type fault struct {
	Test  string `json:"test"`
	Error string `json:"error"`
}

func (r *result) add(test, state, reason string) {
	switch state {
	case "pass":
		r.Passed++
		r.Tests = append(r.Tests, test)
	case "pending":
		r.Pending++
	default:
		r.Failed++
		r.Faults = append(r.Faults, fault{test, reason})
	}
}

func printTable(w io.Writer, results []*result) {
	results = slices.Clone(results)
	slices.SortFunc(results, func(a, b *result) int { return cmp.Compare(a.Spec, b.Spec) })
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "spec\tpassed\tfailed\tleft out\t")
	total := &result{}
	for _, r := range results {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\n", r.Spec, r.Passed, r.Failed, r.Pending, r.Cut)
		total.Passed += r.Passed
		total.Failed += r.Failed
		total.Pending += r.Pending
	}
	fmt.Fprintf(table, "total\t%d\t%d\t%d\t\n", total.Passed, total.Failed, total.Pending)
	_ = table.Flush() // to the standard output
	for _, r := range results {
		for _, f := range r.Faults {
			fmt.Fprintf(w, "%s: %s: %s\n", r.Spec, f.Test, firstLine(f.Error))
		}
	}
}

func firstLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}

// belowFloors says which specs passed fewer tests than they have to.
func belowFloors(results []*result, topology string) error {
	if topology != "group" {
		return nil
	}
	var errs []error
	for _, r := range results {
		if floor := floors[r.Spec]; r.Passed < floor {
			errs = append(errs, fmt.Errorf("%s: %d tests passed, at least %d have to", r.Spec, r.Passed, floor))
		}
	}
	return errors.Join(errs...)
}
