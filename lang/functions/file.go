package functions

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"qpipe/lang/files"
	"qpipe/lang/syntax"
)

// maxRead is the size of the largest file that an expression may read.
const maxRead = 4 << 20

// fileFuncs makes the functions that look at the file system; relative paths start
// from dir, the pipeline's folder.
func fileFuncs(dir string, b *Budget) map[string]function.Function {
	abs := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	read := func(path string) ([]byte, error) {
		text, err := readBounded(abs(path), path)
		if err == nil && !b.take(len(text)/unitBytes) {
			err = errTooMuch
		}
		return text, err
	}
	return map[string]function.Function{
		"abspath":    stringFunc(func(s string) (string, error) { p, err := filepath.Abs(abs(s)); return filepath.ToSlash(p), err }),
		"basename":   stringFunc(func(s string) (string, error) { return filepath.Base(s), nil }),
		"dirname":    stringFunc(func(s string) (string, error) { return filepath.ToSlash(filepath.Dir(s)), nil }),
		"file":       stringFunc(func(s string) (string, error) { return text8(read(s)) }),
		"filebase64": stringFunc(func(s string) (string, error) { t, err := read(s); return base64.StdEncoding.EncodeToString(t), err }),
		"fileexists": fileExistsFunc(abs),
		"fileset":    fileSetFunc(abs, b),
		"pathexpand": stringFunc(expandHome),
		"templatefile": templateFunc(read, b, sync.OnceValue(func() map[string]function.Function {
			table := Table(dir, b)
			delete(table, "templatefile") // a template that includes itself would not end
			return table
		})),
	}
}

func readBounded(path, name string) ([]byte, error) {
	out, err := files.Read(path, maxRead)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("there is no file %s (relative paths start from the pipeline's folder)", name)
	case errors.Is(err, files.ErrTooLarge):
		err = fmt.Errorf("%s is larger than %d MiB", name, maxRead>>20)
	case err != nil && strings.HasPrefix(files.Cause(err).Error(), "is "):
		err = fmt.Errorf("%s %w", name, files.Cause(err))
	case err != nil:
		err = fmt.Errorf("%s: %w", name, files.Cause(err))
	}
	return out, err
}

func text8(b []byte, err error) (string, error) {
	if err == nil && !utf8.Valid(b) {
		err = errors.New("the file is not UTF-8 text; filebase64 reads any bytes")
	}
	return string(b), err
}

func expandHome(path string) (string, error) {
	if path != "~" && (len(path) < 2 || path[:2] != "~/") {
		return path, nil
	}
	home, err := os.UserHomeDir()
	return home + path[1:], err
}

func fileExistsFunc(abs func(string) string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{parameter("path", cty.String)},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			info, err := os.Stat(abs(args[0].AsString()))
			return cty.BoolVal(err == nil && info.Mode().IsRegular()), nil
		},
	})
}

// templateFunc renders a file as a template with the given variables.
func templateFunc(read func(string) ([]byte, error), b *Budget, table func() map[string]function.Function) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{parameter("path", cty.String), parameter("vars", cty.DynamicPseudoType)},
		Type:   function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			src, err := text8(read(name))
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			if !b.take(len(src)) { // every character may be something to parse
				return cty.NilVal, errTooMuch
			}
			expr, list := syntax.Template(name, []byte(src))
			if list.HasErrors() {
				d := list[0]
				return cty.NilVal, function.NewArgErrorf(0, "%s:%d: %s", name, d.Subject.Start.Line, d.Summary)
			}
			if ty := args[1].Type(); !ty.IsObjectType() && !ty.IsMapType() {
				return cty.NilVal, function.NewArgErrorf(1, "needs an object of variables")
			}
			v, diags := expr.Value(&hcl.EvalContext{Variables: args[1].AsValueMap(), Functions: table()})
			if diags.HasErrors() {
				return cty.NilVal, function.NewArgErrorf(0, "%s", diags[0].Error())
			}
			return v, nil
		},
	})
}
