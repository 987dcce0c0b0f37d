// Package syntax turns bytes into HCL files: it reads a pipeline (a file, or a folder whose .hcl files are read as
// one), keeps the sources for snippets, limits what a hostile text may cost, and rewrites hcl's own diagnostics in our
// words. It also formats files (fmt), shows the difference, and replaces them atomically. It knows no block and no
// attribute.
//
// The doors: [Parse] for a path, [ParseSource] for text in memory,
// [ReadValues] for a file of variable values, [Find], [Format], [Diff] and
// [Write] for fmt.
package syntax

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"qpipe/lang/diag"
	"qpipe/lang/files"
)

// Limits of what is read. A pipeline is a text that people write.
const (
	MaxBytes = 1 << 20 // of all texts of a pipeline, files of values included
	maxFiles = 1000    // in one folder
)

// File is one parsed text. Body is nil when it could not be parsed.
type File struct {
	Name string
	Src  []byte
	Body *hclsyntax.Body
}

// Files is a pipeline's text: its files in the order of their names, and the
// sources of everything that a diagnostic may point at.
type Files struct {
	Name    string // of the pipeline: the base name without .hcl
	Dir     string // the folder that relative paths start from
	Folder  bool   // the pipeline is a folder, not a single file
	Files   []*File
	sources map[string][]byte
	more    []string // names of files that others name
	calls   bool
	room    room
}

// Calls reports whether an expression parsed so far calls a function.
func (f *Files) Calls() bool { return f.calls }

// Source returns the text of a file as it was parsed; it is a [diag.Sources].
func (f *Files) Source(name string) []byte {
	if f == nil {
		return nil
	}
	return f.sources[name]
}

// SHA256 is the hash of the texts of the files, and of those read by Include.
func (f *Files) SHA256() string {
	h := sha256.New()
	for _, name := range append(f.Names(), f.more...) {
		text := f.sources[name]
		fmt.Fprintln(h, filepath.Base(name), len(text))
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Names returns the names of the pipeline's files.
func (f *Files) Names() []string {
	names := make([]string, len(f.Files))
	for i, file := range f.Files {
		names[i] = file.Name
	}
	return names
}

// Parse reads the pipeline at path: a file, which may be a pipe, or a folder. With
// errors in the list the files may be incomplete, but their sources can be shown.
func Parse(path string) (*Files, diag.List) {
	out := &Files{sources: map[string][]byte{}, room: allRoom()}
	names, read := []string{path}, files.ReadNamed
	info, err := os.Stat(path)
	if out.Folder = err == nil && info.IsDir(); out.Folder {
		out.Name, out.Dir = folderName(path), path
		read = files.Read
		var list diag.List
		if names, list = pipelineFiles(path); list.HasErrors() {
			return out, list
		}
	} else {
		out.Name, out.Dir = strings.TrimSuffix(filepath.Base(path), ".hcl"), filepath.Dir(path)
		if files.Passed(path) {
			out.Dir = "."
		}
	}
	var list diag.List
	for _, name := range names {
		src, err := text(name, read)
		if err != nil {
			list = append(list, unreadable(name, err))
			continue
		}
		list = append(list, out.add(name, src)...)
	}
	return out, list
}

// ParseSource parses text that is already in memory under the given name;
// relative paths in it start from the folder of the name.
func ParseSource(name string, src []byte) (*Files, diag.List) {
	out := &Files{
		Name: strings.TrimSuffix(filepath.Base(name), ".hcl"), Dir: filepath.Dir(name),
		sources: map[string][]byte{}, room: allRoom(),
	}
	return out, out.add(name, src)
}

func (f *Files) add(name string, src []byte) diag.List {
	f.sources[name] = src
	body, list := f.parse(name, src)
	f.Files = append(f.Files, &File{Name: name, Src: src, Body: body})
	return list
}

// AddValues parses text that holds only `name = value` lines, such as a file of
// variable values or the value of a flag, and keeps its source.
func (f *Files) AddValues(name string, src []byte) (*hclsyntax.Body, diag.List) {
	f.sources[name] = src
	return f.parse(name, src)
}

func (f *Files) parse(name string, src []byte) (*hclsyntax.Body, diag.List) {
	body, list := parseBody(name, src, &f.room)
	if body != nil && !list.HasErrors() {
		f.calls = meter(body) || f.calls
	}
	return body, list
}

// AddExpression parses the text of a single expression, such as the value of a
// flag, and keeps its source.
func (f *Files) AddExpression(name string, src []byte) (hclsyntax.Expression, diag.List) {
	f.sources[name] = src
	if list := f.room.bound(name, src, hclsyntax.LexExpression); list.HasErrors() {
		return nil, list
	}
	expr, diags := hclsyntax.ParseExpression(src, name, hcl.InitialPos)
	if !diags.HasErrors() {
		f.calls = meter(expr) || f.calls
	}
	return expr, Translate(diags)
}

// Template parses the text of a template, such as a file that an expression
// renders.
func Template(name string, src []byte) (hclsyntax.Expression, diag.List) {
	r := allRoom()
	if list := r.bound(name, src, hclsyntax.LexTemplate); list.HasErrors() {
		return nil, list
	}
	expr, diags := hclsyntax.ParseTemplate(src, name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, Translate(diags)
	}
	meter(expr)
	return expr, nil
}

// ReadValues reads a file of variable values and keeps its source. One that the
// command line names may be a pipe.
func (f *Files) ReadValues(path string, named bool) (*hclsyntax.Body, diag.List) {
	read := files.Read
	if named {
		read = files.ReadNamed
	}
	src, err := text(path, read)
	if err != nil {
		return nil, diag.List{unreadable(path, err)}
	}
	return f.AddValues(path, src)
}

// Include reads a file that a file of the pipeline names, and keeps its source.
func (f *Files) Include(path string) (*hclsyntax.Body, diag.List) {
	src, err := text(path, files.Read)
	if err != nil {
		return nil, diag.List{unreadable(path, err)}
	}
	f.more, f.sources[path] = append(f.more, path), src
	return f.parse(path, src)
}

// Beside returns the names of the *.hcl files in the folder that a path is, or where there is nothing of that name, in the one that it
// would be in.
func Beside(path string) (folder string, names []string) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		folder = path
	case errors.Is(err, fs.ErrNotExist):
		folder = filepath.Dir(path)
	default:
		return "", nil
	}
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".hcl") && !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return folder, names
}

