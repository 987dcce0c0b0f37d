package exec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/data"
	"qpipe/interp/disk"
	"qpipe/interp/event"
	"qpipe/interp/graph"
	"qpipe/interp/journal"
	"qpipe/interp/place"
	"qpipe/interp/runs"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/engine"
)

// session is a run that is running.
type session struct {
	Options
	ctx      context.Context
	plan     *graph.Plan
	prog     *program.Program
	wanted   []*graph.Stage  // the stages to visit, in order
	asked    map[string]bool // names in Options.Only, or all stages
	folder   *runs.Run
	manifest *runs.Manifest // of the folder
	journal  *journal.Journal
	pool     *engine.Workers
	feeds    map[*program.Dataset]*opened
	sums     data.Sums            // hashes of the data files
	bestLost map[string]bool      // stages whose best checkpoint could not be read
	from     *checkpoint.Snapshot // the checkpoint that Options.From names
	did      map[string]string    // by stage: its state in this run
	halted   string               // the stage in which the run was interrupted, after which nothing runs; "" for none
	without  map[string]string    // by stage that failed or needs a failed one: the one that failed
	list     diag.List
	report   Report
}

// newSession makes the session of Run or Explain. open opens the folder of the run.
func newSession(ctx context.Context, p *graph.Plan, o Options, open func(string, disk.Options) (*runs.Run, error)) (*session, diag.List) {
	s := &session{
		Options: o, ctx: ctx, plan: p, prog: p.Program,
		feeds: map[*program.Dataset]*opened{}, bestLost: map[string]bool{}, did: map[string]string{}, without: map[string]string{},
	}
	if list := s.want(); list.HasErrors() {
		return nil, list
	}
	folder, err := open(o.Out, disk.Options{Trace: o.trace, NoSync: o.nosync})
	if err != nil {
		return nil, diag.List{unusable(err)}
	}
	s.folder, s.manifest = folder, folder.Manifest
	s.sums = data.Sums{Known: s.manifest.Data, Now: s.now}
	if d := s.otherPipeline(); d != nil {
		folder.Close()
		return nil, diag.List{d}
	}
	return s, nil
}

// unusable makes the diagnostic for a run's folder that cannot be opened. If the manifest is
// damaged, it says how to rebuild it.
func unusable(err error) *diag.Diagnostic {
	d := place.File(err)
	var f *artifact.FileError
	if d.Code == diag.Damaged && errors.As(err, &f) && filepath.Base(f.Path) == runs.ManifestName {
		d.Detail = "Move it away: the next run then rebuilds it from events.jsonl and the checkpoints. Stages whose files are intact are not run again."
		if _, err := os.Lstat(filepath.Join(filepath.Dir(f.Path), runs.EventsName)); err != nil {
			d.Detail = "Replace it with an intact copy: without events.jsonl it cannot be rebuilt. If there is no copy, move the folder away, or choose another one with -out."
		}
	}
	return d
}

// want finds the stages to visit: all, or those in Only and the stages that they need.
func (s *session) want() diag.List {
	s.asked = map[string]bool{}
	if len(s.Only) == 0 {
		for _, st := range s.plan.Stages {
			s.asked[st.Name] = true
		}
		s.wanted = s.plan.Stages
		return nil
	}
	needed := map[*graph.Stage]bool{}
	var need func(st *graph.Stage)
	need = func(st *graph.Stage) {
		if !needed[st] {
			needed[st] = true
			for _, up := range st.Reads {
				need(up)
			}
		}
	}
	var list diag.List
	for _, name := range s.Only {
		st := s.plan.Stage(name)
		if st == nil {
			list = append(list, s.unknownStage(name))
			continue
		}
		s.asked[name] = true
		need(st)
	}
	for _, st := range s.plan.Stages {
		if needed[st] {
			s.wanted = append(s.wanted, st)
		}
	}
	return list
}

// unknownStage is the diagnostic for a name in Only that no stage has.
func (s *session) unknownStage(name string) *diag.Diagnostic {
	var names []string
	for _, st := range s.plan.Stages {
		names = append(names, st.Name)
	}
	return &diag.Diagnostic{
		Code: diag.UnknownStage, Summary: fmt.Sprintf("no stage is named %q", name),
		Detail: diag.DidYouMean(name, names, "stages"),
	}
}

// open begins a run and locks its folder.
func open(ctx context.Context, p *graph.Plan, o Options) (*session, diag.List) {
	if d := resumable(o); d != nil {
		return nil, diag.List{d}
	}
	s, list := newSession(ctx, p, o, runs.Open)
	if list.HasErrors() {
		return nil, list
	}
	if err := s.start(); err != nil {
		s.close()
		return nil, diag.List{err}
	}
	return s, nil
}

// start reads the checkpoint in Options.From and opens the logs. It also checks that the folders of stages which have
// never begun are free, because these stages will certainly run.
func (s *session) start() *diag.Diagnostic {
	if d := s.readFrom(); d != nil {
		return d
	}
	begun := func(st *graph.Stage) bool { return s.manifest.Stage(st.Name) != nil }
	if err := s.vacant(slices.DeleteFunc(slices.Clone(s.wanted), begun)...); err != nil {
		return place.File(err)
	}
	if err := s.openLogs(); err != nil {
		return place.File(err)
	}
	s.pool = engine.NewWorkers(s.threads())
	return nil
}

