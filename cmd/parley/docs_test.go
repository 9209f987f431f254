package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/device"
	"github.com/parley-rtc/parley/media/pipe"
	"github.com/parley-rtc/parley/media/play/speaker"
	"github.com/parley-rtc/parley/media/play/window"
	"github.com/parley-rtc/parley/media/screen"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

const camerasPage = "../../docs/cameras.md"

// words splits a command line as a shell does, as far as the page needs it.
func words(line string) []string {
	var list []string
	for _, w := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(line, -1) {
		list = append(list, strings.Trim(w, "'"))
	}
	return list
}

// Each command line on the page is one that is understood.
func TestCommandsOfTheCamerasPage(t *testing.T) {
	page, err := os.ReadFile(camerasPage)
	require.NoError(t, err)
	lines := regexp.MustCompile(`(?m)^parley (publish|watch) .*$`).FindAllString(string(page), -1)
	require.Greater(t, len(lines), 8)
	for _, line := range lines {
		t.Run(line, func(t *testing.T) {
			args := words(line)[1:]
			if args[0] == "watch" {
				cmd := newWatch()
				require.NoError(t, cmd.ParseFlags(args[1:]))
				require.Empty(t, cmd.Flags().Args())
				return
			}
			var p publishFlags
			cmd := &cobra.Command{Use: "publish"}
			p.register(cmd)
			require.NoError(t, cmd.ParseFlags(args[1:]))
			require.Empty(t, cmd.Flags().Args())
			if p.list {
				return
			}
			specs, err := p.specs()
			require.NoError(t, err)
			for _, s := range specs {
				require.NoError(t, s.check())
			}
		})
	}
}

// What the page says that errors say is what they say.
func TestErrorsOfTheCamerasPage(t *testing.T) {
	page, err := os.ReadFile(camerasPage)
	require.NoError(t, err)
	for name, err := range map[string]error{
		"device.ErrNotFound": device.ErrNotFound, "device.ErrBusy": device.ErrBusy, "device.ErrPermission": device.ErrPermission,
		"device.ErrUnsatisfiable": device.ErrUnsatisfiable, "device.ErrUnplugged": device.ErrUnplugged, "device.ErrBroken": device.ErrBroken,
		"codec.ErrUnavailable": codec.ErrUnavailable, "screen.ErrDisplay": screen.ErrDisplay, "screen.ErrUnavailable": screen.ErrUnavailable,
		"speaker.ErrNotFound": speaker.ErrNotFound, "window.ErrDisplay": window.ErrDisplay, "pipe.ErrNotFound": pipe.ErrNotFound,
		"pipe.ErrExited": pipe.ErrExited, "pipe.ErrStalled": pipe.ErrStalled, "pipe.ErrCodec": pipe.ErrCodec,
	} {
		require.Contains(t, string(page), "| "+err.Error()+" | `"+name+"` |")
	}
	require.Contains(t, string(page), "| "+errNothingSent.Error()+" |")
}

// The program on the page is the example.
func TestProgramOfTheCamerasPage(t *testing.T) {
	page, err := os.ReadFile(camerasPage)
	require.NoError(t, err)
	example, err := os.ReadFile("../../examples/camera/main.go")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```go\n(.*?)```").FindStringSubmatch(string(page))
	require.NotNil(t, block)
	for line := range strings.Lines(block[1]) {
		require.Contains(t, string(example), line)
	}
}
