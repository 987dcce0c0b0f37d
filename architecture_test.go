package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestArchitecturePage: every name that docs/architecture.md and docs/adding.md give with its package, `stage.trainer.step`, is there.
func TestArchitecturePage(t *testing.T) {
	names, packages := declared(t)
	for _, page := range []string{"docs/architecture.md", "docs/adding.md"} {
		text, err := os.ReadFile(page)
		must(t, err)
		found := 0
		for _, m := range regexp.MustCompile("`([a-z][a-z0-9]*)\\.([A-Za-z]\\w*(?:\\.[A-Za-z]\\w*)?)(?:\\([^`]*\\))?`").FindAllStringSubmatch(string(text), -1) {
			if !packages[m[1]] || strings.HasSuffix(m[0], ".go`") || strings.HasSuffix(m[0], ".md`") {
				continue
			}
			found++
			if !names[m[1]+"."+m[2]] {
				t.Errorf("%s names %s, which is not there", page, m[0])
			}
		}
		if found == 0 {
			t.Errorf("%s names nothing", page)
		}
	}
}

// declared are all functions, methods, types, fields, variables and constants by package and name.
func declared(t *testing.T) (names, packages map[string]bool) {
	t.Helper()
	names, packages = map[string]bool{}, map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		pkg := f.Name.Name
		packages[pkg] = true
		for _, decl := range f.Decls {
			declare(names, pkg, decl)
		}
		return nil
	})
	must(t, err)
	return names, packages
}

func declare(names map[string]bool, pkg string, decl ast.Decl) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			r := d.Recv.List[0].Type
			if p, ok := r.(*ast.StarExpr); ok {
				r = p.X
			}
			if g, ok := r.(*ast.IndexExpr); ok {
				r = g.X
			}
			if id, ok := r.(*ast.Ident); ok {
				name = id.Name + "." + name
			}
		}
		names[pkg+"."+name] = true
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				names[pkg+"."+s.Name.Name] = true
				members(names, pkg+"."+s.Name.Name+".", s.Type)
			case *ast.ValueSpec:
				for _, id := range s.Names {
					names[pkg+"."+id.Name] = true
				}
			}
		}
	}
}

// members adds the fields of a struct and the methods of an interface.
func members(names map[string]bool, prefix string, typ ast.Expr) {
	var list *ast.FieldList
	switch t := typ.(type) {
	case *ast.StructType:
		list = t.Fields
	case *ast.InterfaceType:
		list = t.Methods
	default:
		return
	}
	for _, f := range list.List {
		for _, id := range f.Names {
			names[prefix+id.Name] = true
		}
	}
}
