// Package lower turns a checked program into a plan (interp/graph). It builds the networks, without
// weights, and follows the converters, selectors and checkpoints through all stages, so that
// it knows how each node is quantized. It reports why a stage cannot be planned. Then the rules
// of interp/graph look at the finished plan. It runs nothing. Mistakes that can be found without
// the networks are the business of lang/check and lang/lint.
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

// Lower makes the plan. If the list has errors, the plan may be incomplete and must not be
// run. A program in which lang/check has found mistakes can be lowered, too, as far as
// possible: unknown parts are skipped.
func Lower(p *program.Program, c part.Catalog) (*graph.Plan, diag.List) {
	return For(p, c, stage.Machine{})
}

// For is like Lower, and also reports stages that need more memory than the machine has.
func For(p *program.Program, c part.Catalog, m stage.Machine) (*graph.Plan, diag.List) {
	m.Threads = cmp.Or(m.Threads, p.Settings.Threads, m.Cores)
	l := &lowerer{
		plan: &graph.Plan{Program: p, Catalog: c, Machine: m}, opened: map[*program.Dataset]bool{}, samples: map[*program.Dataset]int64{},
		data: map[*program.Dataset]*graph.Feed{}, models: map[modelKey]*part.Built{}, seen: map[*nn.Graph]bool{},
		qconfigs: map[configuredKey]*configured{}, overriding: map[overrideKey]overriding{}, nodes: map[*program.QConfig]*nodeNames{}, said: map[string]bool{},
	}
	l.plan.Stages = graph.Order(p)
	for _, s := range l.plan.Stages {
		l.guard(s)
	}
	l.unmatchedOverrides()
	l.list = append(l.list, graph.Judge(l.plan)...)
	return l.plan, l.list.Sorted()
}

// lowerer makes a plan.
type lowerer struct {
	plan       *graph.Plan
	list       diag.List
	data       map[*program.Dataset]*graph.Feed // a nil entry is a mistake that has been reported
	models     map[modelKey]*part.Built         // a nil entry is a mistake that has been reported
	qconfigs   map[configuredKey]*configured
	overriding map[overrideKey]overriding
	nodes      map[*program.QConfig]*nodeNames // of the networks that use a qconfig
	said       map[string]bool                 // keys of mistakes that have been reported; see once
	work       int                             // amount of work so far; see affords
	seen       map[*nn.Graph]bool              // networks that are counted in work
	idle       int                             // number of selectors that select nothing
	opened     map[*program.Dataset]bool       // data sets that are counted in held
	samples    map[*program.Dataset]int64      // what reading a sample takes
	held       int64                           // bytes in memory of the data sets of all stages so far
}

// fail adds a diagnostic.
func (l *lowerer) fail(d diag.Diagnostic) { l.list = append(l.list, &d) }

// once adds a diagnostic, unless one with the same key has been added before.
func (l *lowerer) once(key string, d diag.Diagnostic) {
	if !l.said[key] {
		l.said[key] = true
		l.fail(d)
	}
}

// guard lowers a stage. A panic in a part becomes a diagnostic.
func (l *lowerer) guard(s *graph.Stage) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if p := part.Recovered(v); p != nil {
			l.fail(diag.Diagnostic{
				Code: diag.BadPart, Subject: s.Origin.Header, Address: s.Origin.Address,
				Summary: "a part of the stage fails: " + p.Error(), Detail: p.Detail(), Stack: string(p.Stack),
			})
		} else {
			l.fail(diag.Diagnostic{
				Code: diag.Bug, Subject: s.Origin.Header, Address: s.Origin.Address,
				Summary: fmt.Sprint("qpipe itself failed while it built the network: ", v), Detail: string(debug.Stack()),
			})
		}
	}()
	l.stage(s)
}

// stage lowers one stage, after the stages that it reads.
func (l *lowerer) stage(s *graph.Stage) {
	s.Data = graph.Data{Train: l.feed(s.Train), Val: l.feed(s.Val)}
	given := cmp.Or(s.Data.Train, s.Data.Val)
	s.Length = l.length(s)
	s.Writes = writes(s.Stage)
	l.exports(s)
	l.parts(s)
	s.Told = map[diag.Code]bool{}
	s.Absorbed, s.Surely = map[string]*program.Callback{}, map[string]bool{}
	if given == nil || !s.Data.Alike() || l.work > maxWork { // all of these are reported elsewhere
		return
	}
	built := l.model(s.Stage.Model, given)
	if built == nil || !l.affords(s, built.Graph) {
		return
	}
	s.Model = l.convert(s, built)
	continues(s)
	if s.Model != nil {
		if s.Trainer != nil || s.Calibrator != nil {
			observed(s.Model)
		}
		l.callbacks(s)
		l.exported(s)
		l.measure(s)
		s.Told = l.plan.Foretold(s)
	}
}

// continues clears s.Past if the stage does not continue the training of the checkpoint that it loads, or
// if it cannot, which lang/lint has reported.
func continues(s *graph.Stage) {
	if s.Past == nil {
		return
	}
	if t := s.Trainer; t == nil || !t.ResumeOptimizer || s.Model == nil || s.Past.Load.Up != nil && s.Past.Form != s.Model.Form() {
		s.Past = nil
	}
}

// writes lists the checkpoints that a stage writes: "last" and "best".
func writes(s *program.Stage) []string {
	if s.Trainer == nil && s.Calibrator == nil {
		return nil
	}
	w := []string{"last"}
	for _, c := range s.Callbacks {
		k, ok := c.Args.(program.BestKeeper)
		m, watches := c.Args.(program.Monitor)
		if ok && k.KeepsBest() && (s.Val != nil || !watches || part.IsLoss(m.Monitors())) {
			return append(w, "best")
		}
	}
	return w
}