// AutoValues returns the paths of the *.auto.qvars files beside the pipeline, in
// the order of their names.
func (f *Files) AutoValues() []string {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".auto.qvars") {
			out = append(out, filepath.Join(f.Dir, e.Name()))
		}
	}
	return out
}

func parseBody(name string, src []byte, r *room) (*hclsyntax.Body, diag.List) {
	if list := encoding(name, src); list.HasErrors() {
		return nil, list
	}
	if list := r.bound(name, src, hclsyntax.LexConfig); list.HasErrors() {
		return nil, list
	}
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	list := Translate(diags)
	if file == nil || file.Body == nil {
		return nil, list
	}
	body, _ := file.Body.(*hclsyntax.Body)
	return body, list
}

func folderName(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return filepath.Base(path)
	}
	return filepath.Base(abs)
}

// pipelineFiles lists the .hcl files of a folder, without hidden ones.
func pipelineFiles(dir string) ([]string, diag.List) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, diag.List{unreadable(dir, err)}
	}
	var names []string
	for _, e := range entries {
		if isPipeline(e) {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	switch {
	case len(names) == 0:
		return nil, diag.List{{
			Code: diag.NoFiles, Summary: fmt.Sprintf("the folder %s holds no .hcl file", dir),
			Detail: "Name a pipeline file, or a folder with the .hcl files of one pipeline.",
		}}
	case len(names) > maxFiles:
		return nil, diag.List{{
			Code: diag.FileTooLarge, Summary: fmt.Sprintf("the folder %s holds %d .hcl files", dir, len(names)),
			Detail: fmt.Sprintf("A pipeline has at most %d files. Name the one that you mean.", maxFiles),
		}}
	}
	return names, nil
}

// isPipeline looks at the name alone: a file that is named like a pipeline and is none is a
// mistake to report.
func isPipeline(e fs.DirEntry) bool {
	return strings.HasSuffix(e.Name(), ".hcl") && !strings.HasPrefix(e.Name(), ".")
}

var (
	errTooLarge = fmt.Errorf("larger than %d MiB", MaxBytes>>20)
	errName     = errors.New("its name is not UTF-8")
)

// text reads a file that people write.
func text(path string, read func(path string, most int64) ([]byte, error)) ([]byte, error) {
	if !utf8.ValidString(path) {
		return nil, errName
	}
	src, err := read(path, MaxBytes)
	if errors.Is(err, files.ErrTooLarge) {
		err = errTooLarge
	}
	return src, err
}

func unreadable(path string, err error) *diag.Diagnostic {
	name, why := path, files.Cause(err).Error()
	if !utf8.ValidString(path) {
		name = fmt.Sprintf("%q", path)
	}
	if strings.HasPrefix(why, "is ") {
		why = "it " + why
	}
	d := &diag.Diagnostic{Code: diag.FileUnreadable, Summary: fmt.Sprintf("cannot read %s: %s", name, why)}
	switch {
	case errors.Is(err, errTooLarge):
		d.Code, d.Detail = diag.FileTooLarge, "A pipeline is a text that people write. Is this the right file?"
	case errors.Is(err, errName):
		d.Detail = "Rename the file."
	case errors.Is(err, files.ErrNoWriter):
		d.Detail = "Start what writes into it first, or name a file."
	case errors.Is(err, files.ErrFolder), errors.Is(err, files.ErrNotRegular):
		d.Detail = "A name that ends in .hcl or .qvars is read as a text. Move it away, or give it another name."
	case errors.Is(err, files.ErrBrokenLink), errors.Is(err, files.ErrLinkCircle):
		d.Detail = "Remove the link, or make it lead to a file."
	case errors.Is(err, fs.ErrNotExist):
		d.Detail = "Check the spelling, and the folder that the command runs in." + siblings(path)
	case errors.Is(err, fs.ErrPermission):
		d.Detail = "The file must be readable for the user who runs the command."
	}
	return d
}

// siblings suggests the file that was probably intended.
func siblings(path string) string {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if near := diag.Nearest(filepath.Base(path), names); near != "" {
		return fmt.Sprintf(" Did you mean %q?", filepath.Join(filepath.Dir(path), near))
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".hcl") })
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf(" The folder has: %s.", diag.Enumerate(names))
}
