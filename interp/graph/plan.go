// Package graph is the stage graph of a program: which stage reads what from which, in what order
// they run, what network each works on. interp/lower makes it. On the finished graph [Judge] applies
// the rules that need the networks or the data: [Rules] is the table, and a rule is a row of it and
// a file. What can be known without the network is left to lang/lint.
package graph

import (
	"slices"

	"qpipe/interp/part"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// Plan is a lowered program.
type Plan struct {
	Program *program.Program
	Catalog part.Catalog
	Stages  []*Stage // in an order in which they can run; ties as written
	Machine stage.Machine
}

// Stage is a stage with what lowering has found out about it.
type Stage struct {
	*program.Stage
	Reads   []*Stage  // the stages it depends on
	Model   *nn.Graph // after the converters, without parameters
	Mode    nn.Mode
	QConfig func(m nn.Module) nn.QConfig // nil without a qconfig
	Nodes   []NodeQConfig                // what QConfig says of each node, and which block says it
	Length  program.Length
	Modules [][]string         // for each callback: the nodes it acts on
	Told    map[diag.Code]bool // warnings of this stage's run that validation can and does say
	Images  Images             // of its data, as far as it is known
	Writes  []string           // "last", "best": the checkpoints it leaves; none for a stage without training
	Files   []string           // that its exporters write, beside them
	Data    Data
	Loads   []Load // the checkpoints it loads, in order

	// Absorbed says which callback absorbs a node's BN by the end of this stage, or has done so in a
	// stage whose checkpoint this one loads.
	Absorbed map[string]*program.Callback
	// Surely holds those of these nodes whose BN is gone when this stage begins.
	Surely map[string]bool
	// Before is the model that QAT2Quantize takes, nil without it.
	Before *nn.Graph
	// Extent is what the stage's memory follows from, nil where it is not known.
	Extent   *stage.Extent
	Settings *program.Settings
	// Past is the training that the stage continues: the one whose checkpoint it loads last. It is
	// nil where nothing is continued, or nothing is known of it.
	Past *Past
}

// Load is a checkpoint that a stage loads.
type Load struct {
	Call    *program.Call // the converter
	From    program.Checkpoint
	Options part.LoadOptions
	Up      *Stage               // the stage that writes it, nil for a file
	Inputs  []part.Preprocessing // of the data that a file's model was trained on; nil where the file does not say
	Missing string               // the path of a file that does not exist
}

// Stage returns the stage of that name, nil if there is none.
func (p *Plan) Stage(name string) *Stage {
	for _, s := range p.Stages {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Names reports whether the stage may write a file of that name.
func (s *Stage) Names(name string) bool {
	int8 := name == program.Int8 && s.Model != nil && s.Model.Form() == nn.Quantized
	return int8 || slices.Contains(s.Writes, name) || slices.Contains(s.Files, name) || slices.ContainsFunc(s.Callbacks, func(c program.Callback) bool {
		n, ok := c.Args.(program.Numberer)
		return ok && n.Numbers(name, s.Length)
	})
}

// steps reports whether the stage trains or calibrates.
func (s *Stage) steps() bool { return s.Trainer != nil || s.Calibrator != nil }

// averager is the callback that evaluates with averaged weights, nil without one.
func averager(s *program.Stage) *program.Callback {
	i := slices.IndexFunc(s.Callbacks, func(c program.Callback) bool {
		_, ok := c.Args.(program.WeightAverager)
		return ok
	})
	if i < 0 {
		return nil
	}
	return &s.Callbacks[i]
}

// Averages reports whether a stage keeps averaged weights.
func (s *Stage) Averages() bool { return averager(s.Stage) != nil }
