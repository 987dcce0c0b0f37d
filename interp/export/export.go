// Package export writes a trained model for other programs: it lets an exporter write what is in a checkpoint or an int8 model.
package export

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/command"
	"qpipe/interp/disk"
	"qpipe/interp/part"
	"qpipe/interp/place"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// About is the help of the command.
const About = `Write a trained model for other programs, as export "ONNX" {} in a stage does. MODEL is

  a file        runs/mnist/int_infer/int8.safetensors, or a checkpoint
  a reference   stage.qat.checkpoint.best, in the run's folder (-run)

-to names the exporter, by default ONNX, and -set gives its arguments (see
qpipe parts export). The checkpoint of a model that is trained quantized is written as its
float weights; -int8 converts it first, as QAT2Quantize does. Files that exist are
kept, unless -force is given.`

// Flags are the flags of the command.
type Flags struct {
	To, Run, Out     string
	Set              []string
	EMA, Int8, Force bool
	JSON             bool
}

// Register adds the flags.
func (f *Flags) Register(fl *pflag.FlagSet) {
	fl.StringVar(&f.To, "to", "ONNX", "the `EXPORTER`")
	fl.StringArrayVar(&f.Set, "set", nil, "an argument of the exporter: `NAME=VALUE`, as format=qoperator (repeatable)")
	fl.StringVar(&f.Out, "out", ".", "write into this `FOLDER`")
	fl.StringVar(&f.Run, "run", "", "`FOLDER` of the run, for a reference")
	fl.BoolVar(&f.EMA, "ema", false, "use the averaged weights of a checkpoint")
	fl.BoolVar(&f.Int8, "int8", false, "convert a model that is trained quantized to int8 first")
	fl.BoolVar(&f.Force, "force", false, "write over files that exist")
	fl.BoolVar(&f.JSON, "json", false, "as JSON")
}

// Report is what was written.
type Report struct {
	Model    string  `json:"model"`
	Form     nn.Form `json:"form"` // of the model that was written
	Exporter string  `json:"exporter"`
	Files    []File  `json:"files"`
}

