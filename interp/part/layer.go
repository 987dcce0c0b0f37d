package part

import (
	"errors"

	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// Layer adds itself to a network: a node called name, or the several nodes of a module, whose names begin with it. It is
// what `layer "Type" "name" {}` names. A mistake is the builder's to report, at the field of the op that is at fault; where
// the layer's Args have a field of that name, the message is placed at its argument.
type Layer interface {
	Add(b *nn.Builder, name string, xs ...nn.Value) nn.Value
}

// LayerPart makes a row of the layer shelf.
func LayerPart[A any](name, doc string, defaults A, build func(A) (Layer, error)) Part {
	return row(program.LayerKind, name, doc, defaults, build)
}

// Network is what `model "Network" "name" {}` holds: its layers, in an order in which they can be computed.
type Network = program.Network

// Assembler is a part that is made of others: New hands it the catalogue.
type Assembler interface{ Assemble(c Catalog) error }

// Mistakes are all that were found in building a network, each placed at the path of an argument where there is one. There may be
// none of them: those that lang/check has reported are enough to have no network.
type Mistakes []error

func (m Mistakes) Error() string {
	if len(m) == 0 {
		return "there are mistakes in its layers"
	}
	return m[0].Error()
}

// Unwrap returns the mistakes.
func (m Mistakes) Unwrap() []error { return m }

// All are the mistakes of an error: those of Mistakes, or the error itself.
func All(err error) []error {
	var m Mistakes
	switch {
	case err == nil:
		return nil
	case errors.As(err, &m):
		return m
	}
	return []error{err}
}
