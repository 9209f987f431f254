package pipe_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media/pipe"
)

// recipe is a command of docs/sources.md.
type recipe struct {
	name    string
	command string
	swaps   [][2]string
	gives   []string
	format  pipe.Format
	rtp     []string // codec, port, port for RTCP back
	display string
	status  string
}

// run is the command without what needs hardware.
func (r recipe) run() string {
	command := r.command
	for _, s := range r.swaps {
		command = strings.Replace(command, s[0], s[1], 1)
	}
	return command
}

// recipes reads the document.
func recipes(t *testing.T) []recipe {
	t.Helper()
	text, err := os.ReadFile("../../docs/sources.md")
	require.NoError(t, err)
	var out []recipe
	parts := strings.Split(string(text), "<!-- recipe: ")
	require.NotContains(t, parts[0], "```sh", "a recipe without a mark")
	for _, part := range parts[1:] {
		head, body, ok := strings.Cut(part, "-->\n```sh\n")
		require.True(t, ok, "%.60s", part)
		r := recipe{}
		for i, line := range strings.Split(strings.TrimSpace(head), "\n") {
			key, value, _ := strings.Cut(line, ": ")
			switch {
			case i == 0:
				r.name = strings.TrimSpace(line)
			case key == "gives":
				r.gives = strings.Fields(value)
			case key == "format":
				r.format = pipe.Format(value)
			case key == "rtp":
				r.rtp = strings.Fields(value)
			case key == "display":
				r.display = value
			case key == "swap":
				a, b, ok := strings.Cut(value, " => ")
				require.True(t, ok, line)
				r.swaps = append(r.swaps, [2]string{a, b})
			default:
				t.Fatalf("recipe %s: %q", r.name, line)
			}
		}
		r.command, body, ok = strings.Cut(body, "\n```\n")
		require.True(t, ok, r.name)
		r.status, body, _ = strings.Cut(body, "\n")
		require.NotContains(t, body, "```sh", "a recipe without a mark behind %s", r.name)
		out = append(out, r)
	}
	return out
}

// Each recipe tells whether it is run, and what stands for the hardware.
func TestRecipesAreMarked(t *testing.T) {
	list := recipes(t)
	require.Greater(t, len(list), 12)
	for _, r := range list {
		runs := len(r.gives) > 0 || len(r.rtp) > 0 || r.name == "rtsp"
		switch {
		case strings.HasPrefix(r.status, "Run in CI"):
			require.True(t, runs, "%s is said to be run", r.name)
		case strings.HasPrefix(r.status, "Not run here: "):
			require.False(t, runs, "%s is said not to be run", r.name)
		default:
			t.Fatalf("%s: %q does not tell whether it is run", r.name, r.status)
		}
		for _, s := range r.swaps {
			require.Equal(t, 1, strings.Count(r.command, s[0]), "%s has no %q", r.name, s[0])
		}
		require.Equal(t, len(r.swaps) > 0 || r.name == "rtsp", strings.Contains(r.status, " for the ") || strings.Contains(r.status, " with a test"), r.name)
	}
}
