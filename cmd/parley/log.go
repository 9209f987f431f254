package main

import (
	"io"
	"log/slog"

	"github.com/spf13/cobra"
)

// logFlags say what goes to the standard error.
type logFlags struct{ level, format string }

func (l *logFlags) register(cmd *cobra.Command, level string) {
	cmd.Flags().StringVar(&l.level, "log-level", level, "debug, info, warn, error or off")
	cmd.Flags().StringVar(&l.format, "log-format", "text", "text or json")
}

func (l *logFlags) logger(w io.Writer) (*slog.Logger, error) {
	if l.level == "off" {
		return slog.New(slog.DiscardHandler), nil
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.level)); err != nil {
		return nil, usagef("--log-level %q: it is debug, info, warn, error or off", l.level)
	}
	opts := &slog.HandlerOptions{Level: level}
	switch l.format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, usagef("--log-format %q: it is text or json", l.format)
}
