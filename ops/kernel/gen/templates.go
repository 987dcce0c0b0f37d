package main

import (
	"bytes"
	"embed"
	"go/format"
	"path/filepath"
	"strings"
	"text/template"
)

// templates are the Go files that are the same in both sets up to a few numbers:
// templates/<name>.go.tmpl becomes <set>/<name>_amd64.go.
//
//go:embed templates
var templates embed.FS

// kernelSet is what the templates know about a set.
type kernelSet struct {
	Set   string
	Lanes int  // of a vector
	Rows  int  // of the largest tile of the float32 matrix products
	Int8  bool // has kernels for integer depthwise convolutions
}

var (
	avx512 = kernelSet{Set: "avx512", Lanes: 16, Rows: 12, Int8: true}
	avx2   = kernelSet{Set: "avx2", Lanes: 8, Rows: 6}
)

// Cols is the number of columns of a tile.
func (s kernelSet) Cols() int { return 2 * s.Lanes }

// goFile is a file made from a template.
type goFile struct {
	kernelSet
	name string
	text *template.Template
}

// goFiles are the files of all templates and sets.
func goFiles() []goFile {
	var all []goFile
	for _, t := range template.Must(template.ParseFS(templates, "templates/*")).Templates() {
		for _, s := range []kernelSet{avx512, avx2} {
			all = append(all, goFile{s, strings.TrimSuffix(t.Name(), ".go.tmpl"), t})
		}
	}
	return all
}

func (g goFile) write(dir string) error {
	var text bytes.Buffer
	if err := g.text.Execute(&text, g.kernelSet); err != nil {
		return err
	}
	code, err := format.Source(text.Bytes())
	if err != nil {
		return err
	}
	return save(filepath.Join(dir, g.name+"_amd64.go"), code)
}