// File is a file that was written.
type File struct {
	Path   string `json:"path"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Run writes the model. Nothing is left of a failed export.
func Run(f Flags, word string, c part.Catalog, version string) (*Report, error) {
	x, err := f.exporter(c)
	if err != nil {
		return nil, err
	}
	e, path, err := f.model(word)
	if err != nil {
		return nil, err
	}
	e.Version = version
	wrong := func(err error) error {
		return &place.Error{Diagnostic: &diag.Diagnostic{Code: diag.CannotExport, Summary: fmt.Sprintf("%s: %s: %v", path, f.To, err)}}
	}
	if fits, ok := x.(part.GraphFitter); ok {
		if err := part.Try("Fits", func() error { return fits.Fits(e.Model) }); err != nil {
			return nil, wrong(err)
		}
	}
	for _, name := range x.Files() {
		at := filepath.Join(f.Out, name)
		if _, err := os.Lstat(at); err == nil && !f.Force {
			return nil, &place.Error{Diagnostic: &diag.Diagnostic{Code: diag.Foreign, Summary: at + " exists", Detail: "Remove it, give another folder with -out or another name with -set file=NAME, or use -force."}}
		}
	}
	r, data := &Report{Model: path, Form: e.Model.Form(), Exporter: f.To}, map[string][]byte{}
	e.Write = func(name string, b []byte) error { data[name] = b; return nil }
	if err := part.Exported(x, e); err != nil {
		return nil, wrong(err)
	}
	err = os.MkdirAll(f.Out, 0o777)
	if err != nil {
		return nil, wrong(err)
	}
	d, err := disk.Open(f.Out, disk.Options{})
	if err != nil {
		return nil, wrong(err)
	}
	for _, name := range x.Files() {
		if err := d.Write(name, data[name]); err != nil {
			return nil, errors.Join(wrong(err), d.Close())
		}
		r.Files = append(r.Files, File{filepath.ToSlash(filepath.Join(f.Out, name)), len(data[name]), disk.Sum(data[name])})
	}
	return r, d.Close()
}

// exporter makes the exporter with the arguments of -set.
func (f *Flags) exporter(c part.Catalog) (part.Exporter, error) {
	sig, ok := c.Signature(program.ExportKind, f.To)
	if !ok {
		have := c.Names(program.ExportKind)
		return nil, command.Wrong("-to: there is no exporter %q; there are %s", f.To, strings.Join(have, " and "))
	}
	args := reflect.ValueOf(sig.Args()).Elem()
	for _, word := range f.Set {
		name, value, is := strings.Cut(word, "=")
		if !is {
			return nil, command.Wrong("-set: %q is no NAME=VALUE", word)
		}
		if err := set(args, name, value); err != nil {
			return nil, command.Wrong("-set: %v", err)
		}
	}
	call := program.Call{Kind: program.ExportKind, Type: f.To, Args: args.Interface()}
	x, err := part.New[part.Exporter](c, call)
	if err != nil {
		return nil, command.Wrong("-set: %v", err)
	}
	return x, part.CheckFiles(x.Files())
}

// set sets an argument.
func set(args reflect.Value, name, value string) (err error) {
	var names []string
	for _, f := range program.Fields(args.Type()) {
		names = append(names, f.Name)
		if f.Name != name {
			continue
		}
		if len(f.OneOf) > 0 && !slices.Contains(f.OneOf, value) {
			return fmt.Errorf("%s is one of %s, not %q", name, strings.Join(f.OneOf, ", "), value)
		}
		v := args.FieldByIndex(f.Index)
		switch v.Kind() {
		case reflect.String:
			v.SetString(value)
		case reflect.Bool:
			var b bool
			b, err = strconv.ParseBool(value)
			v.SetBool(b)
		case reflect.Int:
			var n int64
			n, err = strconv.ParseInt(value, 10, 32)
			v.SetInt(n)
		case reflect.Float64:
			var x float64
			x, err = strconv.ParseFloat(value, 64)
			v.SetFloat(x)
		default:
			return fmt.Errorf("%s cannot be given on the command line", name)
		}
		if err != nil {
			return fmt.Errorf("%s = %q is no %s", name, value, map[reflect.Kind]string{reflect.Bool: "true or false", reflect.Int: "whole number", reflect.Float64: "number"}[v.Kind()])
		}
		return nil
	}
	return fmt.Errorf("there is no argument %q; there are %s", name, strings.Join(names, ", "))
}

// model reads the model.
func (f *Flags) model(word string) (*part.Export, string, error) {
	path := word
	if strings.HasPrefix(word, "stage.") {
		at, _, ok := artifact.Reference(word, f.Run)
		if !ok || f.Run == "" {
			return nil, "", command.Wrong("%s: a reference is stage.NAME.checkpoint.WHICH, WHICH being last, best or int8, and -run names the folder of the run", word)
		}
		path = at
	}
	if filepath.Ext(path) == ".onnx" {
		return nil, "", command.Wrong("%s is an ONNX file; export writes checkpoints and int8 models", path)
	}
	snap, err := artifact.Read(path)
	if err != nil {
		return nil, "", err
	}
	wrong := func(format string, a ...any) error {
		return &place.Error{Diagnostic: &diag.Diagnostic{Code: diag.CannotLoad, Summary: path + ": " + fmt.Sprintf(format, a...)}}
	}
	if f.EMA && len(snap.Shadow) == 0 {
		return nil, "", wrong("it holds no averaged weights")
	}
	g, err := checkpoint.Restore(snap, f.EMA)
	if err != nil {
		return nil, "", wrong("%v", err)
	}
	if f.Int8 {
		if list := g.Convertible(); len(list) > 0 {
			return nil, "", wrong("it cannot become int8: %v", &list[0])
		}
		if g, err = g.Convert(); err != nil {
			return nil, "", wrong("it cannot become int8: %v", err)
		}
	}
	e := &part.Export{Stage: snap.Stage, Model: g, Inputs: snap.Inputs, Classes: snap.Classes, Metrics: snap.Metrics}
	if len(snap.Shadow) > 0 && !f.EMA || f.Int8 {
		e.Metrics = nil // they are those of the averaged weights, or of the model before
	}
	return e, path, nil
}
