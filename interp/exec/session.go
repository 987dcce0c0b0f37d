package exec

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"qpipe/interp/artifact"
	"qpipe/interp/graph"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// session is a run under way.
type session struct {
	Options
	ctx      context.Context
	plan     *graph.Plan
	prog     *program.Program
	wanted   []*graph.Stage // in order
	asked    map[string]bool
	disk     *artifact.Disk
	lock     *artifact.Lock
	manifest *artifact.Manifest
	journal  *journal
	pool     *nn.Pool
	feeds    map[*program.Dataset]*feed
	hashed   map[string]bool   // the data files that this run has hashed
	from     *stage.Snapshot   // what Options.From names
	did      map[string]string // stage → its state in this run
	halted   string            // the stage at which the run was interrupted: nothing runs after it
	without  map[string]string // failed stage, or one that needs it → the failed one
	list     diag.List
	report   Report
}

// newSession prepares what Run and Explain share: it only reads.
func newSession(ctx context.Context, p *graph.Plan, o Options) (*session, diag.List) {
	s := &session{
		Options: o, ctx: ctx, plan: p, prog: p.Program,
		disk:  &artifact.Disk{Trace: o.trace, NoSync: o.nosync},
		feeds: map[*program.Dataset]*feed{}, hashed: map[string]bool{}, did: map[string]string{}, without: map[string]string{},
	}
	if list := s.want(); list.HasErrors() {
		return nil, list
	}
	m, err := artifact.ReadManifest(o.Out)
	if err != nil {
		d := fileError(err)
		d.Detail = "Remove it, and every stage is run again; its checkpoints stay."
		return nil, diag.List{d}
	}
	if m == nil {
		m = &artifact.Manifest{}
	}
	if m.Data == nil {
		m.Data = map[string]artifact.Digest{}
	}
	s.manifest = m
	return s, nil
}

// want finds the stages to look at: all, or those of Only and what they need.
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

// open begins a run: from here on the folder is ours.
func open(ctx context.Context, p *graph.Plan, o Options) (*session, diag.List) {
	existed := exists(o.Out)
	lock, err := artifact.TakeLock(o.Out)
	if err != nil {
		return nil, diag.List{fileError(err)}
	}
	s, list := newSession(ctx, p, o)
	if list.HasErrors() {
		lock.Release()
		return nil, list
	}
	s.lock = lock
	if err := s.start(existed); err != nil {
		s.close()
		return nil, diag.List{err}
	}
	return s, nil
}

// start heals what a crash has left, opens the logs and reads Options.From.
func (s *session) start(existed bool) *diag.Diagnostic {
	if s.Resume {
		if d := s.resumable(existed); d != nil {
			return d
		}
	}
	err := s.heal()
	if err == nil {
		s.journal, err = openJournal(s.disk, s.Out, s.Clock, s.Events)
	}
	if err == nil {
		s.describe()
		err = s.save()
	}
	if err != nil {
		return fileError(err)
	}
	s.pool = nn.NewPool(s.threads())
	return nil
}

// threads is how many threads compute: as the options or the pipeline say, else one a core.
func (s *session) threads() int {
	for _, n := range []int{s.Threads, s.prog.Settings.Threads} {
		if n > 0 {
			return n
		}
	}
	return runtime.GOMAXPROCS(0)
}

func (s *session) describe() {
	m := s.manifest
	m.Program, m.Files, m.Version = s.prog.Name, slices.Clone(s.prog.Files), s.Version
	m.Kernels, m.Seed = s.Kernels.Name, s.prog.Settings.Seed
}

func (s *session) save() error { return artifact.WriteManifest(s.disk, s.Out, s.manifest) }

func (s *session) close() {
	if s.pool != nil {
		s.pool.Close()
	}
	if s.journal != nil {
		s.journal.close()
	}
	s.lock.Release()
}

// fail adds a diagnostic.
func (s *session) fail(d *diag.Diagnostic) { s.list = append(s.list, d) }

func (s *session) now() time.Time {
	if s.Clock == nil {
		return time.Time{}
	}
	return s.Clock()
}

// emit logs and shows an event of the run itself.
func (s *session) emit(kind, stageName, message string, data map[string]any) {
	all := map[string]any{"message": message}
	maps.Copy(all, data)
	s.journal.event(stage.Event{Kind: kind, Stage: stageName, Data: all})
}

// folder is the place of a stage's files.
func (s *session) folder(name string) artifact.Folder {
	return artifact.Folder{Disk: s.disk, Path: filepath.Join(s.Out, name)}
}

// before is where the files of a stage's earlier result wait until the attempt
// under way has replaced them.
func (s *session) before(name string) string { return filepath.Join(s.Out, ".previous", name) }

// visit deals with one stage: it is skipped, run, or not run since a stage that it
// needs has failed. What needs no failed stage is run all the same.
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
		s.emit(EventFailed, st.Name, d.Summary, map[string]any{"error": d.Summary, "code": string(d.Code)})
	}
	s.did[st.Name] = r.State
	s.fill(st, r)
	s.report.Stages = append(s.report.Stages, *r)
}

// hindrance names the stage that keeps another from running; "" for none.
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

func (s *session) notRun(st *graph.Stage, why string) {
	s.did[st.Name] = NotRun
	s.report.Stages = append(s.report.Stages, StageReport{Name: st.Name, State: NotRun, Reason: why})
	s.emit(EventNotRun, st.Name, "not run: "+why, map[string]any{"reason": why})
}

// fill completes a line of the closing table from the manifest.
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

// execute decides about a stage and runs it where that is due.
func (s *session) execute(st *graph.Stage, r *StageReport) error {
	if err := s.conditions(st, "precondition"); err != nil {
		return err
	}
	d, err := s.decide(st)
	if err != nil {
		return err
	}
	r.Reason = d.reason
	if d.restore {
		if err := s.restore(st, d); err != nil {
			return err
		}
	}
	if !d.run {
		r.State = UpToDate
		s.emit(EventSkip, st.Name, "up to date", map[string]any{"reason": d.reason})
		return s.conditions(st, "assert")
	}
	s.emit(EventRun, st.Name, "runs: "+d.reason, map[string]any{"reason": d.reason})
	if err := s.run(st, d); err != nil {
		return err
	}
	r.State = Ran
	return s.conditions(st, "assert")
}
