// Package lint applies the rules between blocks to a checked program: what each block says is
// right by itself, and together they cannot work, or are not what was meant. [Rules] is the table;
// a rule is a row of it and a file. The package sees no text and no network: places come from the
// program's origins, and the rules that need a network are those of interp/graph.
package lint

import (
	"fmt"

	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// Rule is a row of the table.
type Rule = diag.Rule[*Pipeline]

// Rules returns the table, in the order of the codes.
func Rules() []Rule {
	return []Rule{
		oneBest(),
		twoSolvers(),
		stageCycle(),
		nothingToAbsorb(),
		converterOrder(),
		qatModeMismatch(),
		qatModeDiffers(),
		resumeMismatch(),
		noCheckpoint(),
		neverFires(),
		missingData(),
		noMetrics(),
		noQConfig(),
		noFloatCheckpoint(),
		absorptionJumps(),
		averagedAbsorbed(),
		stageUnread(),
		largerLR(),
		unused(),
		dataUnused(),
		callbackIdle(),
	}
}

// Run applies the table, and adds to what has been found already.
func Run(p *Pipeline, found diag.List) diag.List {
	p.prepare()
	return diag.Apply(Rules(), p, found)
}

// Pipeline is a checked program with what the rules need besides.
type Pipeline struct {
	*program.Program
	Signatures program.Signatures
	Stages     []*Stage // as written
	Names      []Name   // what references can name, sorted by name within a kind
	byName     map[string]*Stage
}

// Name is something that a reference can name.
type Name struct {
	Kind, Name string // "dataset" and "train", as in dataset.train
	Word       string // what a person calls it: "local value"
	Address    string
	Where      diag.Range
	Used       bool
}

// Stage is a stage with what the rules need besides.
type Stage struct {
	*program.Stage
	Converters []program.Signature // of the converters; Kind is empty for an unknown one
	Refs       []Ref               // everything it waits for
	Broken     bool                // its blocks could not be decoded: no rule looks at it
	Written    Written

	loads     []load
	form      program.Form     // of its model when it runs
	sound     bool             // all its converters are known and fit: form is right
	misplaced *diag.Diagnostic // what is wrong with the first converter that does not fit
}

// Written says which attributes of a stage are written, even where their values could not be
// found.
type Written struct{ TrainData, ValData, QConfig bool }

// Ref is a reference with the address of the block that makes it.
type Ref struct {
	program.Ref
	Address string
}

// place is where a message belongs: a block's address and a place in the text.
type place struct {
	address          string
	subject, context diag.Range
}

// at is where an attribute of a block is written, or the block's header.
func at(o program.Origin, attr string) place {
	p := place{address: o.Address, subject: o.At(attr)}
	if p.subject != o.Header {
		p.context = o.Header
	}
	return p
}

// found makes a diagnostic of what a rule has found.
func found(p place, detail, format string, a ...any) *diag.Diagnostic {
	return &diag.Diagnostic{Summary: fmt.Sprintf(format, a...), Detail: detail, Address: p.address, Subject: p.subject, Context: p.context}
}

// related adds a second place to a diagnostic.
func related(d *diag.Diagnostic, message string, r diag.Range) *diag.Diagnostic {
	d.Related = []diag.Related{{Message: message, Range: r}}
	return d
}

// each makes the check of a rule that looks at one stage at a time.
func each(check func(p *Pipeline, s *Stage, report diag.Reporter)) func(*Pipeline, diag.Reporter) {
	return func(p *Pipeline, report diag.Reporter) {
		for _, s := range p.Stages {
			if !s.Broken {
				check(p, s, report)
			}
		}
	}
}