// openLogs opens the logs and repairs them, and records in the manifest which pipeline the run belongs to.
func (s *session) openLogs() (err error) {
	var order []string
	for _, st := range s.plan.Stages {
		order = append(order, st.Name)
	}
	if s.journal, err = journal.Open(s.folder, order, s.Clock, s.Events); err != nil {
		return err
	}
	s.journal.Warn = s.ofLog
	s.folder.Log = func(stageName string, f runs.File) {
		s.emit(stageName, event.Write{Name: f.Name, SHA256: f.SHA256, Bytes: f.Bytes})
	}
	s.journal.Flush()
	for _, e := range s.manifest.Stages {
		if err := s.linesBack(e); err != nil {
			return err
		}
	}
	if err := s.journal.Begin(); err != nil {
		return err
	}
	if s.folder.Rebuilt {
		s.emit("", event.Fallback{Message: "manifest.json was not there: it is made again from events.jsonl and the checkpoints"})
	}
	s.describe()
	return s.folder.Save()
}

// ofLog warns of a damaged log. A failed write is only logged here: it becomes an error at the end of the stage or run.
func (s *session) ofLog(n journal.Notice) {
	if n.Code == diag.LogDamaged {
		s.fail(&diag.Diagnostic{Code: n.Code, Severity: diag.Warning, Summary: n.Summary, Detail: n.Detail})
	}
	s.emit("", event.Warning{Message: n.Summary, Code: string(n.Code), Detail: n.Detail})
}

// threads returns the number of computing threads: from the options, the pipeline, or the number of cores.
func (s *session) threads() int {
	return cmp.Or(s.Threads, s.prog.Settings.Threads, runtime.GOMAXPROCS(0))
}

// describe records in the manifest what this run is.
func (s *session) describe() {
	m := s.manifest
	m.Program, m.Files, m.Version = s.prog.Name, slices.Clone(s.prog.Files), s.Version
	m.Kernels, m.Seed, m.Pipeline = s.Kernels.Name, s.prog.Settings.Seed, s.pipelineHere()
}

// close ends the workers and closes the logs and the folder.
func (s *session) close() {
	if s.pool != nil {
		s.pool.Close()
	}
	if s.journal != nil {
		s.journal.Close()
	}
	s.folder.Close()
}

// fail adds a diagnostic.
func (s *session) fail(d *diag.Diagnostic) { s.list = append(s.list, d) }

// now reads the clock; without a clock it is always the zero time.
func (s *session) now() time.Time {
	if s.Clock == nil {
		return time.Time{}
	}
	return s.Clock()
}

// emit logs and shows an event of the run itself.
func (s *session) emit(stageName string, data event.Data) {
	s.journal.Event(event.Event{Stage: stageName, Data: data})
}

// visit skips or runs one stage, or reports that it cannot run because a stage that it needs
// has failed. Stages that do not need a failed one still run.
func (s *session) visit(st *graph.Stage) {
	if why := s.hindrance(st); why != "" {
		s.without[st.Name] = why
		s.notRun(st, fmt.Sprintf("stage %q %s", why, s.did[why]))
		return
	}
	r := &StageReport{Name: st.Name}
	began := s.now()
	err := s.guard(st, func() error { return s.execute(st, r) })
	if r.State == Ran {
		r.Seconds = s.now().Sub(began).Seconds()
	}
	switch {
	case err == nil:
	case errors.Is(err, stage.ErrInterrupted), s.ctx.Err() != nil:
		r.State, s.halted, s.report.Interrupted = Interrupted, st.Name, true
	default:
		r.State, s.without[st.Name] = Failed, st.Name
		d := s.diagnose(st, err)
		s.fail(d)
		s.emit(st.Name, event.Failed{Message: d.Summary, Error: d.Summary, Code: string(d.Code), Stack: d.Stack})
	}
	s.did[st.Name] = r.State
	s.fill(st, r)
	s.report.Stages = append(s.report.Stages, *r)
}

// hindrance returns the stage because of which a stage cannot run, "" if it can.
func (s *session) hindrance(st *graph.Stage) string {
	if s.halted != "" {
		return s.halted
	}
	for _, up := range st.Reads {
		if failed := s.without[up.Name]; failed != "" {
			return failed
		}
	}
	return ""
}

// notRun reports a stage that does not run.
func (s *session) notRun(st *graph.Stage, why string) {
	s.did[st.Name] = NotRun
	s.report.Stages = append(s.report.Stages, StageReport{Name: st.Name, State: NotRun, Reason: why})
	s.emit(st.Name, event.NotRun{Message: "not run: " + why, Reason: why})
}

// fill completes the report of a stage from the manifest.
func (s *session) fill(st *graph.Stage, r *StageReport) {
	e := s.manifest.Stage(st.Name)
	if e == nil {
		return
	}
	r.Form, r.Metrics = e.Form, e.Metrics
	if r.Seconds == 0 && r.State == UpToDate {
		r.Seconds = e.Seconds
	}
	for _, name := range []string{"int8", "best", "last"} {
		if f := e.Artifact(name); f != nil {
			r.Artifact, r.Bytes = filepath.Join(s.Out, filepath.FromSlash(f.Path)), f.Bytes
			return
		}
	}
}

// execute decides what to do with a stage, and does it.
func (s *session) execute(st *graph.Stage, r *StageReport) error {
	if err := s.conditions(st, "precondition"); err != nil {
		return err
	}
	d, err := s.decide(st)
	if err != nil {
		return err
	}
	r.Reason = d.reason
	if d.back != nil {
		if err := s.bringBack(st, d); err != nil {
			return err
		}
	}
	if !d.run {
		r.State = UpToDate
		if err := s.recordAgain(st); err != nil {
			return err
		}
		s.emit(st.Name, event.Skip{Message: "up to date", Reason: d.reason})
		return s.conditions(st, "assert")
	}
	s.emit(st.Name, event.Run{Message: "runs: " + d.reason, Reason: d.reason})
	if err := s.run(st, d); err != nil {
		return err
	}
	r.State = Ran
	return s.conditions(st, "assert")
}
