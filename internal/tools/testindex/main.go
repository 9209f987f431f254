// Command testindex writes docs/TESTS.md: which test proves which clause of the
// event contract (E), figure of the scorecard (R) and threat (T). A test names
// what it proves: TestE04…, TestR02…, TestT14….
//
// Run it from the root of the module: go run ./internal/tools/testindex
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// File is where the index is kept.
const File = "docs/TESTS.md"

var numbered = regexp.MustCompile(`^Test([ERT])([0-9]{2})(?:[A-Z_].*|)$`)

// proof is one numbered test.
type proof struct {
	kind, number string
	name, dir    string
	shows        string
}

func main() {
	text, err := index(".")
	if err == nil {
		err = os.WriteFile(File, []byte(text), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testindex:", err)
		os.Exit(1)
	}
}

// index returns the document for the module below root.
func index(root string) (string, error) {
	proofs, err := collect(root)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("# Which test proves what\n\nMade by `go run ./internal/tools/testindex`; a test fails when it is out of date.\n")
	for _, section := range []struct{ kind, title, intro string }{
		{"E", "Clauses of the event contract", "What programs rely on when they read events; the clauses are in the package documentation."},
		{"R", "Figures of reliability", "Targets under loss, outages and load. Those in virtual time are exact."},
		{"T", "Threats", "What strangers, participants and servers may try, and what they get."},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| # | test | package | shows |\n|---|---|---|---|\n", section.title, section.intro)
		for _, p := range proofs {
			if p.kind == section.kind {
				fmt.Fprintf(&b, "| %s%s | `%s` | `%s` | %s |\n", p.kind, p.number, p.name, p.dir, p.shows)
			}
		}
	}
	b.WriteString("\nRun one with `go test -run 'TestR06' -v ./...`.\n")
	return b.String(), nil
}

func collect(root string) ([]proof, error) {
	var proofs []proof
	files := token.NewFileSet()
	tree := os.DirFS(root)
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || (name != "." && strings.HasPrefix(d.Name(), "."))):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		src, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(files, name, src, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil {
				continue
			}
			if m := numbered.FindStringSubmatch(fn.Name.Name); m != nil {
				proofs = append(proofs, proof{m[1], m[2], fn.Name.Name, path.Dir(name), shows(fn)})
			}
		}
		return nil
	})
	slices.SortFunc(proofs, func(a, b proof) int {
		return strings.Compare(a.kind+a.number+a.dir+a.name, b.kind+b.number+b.dir+b.name)
	})
	return proofs, err
}

// shows tells in words what a test shows: the first sentence of its comment,
// or its name taken apart.
func shows(fn *ast.FuncDecl) string {
	if fn.Doc != nil {
		text := strings.Join(strings.Fields(fn.Doc.Text()), " ")
		text = strings.TrimPrefix(text, fn.Name.Name+" ")
		if i := strings.Index(text, ". "); i >= 0 {
			text = text[:i]
		}
		return strings.ReplaceAll(strings.TrimSuffix(strings.TrimSpace(text), "."), "|", "\\|")
	}
	m := numbered.FindStringSubmatch(fn.Name.Name)
	rest := []rune(strings.TrimPrefix(fn.Name.Name, "Test"+m[1]+m[2]))
	var b strings.Builder
	for i, c := range rest {
		switch {
		case c == '_':
			b.WriteByte(' ')
			continue
		case i > 0 && unicode.IsUpper(c) && (unicode.IsLower(rest[i-1]) || i+1 < len(rest) && unicode.IsLower(rest[i+1])),
			i > 0 && unicode.IsDigit(c) && !unicode.IsDigit(rest[i-1]):
			b.WriteByte(' ')
		}
		if i+1 < len(rest) && unicode.IsUpper(c) && unicode.IsUpper(rest[i+1]) || i > 0 && unicode.IsUpper(c) && unicode.IsUpper(rest[i-1]) {
			b.WriteRune(c) // an initialism
			continue
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
