package part

import (
	"fmt"
	"slices"

	"qpipe/lang/program"
	"qpipe/ops/kernel"
)

// Checkpoint is the argument type of a part that names a checkpoint.
type Checkpoint = program.Checkpoint

// ArgError is an error about the value of one argument of a part.
type ArgError = program.ArgError

// Bad returns an error about the argument attr; its place is found by the caller.
func Bad(attr, format string, a ...any) error {
	return &ArgError{Attr: attr, Err: fmt.Errorf(format, a...)}
}

// Kernels is the kernel set that parts compute with.
type Kernels = kernel.Set

// Part is a row of the catalogue: a signature and a constructor.
type Part struct {
	program.Signature
	build func(args any) (any, error)
}

// Catalog is the table of parts that a program knows. A program of someone
// else's appends rows to stdlib.Catalog() and hands the whole to cli.Main.
type Catalog []Part

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

// The row constructors. A is the part's Args struct (see program.Signature for
// its tags), defaults its defaults; build turns arguments into the part.

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

// CallbackPart makes a row of the callback shelf; when and modules say which
// meta-arguments the callback takes.
func CallbackPart[A any](name, doc string, defaults A, when, modules program.Need, build func(A) (Callback, error)) Part {
	p := row(program.CallbackKind, name, doc, defaults, build)
	p.When, p.Modules = when, modules
	return p
}

// ConverterPart makes a row of the converter shelf; from and to are the model's
// form before and after (program.AnyForm: as it is).
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

// Names implements program.Signatures: the kind's names, sorted.
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

func (c Catalog) part(k program.Kind, name string) (Part, bool) {
	i := slices.IndexFunc(c, func(p Part) bool { return p.Kind == k && p.Name == name })
	if i < 0 {
		return Part{}, false
	}
	return c[i], true
}

// New makes the part that call names. The error is an *ArgError where the part
// dislikes a value.
func New[S any](c Catalog, call program.Call) (S, error) {
	var none S
	p, ok := c.part(call.Kind, call.Type)
	if !ok {
		return none, fmt.Errorf("no %s is named %q", call.Kind, call.Type)
	}
	v, err := p.build(call.Args)
	if err != nil {
		return none, err
	}
	s, ok := v.(S)
	if !ok {
		return none, fmt.Errorf("%s %q is not a %T", call.Kind, call.Type, &none)
	}
	return s, nil
}
