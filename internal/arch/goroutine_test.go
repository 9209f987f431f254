package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ours visits the files of the module that are no tests and no example programs,
// with their comments.
func ours(t *testing.T, visit func(name string, fset *token.FileSet, f *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "examples" || d.Name() == "signalingtest" || d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(name), fset, f)
		return nil
	})
	require.NoError(t, err)
}

// Who begins a goroutine can tell when it has ended: by a sync.WaitGroup or a
// channel that it closes or sends to last, or a comment beside it says what it
// ends with. (WaitGroup.Go begins none by this measure: it has an owner.)
func TestEveryGoroutineHasAnOwner(t *testing.T) {
	n := 0
	ours(t, func(name string, fset *token.FileSet, f *ast.File) {
		said := map[int]string{} // by line
		for _, group := range f.Comments {
			for _, c := range group.List {
				said[fset.Position(c.Pos()).Line] += c.Text
			}
		}
		ast.Inspect(f, func(node ast.Node) bool {
			g, ok := node.(*ast.GoStmt)
			if !ok {
				return true
			}
			n++
			line := fset.Position(g.Pos()).Line
			words := said[line] + said[line-1]
			assert.True(t, owned(g) || strings.Contains(words, " end") || strings.Contains(words, " until "),
				"%s:%d begins a goroutine of which nobody learns the end: say in a comment what it ends with", name, line)
			return true
		})
	})
	require.Greater(t, n, 20)
}

// owned reports whether the goroutine tells its end.
func owned(g *ast.GoStmt) bool {
	lit, ok := g.Call.Fun.(*ast.FuncLit)
	if !ok || len(lit.Body.List) == 0 {
		return false
	}
	for _, s := range lit.Body.List {
		d, ok := s.(*ast.DeferStmt)
		if !ok {
			break
		}
		switch f := d.Call.Fun.(type) {
		case *ast.SelectorExpr:
			if f.Sel.Name == "Done" {
				return true
			}
		case *ast.Ident:
			if f.Name == "close" {
				return true
			}
		}
	}
	last := lit.Body.List[len(lit.Body.List)-1]
	if _, ok := last.(*ast.SendStmt); ok {
		return true
	}
	if e, ok := last.(*ast.ExprStmt); ok {
		if c, ok := e.X.(*ast.CallExpr); ok {
			f, ok := c.Fun.(*ast.Ident)
			return ok && f.Name == "close"
		}
	}
	return false
}

// A lock that is held while a channel is full is held for as long as its reader
// likes: what is sent under one has a way around, or room.
func TestNobodySendsUnderALock(t *testing.T) {
	roomy := map[string]string{
		"media/push.go SetBitrate": "there is room: nobody else sends",
	}
	seen := map[string]bool{}
	ours(t, func(name string, fset *token.FileSet, f *ast.File) {
		ast.Inspect(f, func(node ast.Node) bool {
			var body *ast.BlockStmt
			where := name
			switch fn := node.(type) {
			case *ast.FuncDecl:
				body, where = fn.Body, fmt.Sprintf("%s %s", name, fn.Name.Name)
			case *ast.FuncLit:
				body = fn.Body
			}
			if body == nil {
				return true
			}
			for _, s := range sendsUnderLocks(body) {
				seen[where] = true
				assert.Contains(t, roomy, where, "%s sends while it holds a lock", fset.Position(s.Pos()))
			}
			return true
		})
	})
	for where := range roomy {
		assert.Contains(t, seen, where, "it is not there any more: take it out of the list")
	}
}

// sendsUnderLocks returns the sends of a function, not of those in it, that may
// wait while a lock is held that the function took.
func sendsUnderLocks(body *ast.BlockStmt) (found []*ast.SendStmt) {
	held := map[string]bool{}
	var walk func(ast.Node)
	walk = func(node ast.Node) {
		ast.Inspect(node, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit, *ast.GoStmt, *ast.DeferStmt:
				return false
			case *ast.SelectStmt:
				for _, c := range n.Body.List {
					if c.(*ast.CommClause).Comm == nil { // it does not wait
						for _, c := range n.Body.List {
							for _, s := range c.(*ast.CommClause).Body {
								walk(s)
							}
						}
						return false
					}
				}
			case *ast.SendStmt:
				if len(held) > 0 {
					found = append(found, n)
				}
			case *ast.CallExpr:
				if s, ok := n.Fun.(*ast.SelectorExpr); ok && len(n.Args) == 0 {
					switch s.Sel.Name {
					case "Lock", "RLock":
						held[text(s.X)] = true
					case "Unlock", "RUnlock":
						delete(held, text(s.X))
					}
				}
			}
			return true
		})
	}
	walk(body)
	return found
}

func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return text(e.X) + "." + e.Sel.Name
	}
	return "?"
}

func TestSendsUnderLocksAreFound(t *testing.T) {
	for code, want := range map[string]int{
		"mu.Lock(); c <- 1; mu.Unlock()":                                      1,
		"mu.Lock(); mu.Unlock(); c <- 1":                                      0,
		"mu.RLock(); defer mu.RUnlock(); for { c <- 1 }":                      1,
		"x.mu.Lock(); defer x.mu.Unlock(); select { case c <- 1: default: }":  0,
		"x.mu.Lock(); defer x.mu.Unlock(); select { case c <- 1: case <-d: }": 1,
		"mu.Lock(); go func() { c <- 1 }(); mu.Unlock()":                      0,
		"mu.Lock(); select { case <-d: c <- 1; default: }; mu.Unlock()":       1,
		"if a { mu.Lock(); b(); mu.Unlock() }; c <- 1":                        0,
		"mu.Lock(); defer mu.Unlock(); post(func() { c <- 1 })":               0,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nfunc f() {"+code+"}", 0)
		require.NoError(t, err)
		require.Len(t, sendsUnderLocks(f.Decls[0].(*ast.FuncDecl).Body), want, code)
	}
}
