package syntax

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/rogpeppe/go-internal/diff"

	"qpipe/lang/diag"
	"qpipe/lang/files"
)

// Format returns src in canonical form, or diagnostics and nil when it is not
// HCL. Formatting what is formatted changes nothing. Heredocs stay as they are.
func Format(src []byte, name string) ([]byte, diag.List) {
	r := allRoom()
	if _, list := parseBody(name, src, &r); list.HasErrors() {
		return nil, list
	}
	out, texts := setHeredocsAside(src, name)
	const rounds = 4 // hcl's formatter may need a second look at its own output
	for range rounds {
		next := hclwrite.Format(out)
		if bytes.Equal(next, out) {
			break
		}
		out = next
	}
	for stand, text := range texts {
		out = bytes.Replace(out, []byte(stand), text, 1)
	}
	return out, nil
}

// setHeredocsAside replaces every heredoc by a name, and returns the texts by name. For hcl's formatter a heredoc with
// all its lines is part of one line, and brackets in its interpolations that a later line closes would indent
// everything after it.
func setHeredocsAside(src []byte, name string) (out []byte, texts map[string][]byte) {
	stem := "heredoc"
	for bytes.Contains(src, []byte(stem)) {
		stem += "_"
	}
	texts = map[string][]byte{}
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	depth, from, done := 0, 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOHeredoc:
			if depth++; depth == 1 {
				from = t.Range.Start.Byte
			}
		case hclsyntax.TokenCHeredoc:
			if depth--; depth == 0 {
				stand := fmt.Sprintf("%s%dx", stem, len(texts)) // the x: no name is a prefix of another
				texts[stand] = src[from:t.Range.End.Byte]
				out = append(append(out, src[done:from]...), stand...)
				done = t.Range.End.Byte
			}
		}
	}
	return append(out, src[done:]...), texts
}

// Diff shows what formatting the file would change, as a unified diff; it is empty if nothing would change.
func Diff(name string, before, after []byte) []byte {
	return diff.Diff(filepath.ToSlash(filepath.Join("a", name)), before, filepath.ToSlash(filepath.Join("b", name)), after)
}

// Find lists the files that fmt works on: path itself when it is a file, else
// the .hcl and .qvars files in the folder, and below it when recursive is set.
// Hidden folders are left out.
func Find(path string, recursive bool) ([]string, diag.List) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		_, list := Read(path) // the error is about this path
		return nil, list
	case !info.IsDir():
		return []string{path}, nil
	}
	var out []string
	err = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p == path:
			return nil
		case isPipeline(e) || strings.HasSuffix(e.Name(), ".qvars"):
			out = append(out, p)
		}
		if e.IsDir() && (!recursive || strings.HasPrefix(e.Name(), ".")) {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return out, diag.List{unreadable(path, err)}
	}
	return out, nil
}

// Read returns the text of a file that fmt works on.
func Read(path string) ([]byte, diag.List) {
	src, err := text(path, files.Read)
	if err != nil {
		return nil, diag.List{unreadable(path, err)}
	}
	return src, nil
}

// Write replaces the file by text, completely or not at all; it is on disk when Write returns. It follows links and
// keeps permissions.
func Write(path string, text []byte) diag.List {
	err := write(path, text)
	if err == nil {
		return nil
	}
	d := &diag.Diagnostic{
		Code: diag.FileUnwritable, Summary: fmt.Sprintf("cannot write %s: %s", path, files.Cause(err)),
		Detail: "The file is unchanged. Its folder must be writable, because the new text is first written beside the old one.",
	}
	if errors.Is(err, errReadOnly) {
		d.Detail = "The file is unchanged. Make it writable, or look at the changes with -diff."
	}
	return diag.List{d}
}

var errReadOnly = errors.New("it is read-only")

// write puts the text beside the file and renames it over the file.
func write(path string, text []byte) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(real)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o222 == 0 {
		return errReadOnly
	}
	tmp, err := os.CreateTemp(filepath.Dir(real), "."+filepath.Base(real)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // fails after the rename, as it should
	if err := errors.Join(fill(tmp, text, info.Mode().Perm()), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), real); err != nil {
		return err
	}
	return files.SyncFolder(filepath.Dir(real))
}

func fill(f *os.File, text []byte, perm fs.FileMode) error {
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := f.Chmod(perm); err != nil {
		return err
	}
	return f.Sync()
}
