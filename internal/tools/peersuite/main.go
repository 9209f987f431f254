// Command peersuite runs the integration specs of the npm package twilio-video,
// unmodified, from a checkout of its repository, in headless Chromium against
// parley serve:
//
//	npm ci --prefix internal/tools/peersuite
//	go run ./internal/tools/peersuite -checkout ../twilio-video.js
//
// It tells how many tests of each spec passed, failed or were left out by the
// spec itself, and why those that failed did, and exits with 1 when a spec is
// below its floor. Chromium and Node 20 are needed; CHROMIUM names another
// browser than /usr/bin/chromium. Run it in the module's root.
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/parley-rtc/parley/signaling/accesstoken"
)

// specFolder is where the checkout has its specs.
const specFolder = "test/integration/spec"

// flags are what the command line says.
type flags struct {
	checkout, spec, grep, topology, environment, json, log string
	seconds                                                int
	verbose                                                bool
}

func main() {
	var f flags
	flag.StringVar(&f.checkout, "checkout", "", "directory with the repository of twilio-video.js")
	flag.StringVar(&f.spec, "spec", "", "specs to run, as in connect.js,localparticipant/*; default: all that a server can satisfy")
	flag.StringVar(&f.grep, "grep", "", "regular expression, in JavaScript's dialect: only tests whose full title it matches")
	flag.StringVar(&f.topology, "topology", "group", "type of the rooms: group, group-small or peer-to-peer")
	flag.StringVar(&f.environment, "environment", "prod", "prod, or another name: then tests of large rooms run too")
	flag.StringVar(&f.json, "json", "", "file for the results")
	flag.StringVar(&f.log, "log", "", "file for what the server says")
	flag.IntVar(&f.seconds, "seconds", 1200, "the most time of one spec")
	flag.BoolVar(&f.verbose, "v", false, "print what the pages say")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &f); err != nil {
		fmt.Fprintln(os.Stderr, "peersuite:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, f *flags) error {
	specs, err := f.specs()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "parley-peersuite-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }() // what is left is in the system's temporary directory
	key := accesstoken.NewKey()
	srv, err := startServer(ctx, work, f.log, key)
	if err != nil {
		return err
	}
	defer srv.stop()
	results, err := f.drive(ctx, work, key, srv.port, specs)
	if err != nil {
		return err
	}
	printTable(os.Stdout, results)
	if f.json != "" {
		data, err := json.MarshalIndent(results, "", "\t")
		if err != nil {
			return err
		}
		if err := os.WriteFile(f.json, append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	if f.grep != "" {
		return nil // floors are of whole specs
	}
	return belowFloors(results, f.topology)
}

// specs lists the specs of the checkout that are asked for.
func (f *flags) specs() ([]string, error) {
	if f.checkout == "" {
		return nil, errors.New("-checkout has to name a checkout of twilio-video.js")
	}
	root := filepath.Join(f.checkout, specFolder)
	var list []string
	err := filepath.WalkDir(root, func(file string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(file) != ".js" {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		switch {
		case f.spec == "" && notOurs[name] == "":
			list = append(list, name)
		case f.spec != "" && f.rank(name) >= 0:
			list = append(list, name)
		}
		return nil
	})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%s has no spec like %q", root, f.spec)
	}
	// In the order of the patterns, alphabetical within each.
	slices.SortStableFunc(list, func(a, b string) int { return cmp.Compare(f.rank(a), f.rank(b)) })
	return list, err
}

// rank is the number of the first pattern that the spec matches.
func (f *flags) rank(spec string) int {
	return slices.IndexFunc(strings.Split(f.spec, ","), func(glob string) bool {
		ok, _ := path.Match(glob, spec) // a bad pattern matches nothing
		return ok
	})
}

// driverSettings are what run.mjs is told.
type driverSettings struct {
	Checkout string            `json:"checkout"`
	Work     string            `json:"work"`
	Specs    []string          `json:"specs"`
	Grep     string            `json:"grep"`
	Env      map[string]string `json:"env"`
	Hosts    []string          `json:"hosts"`
	Port     int               `json:"port"`
	Seconds  int               `json:"seconds"`
	Quiet    bool              `json:"quiet"`
	Chromium string            `json:"chromium"`
}

// drive has the specs run, and collects their results.
func (f *flags) drive(ctx context.Context, work string, key accesstoken.Key, port int, specs []string) ([]*result, error) {
	checkout, err := filepath.Abs(f.checkout)
	if err != nil {
		return nil, err
	}
	s := driverSettings{
		Checkout: checkout, Work: work, Specs: specs, Grep: f.grep, Port: port, Seconds: f.seconds, Quiet: !f.verbose,
		Hosts: hosts(f.environment), Chromium: os.Getenv("CHROMIUM"),
		Env: map[string]string{
			"ACCOUNT_SID": key.AccountSID, "API_KEY_SID": key.SID, "API_KEY_SECRET": string(key.Secret),
			"TOPOLOGY": f.topology, "ENVIRONMENT": f.environment, "REGIONS": region, "ENABLE_REST_API_TESTS": "true",
		},
	}
	if s.Chromium == "" {
		s.Chromium = "/usr/bin/chromium"
	}
	data, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(work, "settings.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "node", "internal/tools/peersuite/run.mjs", file)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting Node: %w", err)
	}
	results, err := collect(out, os.Stderr)
	return results, errors.Join(err, cmd.Wait())
}

// hosts are the names that the specs call, at our server.
func hosts(environment string) []string {
	dot, dash := "", ""
	if environment != "prod" {
		dot, dash = environment+".", environment+"-"
	}
	return []string{
		"global.vss." + dot + "twilio.com", region + ".vss." + dot + "twilio.com", "video." + dot + "twilio.com",
		"sdkgw." + dash + region + ".twilio.com", "ecs." + dash + region + ".twilio.com",
	}
}

// collect reads what the driver says.
func collect(r io.Reader, progress io.Writer) (results []*result, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m struct {
			Spec, Test, State, Error, End, Cut string
			Bundled                            bool
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return results, fmt.Errorf("the driver said %q: %w", lines.Text(), err)
		}
		switch {
		case m.Bundled:
			fmt.Fprintln(progress, "bundled")
		case m.Spec != "":
			fmt.Fprintln(progress, m.Spec)
			results = append(results, &result{Spec: m.Spec})
		case len(results) == 0:
		case m.Test != "":
			if m.State != "pending" {
				fmt.Fprintf(progress, "  %s %s\n", m.State, m.Test)
			}
			if m.State == "fail" {
				fmt.Fprintln(progress, "    ", firstLine(m.Error))
			}
			results[len(results)-1].add(m.Test, m.State, m.Error)
		case m.End != "":
			results[len(results)-1].Cut = m.Cut
		}
	}
	return results, lines.Err()
}
