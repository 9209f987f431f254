package arch

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bounded are the exported functions that may wait without a context, and what
// bounds them instead.
var bounded = map[string]map[string]string{
	".": {
		"Connect":               "the transport's own bounds; ConnectContext is its twin",
		"Room.Disconnect":       "a second",
		"remoteMedia.Detach":    "the WriteSample of that sink that is under way",
		"remoteMedia.DetachAll": "as Detach",
		"localMedia.Stop":       "the source's Next that is under way, whose context has ended",
	},
	"media": {
		"AudioBranch.Close":     "as AudioFanout.Close",
		"AudioFanout.Close":     "the capture's read that is under way, whose context has ended",
		"VideoBranch.Close":     "as VideoFanout.Close",
		"VideoFanout.Close":     "the capture's read that is under way, whose context has ended",
		"PushSource.SetBitrate": "nothing: there is room for what it sends",
	},
}

// Who calls what may wait can end the waiting: by a context, or because the
// name is in the list above with what ends it.
func TestWhatBlocksTakesAContext(t *testing.T) {
	for pkg, known := range bounded {
		t.Run(pkg, func(t *testing.T) {
			found := blocking(t, pkg)
			for name := range found {
				assert.Contains(t, known, name, "%s may wait and takes no context: give it one, or name what bounds it", name)
			}
			for name := range known {
				assert.Contains(t, found, name, "it is not there or does not wait: take it out of the list")
			}
		})
	}
}

// blocking names the exported functions and methods of a package that may wait,
// by themselves or by what they call in their package, and take no context. What
// they call elsewhere is not looked at.
func blocking(t *testing.T, pkg string) map[string]bool {
	t.Helper()
	list := func(format string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-f", format}, args...)...)
		cmd.Dir = root
		out, err := cmd.Output()
		require.NoError(t, err)
		return string(out)
	}
	exports := map[string]string{}
	for line := range strings.Lines(list("{{.ImportPath}} {{.Export}}", "-export", "-deps", "./"+pkg)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		exports[path] = file
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for name := range strings.FieldsSeq(list("{{join .GoFiles \" \"}}", "./"+pkg)) {
		f, err := parser.ParseFile(fset, filepath.Join(root, pkg, name), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, f)
	}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })}
	return waits(t, fset, files, &conf)
}

// waits looks at files of one package.
func waits(t *testing.T, fset *token.FileSet, files []*ast.File, conf *types.Config) map[string]bool {
	t.Helper()
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}}
	_, err := conf.Check("x", fset, files, info)
	require.NoError(t, err)
	calls, wait := map[types.Object][]types.Object{}, map[types.Object]bool{}
	for _, f := range files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			self := info.Defs[fn.Name]
			w := &waiter{info: info}
			ast.Walk(w, fn.Body)
			calls[self], wait[self] = w.calls, w.waits
		}
	}
	for again := true; again; {
		again = false
		for fn, callees := range calls {
			for _, c := range callees {
				if wait[c] && !wait[fn] {
					wait[fn], again = true, true
				}
			}
		}
	}
	found := map[string]bool{}
	for fn := range calls {
		sig := fn.Type().(*types.Signature)
		if !wait[fn] || !fn.Exported() || takesContext(sig) {
			continue
		}
		name := fn.Name()
		if recv := sig.Recv(); recv != nil {
			typ := recv.Type()
			if p, ok := typ.(*types.Pointer); ok {
				typ = p.Elem()
			}
			name = typ.(*types.Named).Obj().Name() + "." + name
		}
		found[name] = true
	}
	return found
}

func takesContext(sig *types.Signature) bool {
	for v := range sig.Params().Variables() {
		if v.Type().String() == "context.Context" {
			return true
		}
	}
	return false
}

// waiter looks for what waits in one body, and for what is called there. What
// other goroutines do, and what is only handed on, is not the caller's.
type waiter struct {
	info  *types.Info
	calls []types.Object
	waits bool
}

func (w *waiter) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.GoStmt, *ast.FuncLit:
		return nil
	case *ast.SelectStmt:
		for _, c := range n.Body.List {
			if c.(*ast.CommClause).Comm == nil { // there is a default
				for _, c := range n.Body.List {
					for _, s := range c.(*ast.CommClause).Body {
						ast.Walk(w, s)
					}
				}
				return nil
			}
		}
		w.waits = true
	case *ast.SendStmt:
		w.waits = true
	case *ast.UnaryExpr:
		w.waits = w.waits || n.Op == token.ARROW
	case *ast.RangeStmt:
		if _, ok := w.info.Types[n.X].Type.Underlying().(*types.Chan); ok {
			w.waits = true
		}
	case *ast.CallExpr:
		fun := ast.Unparen(n.Fun)
		if s, ok := fun.(*ast.SelectorExpr); ok {
			fun = s.Sel
		}
		if id, ok := fun.(*ast.Ident); ok {
			if fn, ok := w.info.Uses[id].(*types.Func); ok {
				w.calls = append(w.calls, fn.Origin())
				switch fn.FullName() {
				case "time.Sleep", "(*sync.WaitGroup).Wait", "(*sync.Cond).Wait":
					w.waits = true
				}
			}
		}
	}
	return w
}

// The check sees what it is there for.
func TestWaitingIsSeen(t *testing.T) {
	const src = `package x
import ("context"; "time"; "sync")
type T struct{ c chan int; wg sync.WaitGroup }
func (t *T) Receives() { <-t.c }
func (t *T) Sends() { t.c <- 1 }
func (t *T) Selects() { select { case <-t.c: } }
func (t *T) Ranges() { for range t.c {} }
func (t *T) Joins() { t.wg.Wait() }
func Sleeps() { time.Sleep(1) }
func (t *T) Indirect() { t.help() }
func (t *T) help() { t.Deeper(nil) }
func (t *T) Deeper(ctx context.Context) { <-t.c }
func (t *T) Looks() { select { case <-t.c: default: } }
func (t *T) Hands() { go func() { <-t.c }() }
func (t *T) Gives() func() { return func() { <-t.c } }
func (t *T) Reads() <-chan int { return t.c }
`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "x.go", src, parser.SkipObjectResolution)
	require.NoError(t, err)
	require.Equal(t, map[string]bool{
		"T.Receives": true, "T.Sends": true, "T.Selects": true, "T.Ranges": true, "T.Joins": true, "Sleeps": true, "T.Indirect": true,
	}, waits(t, fset, []*ast.File{f}, &types.Config{Importer: importer.ForCompiler(fset, "source", nil)}))
}
