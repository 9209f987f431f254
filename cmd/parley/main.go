// Command parley shows, serves and measures rooms.
//
//	parley demo     a call on this machine, from end to end
//	parley serve    the reference server
//	parley token    a token that lets somebody in
//	parley publish  cameras, microphones, screens and streams into a room
//	parley watch    what a room shows: heard, seen, recorded
//	parley join     a participant without a screen
//	parley bench    how fast and how heavy client and server are
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/parley-rtc/parley"
	"github.com/spf13/cobra"
)

// The exit statuses.
const (
	exitFailed = 1
	exitUsage  = 2 // what was asked for cannot be understood
)

func main() { os.Exit(run(os.Args[1:])) }

// run carries out one command line and returns the exit status. The first
// interruption ends the command in good order, the second at once.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "parley: "+oneLine(err))
	var u *usageError
	if errors.As(err, &u) {
		return exitUsage
	}
	return exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "parley",
		Short:         "Rooms with audio, video and messages: try them, serve them, measure them",
		Version:       parley.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.SetVersionTemplate("parley {{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newDemo(), newServe(), newToken(), newPublish(), newWatch(), newJoin(), newBench())
	for _, cmd := range append(root.Commands(), root) {
		cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
			return usagef("%w; see '%s --help'", err, cmd.CommandPath())
		})
	}
	return root
}

// usageError is about the command line, the environment or the configuration
// file: the same command cannot work until it is mended.
type usageError struct{ err error }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// noArgs refuses what stands there without a flag.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		return usagef("unknown command %q; there are demo, serve, token, publish, watch, join and bench", args[0])
	}
	return usagef("unexpected argument %q; see '%s --help'", args[0], cmd.CommandPath())
}

// oneLine puts what several errors say on one line.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
