// Package arch holds the rules about which package may import which, and a
// test that keeps them. It is linked into nothing.
package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Module is the path of the module whose packages are judged.
const Module = "github.com/parley-rtc/parley"

// Graph tells for each package, by its path below the module ("." for the
// root), what its files import, tests left out.
type Graph map[string]map[string]bool

// Read makes the graph of the module in the folder. It reads every Go file
// that is built on any system, so that the answer is the same everywhere.
func Read(dir string) (Graph, error) {
	g := Graph{}
	err := walk(dir, func(pkg, file string) error {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil || neverBuilt(parsed) {
			return err
		}
		if g[pkg] == nil {
			g[pkg] = map[string]bool{}
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			g[pkg][local(imported)] = true
		}
		return nil
	})
	return g, err
}

// neverBuilt reports whether the file is one that only keeps modules in go.mod,
// or a program that is run by hand.
func neverBuilt(file *ast.File) bool {
	for _, group := range file.Comments {
		for _, c := range group.List {
			if c.Pos() < file.Package && (c.Text == "//go:build tools" || c.Text == "//go:build ignore") {
				return true
			}
		}
	}
	return false
}

// walk calls visit for each Go file of the module that is not a test.
func walk(dir string, visit func(pkg, file string) error) error {
	return filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if file == dir {
				return nil
			}
			_, nested := os.Stat(filepath.Join(file, "go.mod"))
			if nested == nil || name == "testdata" || name == "node_modules" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		pkg, err := filepath.Rel(dir, filepath.Dir(file))
		if err != nil {
			return err
		}
		return visit(filepath.ToSlash(pkg), file)
	})
}

// local writes packages of the module as "./…" and leaves others as they are.
func local(imported string) string {
	if imported == Module {
		return "./."
	}
	if rest, ok := strings.CutPrefix(imported, Module+"/"); ok {
		return "./" + rest
	}
	return imported
}

// Reaches returns a chain of imports from the package to one that matches, or
// nil. Packages of other modules are ends of chains.
func (g Graph) Reaches(pkg string, match func(imported string) bool) []string {
	seen := map[string]bool{pkg: true}
	queue := [][]string{{"./" + pkg}}
	for len(queue) > 0 {
		chain := queue[0]
		queue = queue[1:]
		from, _ := strings.CutPrefix(chain[len(chain)-1], "./")
		for _, imported := range sorted(g[from]) {
			next := append(slices.Clone(chain), imported)
			if match(imported) {
				return next
			}
			if rest, ours := strings.CutPrefix(imported, "./"); ours && !seen[rest] {
				seen[rest] = true
				queue = append(queue, next)
			}
		}
	}
	return nil
}

func sorted(set map[string]bool) []string {
	list := make([]string, 0, len(set))
	for s := range set {
		list = append(list, s)
	}
	slices.Sort(list)
	return list
}

// under reports whether pkg is the package or below it. A pattern that ends in
// "!" is that package alone.
func under(pkg, pattern string) bool {
	if only, ok := strings.CutSuffix(pattern, "!"); ok {
		return pkg == only
	}
	return pkg == pattern || strings.HasPrefix(pkg, pattern+"/")
}

// std reports whether the import is of the standard library.
func std(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

// project returns who keeps an imported package: pion is one project, and so is
// golang.org/x.
func project(imported string) string {
	parts := strings.Split(path.Clean(imported), "/")
	return strings.Join(parts[:min(2, len(parts))], "/")
}
