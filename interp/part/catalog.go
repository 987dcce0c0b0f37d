package part

import (
	"errors"
	"fmt"
	"slices"

	"qpipe/lang/program"
	"qpipe/ops/kernel"
)

// Checkpoint is the type of an argument that names a checkpoint.
type Checkpoint = program.Checkpoint

// Source is the type of an argument that names another data set.
type Source = program.Source

// ArgError is an error about the value of one argument of a part.
type ArgError = program.ArgError

// Bad returns an error about the argument attr. The caller finds the argument's place in the text.
func Bad(attr, format string, a ...any) error {
	return &ArgError{Attr: attr, Err: fmt.Errorf(format, a...)}
}

// Kernels is the set of kernels that a run computes with.
type Kernels = kernel.Set

// Part is a row of the catalogue: a part's signature and its constructor.
type Part struct {
	program.Signature
	build func(args any) (any, error)
}

// Catalog is the table of all parts. Another program can append rows of its own to
// stdlib.Catalog() and pass the result to cli.Main.
type Catalog []Part

// row makes a row for a part that implements S and has arguments of type A.
func row[A, S any](k program.Kind, name, doc string, defaults A, build func(A) (S, error)) Part {
	return Part{
		Signature: program.Signature{
			Kind: k, Name: name, Doc: doc,
			Args: func() any { a := defaults; return &a },
		},
		build: func(args any) (any, error) {
			a, ok := args.(A)
			if !ok {
				return nil, fmt.Errorf("%s %q takes a %T, not a %T", k, name, defaults, args)
			}
			return build(a)
		},
	}
}

// The following functions make a row, one function for each kind of part. A is the struct of
// the part's arguments (program.Signature explains its tags), defaults holds their default
// values, and build makes the part from its arguments.

// DatasetPart makes a row of the data set shelf.
func DatasetPart[A any](name, doc string, defaults A, build func(A) (Dataset, error)) Part {
	return row(program.DatasetKind, name, doc, defaults, build)
}

// TransformPart makes a row of the transform shelf.
func TransformPart[A any](name, doc string, defaults A, build func(A) (Transform, error)) Part {
	return row(program.TransformKind, name, doc, defaults, build)
}

// ModelPart makes a row of the model shelf.
func ModelPart[A any](name, doc string, defaults A, build func(A) (Model, error)) Part {
	return row(program.ModelKind, name, doc, defaults, build)
}

// OptimizerPart makes a row of the optimizer shelf.
func OptimizerPart[A any](name, doc string, defaults A, build func(A) (Optimizer, error)) Part {
	return row(program.OptimizerKind, name, doc, defaults, build)
}

// LRUpdaterPart makes a row of the learning rate shelf.
func LRUpdaterPart[A any](name, doc string, defaults A, build func(A) (LRUpdater, error)) Part {
	return row(program.LRUpdaterKind, name, doc, defaults, build)
}

// LossPart makes a row of the loss shelf.
func LossPart[A any](name, doc string, defaults A, build func(A) (Loss, error)) Part {
	return row(program.LossKind, name, doc, defaults, build)
}

// MetricPart makes a row of the metric shelf.
func MetricPart[A any](name, doc string, defaults A, build func(A) (Metric, error)) Part {
	return row(program.MetricKind, name, doc, defaults, build)
}

// ObserverPart makes a row of the observer shelf.
func ObserverPart[A any](name, doc string, defaults A, build func(A) (Observer, error)) Part {
	return row(program.ObserverKind, name, doc, defaults, build)
}

// CallbackPart makes a row of the callback shelf; when and modules say whether the
// callback takes these meta-arguments.
func CallbackPart[A any](name, doc string, defaults A, when, modules program.Need, build func(A) (Callback, error)) Part {
	p := row(program.CallbackKind, name, doc, defaults, build)
	p.When, p.Modules = when, modules
	return p
}

// ConverterPart makes a row of the converter shelf; from and to are the model's
// forms before and after the conversion. AnyForm means every form before, and the same
// form after.
func ConverterPart[A any](name, doc string, defaults A, from, to program.Form, build func(A) (Converter, error)) Part {
	p := row(program.ConverterKind, name, doc, defaults, build)
	p.From, p.To = from, to
	return p
}

// Signature implements program.Signatures.
func (c Catalog) Signature(k program.Kind, name string) (program.Signature, bool) {
	p, ok := c.part(k, name)
	return p.Signature, ok
}

// Names implements program.Signatures: it returns the names of the parts of a kind, sorted.
func (c Catalog) Names(k program.Kind) []string {
	var names []string
	for _, p := range c {
		if p.Kind == k {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}

// part returns the row of a kind and name.
func (c Catalog) part(k program.Kind, name string) (Part, bool) {
	i := slices.IndexFunc(c, func(p Part) bool { return p.Kind == k && p.Name == name })
	if i < 0 {
		return Part{}, false
	}
	return c[i], true
}

// New makes the part that call names. If the part refuses the value of an argument, the
// error is an *ArgError.
func New[S any](c Catalog, call program.Call) (made S, err error) {
	defer Guard(&err, "its constructor")
	var none S
	p, ok := c.part(call.Kind, call.Type)
	if !ok {
		return none, fmt.Errorf("there is no %s %q", call.Kind, call.Type)
	}
	v, err := p.build(call.Args)
	if err != nil {
		return none, err
	}
	if v == nil {
		return none, errors.New("its constructor returns neither a part nor an error")
	}
	s, ok := v.(S)
	if !ok {
		return none, fmt.Errorf("%s %q is not a %T", call.Kind, call.Type, &none)
	}
	if a, ok := v.(Assembler); ok {
		return s, a.Assemble(c)
	}
	return s, nil
}
