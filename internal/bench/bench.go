// Package bench measures how fast and how heavy clients and server are: the
// server runs in a process of its own, the clients in this one, and everything
// goes through the public API over loopback.
//
// A new figure is a function in steps; what it returns is printed beside its
// goal.
package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config says what to measure. The zero value measures everything, in less than
// a minute.
type Config struct {
	// Server is the command line that runs the server: the program and its
	// first arguments. The rest, as in parley serve, is added.
	Server []string
	// Quick takes fewer samples: some 15 seconds.
	Quick  bool
	Logger *slog.Logger // of the clients
	// Progress is told what is measured now; nil: nobody is.
	Progress func(what string)

	few int // of everything, at most; 0: as many as it takes
}

// step measures some figures.
type step struct {
	what string
	run  func(*bench, context.Context) ([]Row, error)
}

var steps = []step{
	{"joining", (*bench).joins},
	{"joining late", (*bench).late},
	{"publishing", (*bench).publish},
	{"media latency", (*bench).latency},
	{"messages", (*bench).roundTrips},
	{"messages in bulk", (*bench).throughput},
	{"idle participants", (*bench).idle},
	{"fan-out to 10", func(b *bench, ctx context.Context) ([]Row, error) { return b.fanOut(ctx, 10) }},
	{"fan-out to 50", func(b *bench, ctx context.Context) ([]Row, error) { return b.fanOut(ctx, 50) }},
}

// stepTime bounds one step, so that nothing hangs.
const stepTime = 2 * time.Minute

// bench is one run.
type bench struct {
	cfg    Config
	server *server
}

// Run measures, until it is done or ctx ends. The result has the figures that
// were got; the error says what else went wrong.
func Run(ctx context.Context, cfg Config) (Result, error) {
	srv, err := startServer(ctx, cfg.Server)
	if err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	b := &bench{cfg: cfg, server: srv}
	var result Result
	if rss, err := b.server.rss(); err == nil {
		result = append(result, Row{"server_rss_base_mib", "server memory, nobody there", rss, "MiB", "≤ 30"})
	}
	var errs []error
	for _, s := range steps {
		if ctx.Err() != nil {
			errs = append(errs, errors.New("interrupted"))
			break
		}
		if cfg.Progress != nil {
			cfg.Progress(s.what)
		}
		rows, err := b.step(ctx, s)
		result = append(result, rows...)
		if err != nil && ctx.Err() == nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.what, err))
		}
	}
	errs = append(errs, srv.stop())
	return result, errors.Join(errs...)
}

func (b *bench) step(ctx context.Context, s step) ([]Row, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	return s.run(b, ctx)
}

// times returns many, or few when it has to be quick.
func (b *bench) times(many, few int) int {
	switch {
	case b.cfg.few > 0:
		return min(few, b.cfg.few)
	case b.cfg.Quick:
		return few
	}
	return many
}

// during returns how long to measure something that flows.
func (b *bench) during() time.Duration {
	if b.cfg.Quick || b.cfg.few > 0 {
		return 1500 * time.Millisecond
	}
	return 4 * time.Second
}

// wait waits, unless ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
