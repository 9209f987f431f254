package parley_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What has no comment promises nothing.
func TestEveryExportedNameHasAComment(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	fset := token.NewFileSet()
	checked := 0
	about := func(pos token.Pos, name string, docs ...*ast.CommentGroup) {
		if !token.IsExported(name) {
			return
		}
		checked++
		for _, doc := range docs {
			if strings.HasPrefix(doc.Text(), name+" ") || strings.HasPrefix(doc.Text(), name+":") {
				return
			}
		}
		t.Errorf("%s: the comment of %s does not begin with its name", fset.Position(pos), name)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		src, err := os.ReadFile(file)
		require.NoError(t, err)
		parsed, err := parser.ParseFile(fset, file, src, parser.ParseComments)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.Name == "Error" && d.Recv != nil {
					continue // what it does is known
				}
				about(d.Pos(), d.Name.Name, d.Doc)
			case *ast.GenDecl:
				if d.Lparen.IsValid() && d.Doc != nil {
					continue // a group has one comment for all, or comments of its own as well
				}
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.TypeSpec:
						about(s.Pos(), s.Name.Name, d.Doc, s.Doc)
					case *ast.ValueSpec:
						for _, name := range s.Names {
							about(s.Pos(), name.Name, d.Doc, s.Doc)
						}
					}
				}
			}
		}
	}
	require.Greater(t, checked, 150)
}
