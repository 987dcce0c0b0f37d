// Package graph lowers a checked program to the stage graph: which stage reads
// what from which, in what order they run, what network each works on. All that
// can be known without data is found out here: cycles, shapes, selectors,
// schedules, the order of forms, convertibility. It runs nothing.
package graph

import (
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// Plan is a lowered program.
type Plan struct {
	Program *program.Program
	Catalog stage.Catalog
	Stages  []*Stage // in an order in which they can run; ties as written
}

// Stage is a stage with what lowering found out about it.
type Stage struct {
	*program.Stage
	Reads   []*Stage  // the stages it depends on
	Model   *nn.Graph // after the converters, without parameters
	Mode    nn.Mode
	QConfig func(m nn.Module) nn.QConfig // nil without a qconfig
	Length  program.Length
	Modules [][]string // for each callback: the nodes it acts on
	Writes  []string   // "last", "best": the checkpoints it leaves; none for a stage without training
}

// Lower builds the plan. With errors in the list the plan may be nil or partial
// and must not be run.
func Lower(p *program.Program, c stage.Catalog) (*Plan, diag.List) { panic("not built yet") }
