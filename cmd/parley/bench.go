package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/parley-rtc/parley/internal/bench"
	"github.com/spf13/cobra"
)

func newBench() *cobra.Command {
	var quick, asJSON bool
	var log logFlags
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast and how heavy client and server are",
		Long: "Runs the server in a process of its own on a loopback address, joins it with clients of this process,\n" +
			"and prints what was measured beside what is aimed for. It takes less than a minute, some 15 s with --quick.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("finding this program to run the server with: %w", err)
			}
			stderr := cmd.ErrOrStderr()
			cfg := bench.Config{
				Server: []string{self, "serve"}, Quick: quick,
				Progress: func(what string) { fmt.Fprintf(stderr, "measuring: %s\n", what) },
			}
			if cfg.Logger, err = log.logger(stderr); err != nil {
				return err
			}
			result, err := bench.Run(cmd.Context(), cfg)
			if asJSON {
				return errors.Join(err, json.NewEncoder(cmd.OutOrStdout()).Encode(result))
			}
			return errors.Join(err, result.Print(cmd.OutOrStdout()))
		},
	}
	cmd.Flags().BoolVar(&quick, "quick", false, "take fewer samples")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the figures as one JSON object on the standard output")
	log.register(cmd, "off")
	return cmd
}
