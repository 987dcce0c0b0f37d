// Package graph has the plan of a program: its stages in the order in which they run, what each of them
// reads from others, and the network that each works on. interp/lower makes the plan. [Judge]
// then applies the rules that need networks or data. [Rules] is their table; each rule is a row and a
// file. Rules that need neither are in lang/lint.
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

// Stage is a stage of the program and what lowering has found out about it.
type Stage struct {
	*program.Stage
	Reads   []*Stage                     // the stages it depends on
	Model   *nn.Graph                    // the network after the converters, without parameters; nil after a mistake
	Mode    nn.Mode                      // the qat_mode
	Target  nn.Target                    // that of the qconfig
	QConfig func(m nn.Module) nn.QConfig // nil without a qconfig
	Nodes   []NodeQConfig                // how each node is quantized, and which block says so
	Length  program.Length
	Modules [][]string         // for each callback, the nodes that it acts on
	Told    map[diag.Code]bool // warnings of the run that validate gives already, so that the run need not
	Images  Images
	Writes  []string // the checkpoints that it writes, "last" and "best"; none for a stage without training
	Files   []string // the files for other programs that its exporters and recorders write
	Records []string // those among them that recorders write: they can be written again without running the stage
	Data    Data
	Loads   []Load // the checkpoints it loads, in order

	// Absorbed has the nodes whose BN may be absorbed by the end of this stage, each with the callback
	// that does it: in this stage, or in one whose checkpoint this one loads.
	Absorbed map[string]*program.Callback
	// Surely has the nodes among these whose BN is certainly absorbed when this stage begins.
	Surely map[string]bool
	// Before is the model before QAT2Quantize, nil if the stage does not have that converter.
	Before *nn.Graph
	// Extent is what the stage's memory depends on, nil if unknown.
	Extent   *stage.Extent
	Settings *program.Settings
	// Past is the training that the stage continues: that of the checkpoint it loads last. It is nil if
	// the stage continues none, or nothing is known of it.
	Past *Past
}

// Load is a checkpoint that a stage loads.
type Load struct {
	Call    *program.Call // the converter
	From    program.Checkpoint
	Options part.LoadOptions
	Up      *Stage               // the stage that writes it; nil for a file
	Inputs  []part.Preprocessing // for a file: how its training data was preprocessed; nil if unknown
	Missing string               // for a file that does not exist: its path
}

// Stage returns the stage of the name, nil if there is none.
func (p *Plan) Stage(name string) *Stage {
	for _, s := range p.Stages {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Names reports whether the stage may write a file of the name.
func (s *Stage) Names(name string) bool {
	int8 := name == program.Int8 && s.Model != nil && s.Model.Form() == nn.Quantized
	return int8 || slices.Contains(s.Writes, name) || slices.Contains(s.Files, name) || slices.ContainsFunc(s.Callbacks, func(c program.Callback) bool {
		n, ok := c.Args.(program.Numberer)
		return ok && n.Numbers(name, s.Length)
	})
}

// steps reports whether the stage trains or calibrates.
func (s *Stage) steps() bool { return s.Trainer != nil || s.Calibrator != nil }

// averager returns the callback that keeps averaged weights, nil if there is none.
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
