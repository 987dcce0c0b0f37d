package functions

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"qpipe/lang/files"
)

// maxEntries is the number of names in folders that one fileset looks at.
const maxEntries = 20_000

var errEntries = fmt.Errorf("there are more than %d names in the folders that the pattern leads into; name the folder more closely", maxEntries)

// fileSetFunc lists the files of a folder that match a pattern. It leads into folders as far
// as the pattern has parts, also by links, but never on.
func fileSetFunc(abs func(string) string, b *Budget) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{parameter("path", cty.String), parameter("pattern", cty.String)},
		Type:   function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			pattern := path.Clean(filepath.ToSlash(args[1].AsString()))
			if _, err := path.Match(pattern, ""); err != nil {
				return cty.NilVal, function.NewArgErrorf(1, "%s; a pattern has *, ? and [a-z] in the parts between its slashes", err)
			}
			w := fileSet{root: abs(args[0].AsString()), b: b, seen: map[string]bool{}}
			if err := w.walk("", strings.Split(strings.TrimPrefix(pattern, "/"), "/")); err != nil {
				return cty.NilVal, err
			}
			if len(w.found) == 0 {
				return cty.SetValEmpty(cty.String), nil
			}
			slices.Sort(w.found)
			out := make([]cty.Value, len(w.found))
			for i, name := range w.found {
				out[i] = cty.StringVal(name)
			}
			return cty.SetVal(out), nil
		},
	})
}

// fileSet is a search.
type fileSet struct {
	root  string
	b     *Budget
	names int // that were looked at
	found []string
	seen  map[string]bool
}

// walk looks for the files below the folder dir (relative to the root) that match parts.
func (w *fileSet) walk(dir string, parts []string) error {
	part, rest := parts[0], parts[1:]
	if !strings.ContainsAny(part, `*?[\`) {
		return w.enter(path.Join(dir, part), rest)
	}
	f, err := files.OpenFolder(filepath.Join(w.root, filepath.FromSlash(dir)))
	if err != nil {
		return nil //nolint:nilerr // what is no folder, or cannot be read, has no files
	}
	defer func() { _ = f.Close() }()
	for {
		const some = 256
		names, err := f.Readdirnames(some)
		if err := w.look(len(names)); err != nil {
			return err
		}
		for _, name := range names {
			if match, _ := path.Match(part, name); !match {
				continue
			}
			if err := w.enter(path.Join(dir, name), rest); err != nil {
				return err
			}
		}
		if err != nil {
			return nil //nolint:nilerr // the end
		}
	}
}

// look counts names that are looked at.
func (w *fileSet) look(n int) error {
	if w.names += n; w.names > maxEntries {
		return errEntries
	}
	if !w.b.take(n * callUnits) {
		return errTooMuch
	}
	return nil
}

// enter takes a file, or continues into a folder.
func (w *fileSet) enter(name string, rest []string) error {
	if err := w.look(1); err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(w.root, filepath.FromSlash(name)))
	switch {
	case err != nil: // such as a link that leads to itself
		return nil //nolint:nilerr // what cannot be looked at is no file of ours
	case len(rest) == 0 && info.Mode().IsRegular():
		if !w.seen[name] {
			w.seen[name], w.found = true, append(w.found, name)
		}
	case len(rest) > 0 && info.IsDir():
		return w.walk(name, rest)
	}
	return nil
}
