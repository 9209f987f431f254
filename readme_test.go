package parley_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	return string(text)
}

// What is shown is what is compiled and run.
func TestReadmeShowsTheHeadlessExample(t *testing.T) {
	_, rest, ok := strings.Cut(readme(t), "```go\n")
	require.True(t, ok)
	block, _, ok := strings.Cut(rest, "```")
	require.True(t, ok)
	require.Equal(t, 15, strings.Count(block, "\n"))

	src, err := os.ReadFile("examples/headless/main.go")
	require.NoError(t, err)
	body := regexp.MustCompile(`(?s)\nfunc attend\([^\n]*\n(.*?)\n}\n`).FindSubmatch(src)
	require.NotNil(t, body)
	unindented := regexp.MustCompile(`(?m)^\t`).ReplaceAllString(string(body[1]), "")
	require.Equal(t, unindented+"\n", block)
}

func TestReadmeNamesTestsThatExist(t *testing.T) {
	declared := map[string]bool{}
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(src, -1) {
			declared[string(m[1])] = true
		}
		return err
	}))
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(readme(t), -1)
	require.Greater(t, len(named), 15)
	for _, m := range named {
		require.True(t, declared[m[1]], "%s is no test", m[1])
	}
}

func TestReadmeLinksLeadSomewhere(t *testing.T) {
	links := regexp.MustCompile(`\]\(([^)#:]+)(?:#[\w-]+)?\)`).FindAllStringSubmatch(readme(t), -1)
	require.Greater(t, len(links), 10)
	for _, m := range links {
		require.FileExists(t, m[1])
	}
}

// A project that the client links has its reason in the README, and there is no
// reason for one that it does not.
func TestReadmeNamesTheDependencies(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", ".")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	out, err := cmd.Output()
	require.NoError(t, err)
	linked := map[string]bool{}
	for module := range bytes.FieldsSeq(out) {
		linked[string(module)] = true
	}
	rows := regexp.MustCompile(`(?m)^\| \[([\w./-]+\.[\w./-]+)\]\(https:`).FindAllStringSubmatch(readme(t), -1)
	require.NotEmpty(t, rows)
	require.LessOrEqual(t, len(rows), 8)
	used := map[string]bool{}
	for module := range linked {
		named := false
		for _, row := range rows {
			if module == row[1] || strings.HasPrefix(module, row[1]+"/") {
				named, used[row[1]] = true, true
			}
		}
		require.True(t, named, "%s is linked; why?", module)
	}
	for _, row := range rows {
		require.True(t, used[row[1]], "%s is not linked", row[1])
	}
}
