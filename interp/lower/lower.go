// Package lower turns a checked program into its stage graph: it builds the networks, follows
// converters, selectors and checkpoints, and works out what each node is quantized with. It reports
// what keeps a stage from being lowered; the rules of interp/graph judge what comes out. It runs
// nothing, and leaves to lang/check and lang/lint what can be known without the network.
package lower

import (
	"cmp"
	"fmt"
	"runtime/debug"

	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// Lower builds the plan. With errors in the list the plan may be nil or partial
// and must not be run. A program that lang/check has found mistakes in may be
// lowered as well, as far as possible: unknown parts are skipped.
func Lower(p *program.Program, c part.Catalog) (*graph.Plan, diag.List) {
	return For(p, c, stage.Machine{})
}

// For is Lower for a machine: what that cannot hold is an error.
func For(p *program.Program, c part.Catalog, m stage.Machine) (*graph.Plan, diag.List) {
	m.Threads = cmp.Or(m.Threads, p.Settings.Threads, m.Cores)
	l := &lowerer{
		plan: &graph.Plan{Program: p, Catalog: c, Machine: m}, opened: map[*program.Dataset]bool{},
		data: map[*program.Dataset]*graph.Feed{}, models: map[modelKey]*nn.Graph{}, seen: map[*nn.Graph]bool{},
		qconfigs: map[*program.QConfig]*qconfig{}, said: map[string]bool{},
	}
	l.plan.Stages = graph.Order(p)
	for _, s := range l.plan.Stages {
		l.guard(s)
	}
	l.unmatchedOverrides()
	l.list = append(l.list, graph.Judge(l.plan)...)
	return l.plan, l.list.Sorted()
}

// lowerer is a lowering under way.
type lowerer struct {
	plan     *graph.Plan
	list     diag.List
	data     map[*program.Dataset]*graph.Feed
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
func (l *lowerer) guard(s *graph.Stage) {
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
func (l *lowerer) stage(s *graph.Stage) {
	s.Data = graph.Data{Train: l.feed(s.Train), Val: l.feed(s.Val)}
	given := cmp.Or(s.Data.Train, s.Data.Val)
	s.Length = l.length(s)
	s.Writes = writes(s.Stage)
	l.exports(s)
	s.Told = map[diag.Code]bool{}
	s.Absorbed, s.Surely = map[string]*program.Callback{}, map[string]bool{}
	if given == nil || !s.Data.Alike() || l.work > maxWork { // each has been reported
		return
	}
	built := l.model(s.Stage.Model, given)
	if built == nil || !l.affords(s, built) {
		return
	}
	s.Model = l.convert(s, built)
	continues(s)
	if s.Model != nil {
		if s.Trainer != nil || s.Calibrator != nil {
			observed(s.Model)
		}
		l.callbacks(s)
		l.measure(s)
		s.Told = l.plan.Foretold(s)
	}
}

// continues forgets the training before where the stage does not continue it, or where lang/lint has
// said that it cannot.
func continues(s *graph.Stage) {
	if s.Past == nil {
		return
	}
	if t := s.Trainer; t == nil || !t.ResumeOptimizer || s.Model == nil || s.Past.Load.Up != nil && s.Past.Form != s.Model.Form() {
		s.Past = nil
	}
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
