// Package graph lowers a checked program to the stage graph: which stage reads
// what from which, in what order they run, what network each works on. All that
// can be known without data is found out here: shapes, selectors, schedules,
// what checkpoints hold, convertibility. It runs nothing, and leaves to
// lang/check what can be known without the network.
package graph

import (
	"cmp"
	"fmt"
	"runtime/debug"
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

// Stage is a stage with what lowering found out about it.
type Stage struct {
	*program.Stage
	Reads   []*Stage  // the stages it depends on
	Model   *nn.Graph // after the converters, without parameters
	Mode    nn.Mode
	QConfig func(m nn.Module) nn.QConfig // nil without a qconfig
	Nodes   []NodeQConfig                // what QConfig says of each node, and who said it
	Length  program.Length
	Modules [][]string         // for each callback: the nodes it acts on
	Told    map[diag.Code]bool // warnings of this stage's run that validation can and does say
	Images  Images             // of its data, as far as it is known
	Writes  []string           // "last", "best": the checkpoints it leaves; none for a stage without training

	// absorbed says which callback absorbs a node's BN by the end of this stage,
	// or has done so in a stage whose checkpoint this one loads.
	absorbed map[string]*program.Callback
	// surely holds those of these nodes whose BN is gone when this stage begins.
	surely map[string]bool
	// before is the model that QAT2Quantize takes, nil without it.
	before *nn.Graph
	// extent is what the stage's memory follows from, nil where it is not known.
	extent   *stage.Extent
	settings *program.Settings
	// past is the training whose checkpoint the stage loads last, nil where nothing is known of it.
	past *past
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

// Lower builds the plan. With errors in the list the plan may be nil or partial
// and must not be run. A program that lang/check has found mistakes in may be
// lowered as well, as far as it goes: parts that nobody knows are passed over.
func Lower(p *program.Program, c part.Catalog) (*Plan, diag.List) {
	return LowerFor(p, c, stage.Machine{})
}

// LowerFor is Lower for a machine: what that cannot hold is an error.
func LowerFor(p *program.Program, c part.Catalog, m stage.Machine) (*Plan, diag.List) {
	m.Threads = cmp.Or(m.Threads, p.Settings.Threads, m.Cores)
	l := &lowerer{
		plan: &Plan{Program: p, Catalog: c, Machine: m}, opened: map[*program.Dataset]bool{},
		data: map[*program.Dataset]*feed{}, models: map[modelKey]*nn.Graph{}, seen: map[*nn.Graph]bool{},
		qconfigs: map[*program.QConfig]*qconfig{}, said: map[string]bool{},
	}
	l.plan.Stages = order(p)
	for _, s := range l.plan.Stages {
		l.guard(s)
	}
	l.unmatchedOverrides()
	l.measured()
	return l.plan, l.list.Sorted()
}

// lowerer is a lowering under way.
type lowerer struct {
	plan     *Plan
	list     diag.List
	data     map[*program.Dataset]*feed
	models   map[modelKey]*nn.Graph // nil: a mistake that has been reported
	qconfigs map[*program.QConfig]*qconfig
	said     map[string]bool // mistakes that would come once a stage
	work     int             // looks at nodes so far
	seen     map[*nn.Graph]bool
	idle     int // selectors that select nothing
	opened   map[*program.Dataset]bool
	held     int64 // by the data sets that are open
}

func (l *lowerer) fail(d diag.Diagnostic) { l.list = append(l.list, &d) }

// once reports a mistake unless the same has been reported under this key.
func (l *lowerer) once(key string, d diag.Diagnostic) {
	if !l.said[key] {
		l.said[key] = true
		l.fail(d)
	}
}

// guard turns a panic of a part into a diagnostic.
func (l *lowerer) guard(s *Stage) {
	defer func() {
		if v := recover(); v != nil {
			l.fail(diag.Diagnostic{
				Code: diag.Bug, Subject: s.Origin.Header, Address: s.Origin.Address,
				Summary: fmt.Sprint("qpipe itself failed while it built the network: ", v), Detail: string(debug.Stack()),
			})
		}
	}()
	l.stage(s)
}

// stage lowers one stage; those that it reads are lowered.
func (l *lowerer) stage(s *Stage) {
	train, val := l.feed(s.Train), l.feed(s.Val)
	alike := l.compare(s, train, val)
	given := train
	if given == nil {
		given = val
	}
	s.Length = l.length(s, train)
	s.Writes = writes(s.Stage)
	s.Told = map[diag.Code]bool{}
	s.absorbed, s.surely = map[string]*program.Callback{}, map[string]bool{}
	if s.Train == nil && s.Val == nil && !l.plan.Program.Faulty {
		l.fail(diag.Diagnostic{
			Code: diag.MissingData, Subject: s.Origin.Header, Address: s.Origin.Address,
			Summary: fmt.Sprintf("stage %q has no data", s.Name),
			Detail:  "Its network is built for the images of a data set, and validated on them. Add to the stage: val_data = dataset.NAME",
		})
	}
	if given == nil || !alike {
		return
	}
	if l.work > maxWork {
		return // said
	}
	built := l.model(s.Stage.Model, given)
	if built == nil {
		return
	}
	if !l.affords(s, built) {
		return
	}
	s.Model = l.convert(s, built)
	l.recovers(s)
	if s.Model != nil {
		l.unquantized(s)
		l.callbacks(s)
		l.singleValue(s, train)
		l.measure(s)
		l.tooMuch(s)
	}
}

// Names reports whether the stage may write a file of that name.
func (s *Stage) Names(name string) bool {
	int8 := name == program.Int8 && s.Model != nil && s.Model.Form() == nn.Quantized
	return int8 || slices.Contains(s.Writes, name) || slices.ContainsFunc(s.Callbacks, func(c program.Callback) bool {
		n, ok := c.Args.(program.Numberer)
		return ok && n.Numbers(name, s.Length)
	})
}

// writes lists the checkpoints that a stage leaves.
func writes(s *program.Stage) []string {
	if s.Trainer == nil && s.Calibrator == nil {
		return nil
	}
	w := []string{"last"}
	for _, c := range s.Callbacks {
		k, ok := c.Args.(program.BestKeeper)
		m, watches := c.Args.(program.Monitor)
		if ok && k.KeepsBest() && (s.Val != nil || !watches || m.Monitors() == "loss") {
			return append(w, "best")
		}
	}
	return w
}
