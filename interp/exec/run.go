package exec

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/interp/place"
	"qpipe/interp/runs"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// run runs one stage and stores its results.
func (s *session) run(st *graph.Stage, d decision) error {
	if d.passed != "" {
		s.fail(&diag.Diagnostic{
			Code: diag.FellBack, Severity: diag.Warning, Subject: st.Origin.Header, Address: st.Origin.Address,
			Summary: fmt.Sprintf("the result of stage %q that was kept does not come back", st.Name), Detail: d.passed + ". The stage runs.",
		})
		s.emit(st.Name, event.Fallback{Message: "what was kept does not come back: " + d.passed, Error: d.passed})
	}
	from, err := s.resumeFrom(st, d)
	if err != nil {
		return err
	}
	j, c, err := s.job(st)
	if err != nil {
		return s.unbegun(st, d, err)
	}
	if err := s.recovery(st, j, c, from); err != nil {
		return s.unbegun(st, d, err)
	}
	step, keep := continues(st, j)
	if err := s.begin(st, d, keep || from != nil, step); err != nil {
		return err
	}
	if err := s.journal.Rewind(st.Name, step); err != nil {
		return err
	}
	began := s.now()
	res, err := j.Run(s.ctx)
	if logged := s.journal.Finish(); err == nil {
		err = logged
	}
	e := s.manifest.Stage(st.Name)
	e.Seconds += s.now().Sub(began).Seconds()
	if err != nil {
		return s.stopped(e, err)
	}
	e.Form, e.Metrics, e.Best, e.Steps, e.Proof = string(res.Model.Form()), res.Metrics, res.BestMetrics, res.Steps, c.proof
	if res.Model.Form() == nn.Quantized {
		if err := s.keepInt8(st, j, res, c); err != nil {
			return s.stopped(e, err)
		}
	}
	if err := s.recorded(j); err != nil {
		return s.stopped(e, err)
	}
	if err := s.export(st, j, res); err != nil {
		return s.stopped(e, err)
	}
	return s.complete(st, e)
}

// complete verifies all files of a stage and records in the manifest that it is complete.
func (s *session) complete(st *graph.Stage, e *runs.StageEntry) error {
	if s.bestLost[st.Name] && e.Artifact("best") == nil {
		e.Lost = "best"
		return s.stopped(e, errors.New("the best checkpoint is lost, and no epoch was left to find another one; the next run starts the stage over"))
	}
	if err := s.folder.Verify(st.Name); err != nil {
		return s.stopped(e, err)
	}
	return s.record(e, s.folder.Complete(st.Name))
}

// continues reports whether a job continues from a checkpoint of its own stage (keep), and
// from which step. If it does not, the step is -1.
func continues(st *graph.Stage, j *stage.Job) (step int, keep bool) {
	r := j.Resume
	if r == nil || r.Stage != st.Name || j.Trainer != nil && !j.Trainer.ResumeEpochOrStep {
		return -1, false
	}
	return r.Step, true
}

// unbegun records an attempt that failed before it changed anything. If the manifest has an
// earlier attempt or result, that entry is kept instead.
func (s *session) unbegun(st *graph.Stage, d decision, err error) error {
	if s.manifest.Stage(st.Name) == nil && !errors.Is(err, stage.ErrInterrupted) {
		s.manifest.Set(&runs.StageEntry{Name: st.Name, State: runs.Failed, Hash: d.hash, Inputs: d.inputs, Error: err.Error()})
		return errors.Join(err, s.folder.Save())
	}
	return err
}

// stopped records an attempt that has failed or was interrupted.
func (s *session) stopped(e *runs.StageEntry, err error) error {
	e.State, e.Error = runs.Failed, err.Error()
	if errors.Is(err, stage.ErrInterrupted) || s.ctx.Err() != nil {
		e.State, e.Error = runs.Interrupted, ""
	}
	if saved := s.record(e, s.folder.Save()); saved != nil {
		return errors.Join(err, saved)
	}
	return err
}

// resumeFrom returns the snapshot that an interrupted attempt continues from, nil if it starts from the beginning.
func (s *session) resumeFrom(st *graph.Stage, d decision) (*checkpoint.Snapshot, error) {
	if !d.resume {
		return nil, nil
	}
	if s.from != nil && s.from.Stage == st.Name {
		return s.from, nil
	}
	if err := s.unedited(st, d); err != nil {
		return nil, err
	}
	snap, err := s.newest(st)
	var none *noSound
	switch {
	case snap == nil && err == nil:
		s.emit(st.Name, event.Fallback{Message: "no checkpoint had been written yet: starts from the beginning"})
	case errors.As(err, &none) && !d.insist:
		s.fail(&diag.Diagnostic{
			Code: diag.FellBack, Severity: diag.Warning, Subject: st.Origin.Header, Address: st.Origin.Address,
			Summary: "the stage starts over: all of its checkpoints are damaged", Detail: none.err.Error() + ".",
		})
		s.emit(st.Name, event.Fallback{Message: "no checkpoint is sound: starts over", Error: none.err.Error()})
		return nil, nil
	}
	return snap, err
}

// unedited returns an error if the inputs of an unfinished attempt have changed, because no
// pipeline would describe the result of continuing it. If only the version of qpipe or the
// kernels have changed, it warns.
func (s *session) unedited(st *graph.Stage, d decision) error {
	e := s.manifest.Stage(st.Name)
	if d.fits(e) {
		return nil
	}
	old := inputs(maps.Clone(e.Inputs))
	old["version"], old["kernels"] = d.inputs["version"], d.inputs["kernels"]
	diagnostic := s.cannotResume(st, d.inputs.changes(e.Inputs, s.did))
	if old.hash() != d.hash {
		return &place.Error{Diagnostic: diagnostic}
	}
	diagnostic.Severity = diag.Warning
	diagnostic.Detail = "The bytes of the result may differ from those of a run that was never interrupted."
	s.fail(diagnostic)
	return nil
}

// cannotResume is the diagnostic for a stage that has changed since it was interrupted.
func (s *session) cannotResume(st *graph.Stage, what string) *diag.Diagnostic {
	return &diag.Diagnostic{
		Code: diag.CannotResume, Subject: st.Origin.Header, Address: st.Origin.Address,
		Summary: fmt.Sprintf("stage %q has changed since it was interrupted: %s", st.Name, what),
		Detail:  "Undo the change, or run without --resume: the stage then starts over.",
	}
}

// edited returns an error if, with --resume, the text or the data of an unfinished stage has changed. It is called before
// any stage runs. It does not compare checkpoints of other stages, because these may be continued first.
func (s *session) edited() *diag.Diagnostic {
	if !s.Resume || s.from != nil {
		return nil
	}
	for _, st := range s.wanted {
		e := s.manifest.Stage(st.Name)
		if e == nil || e.State == runs.Complete || e.Hash == "" {
			continue
		}
		now, err := s.inputs(st)
		if err != nil {
			continue // the stage itself will report it
		}
		own := func(in inputs) inputs {
			in = maps.Clone(in)
			maps.DeleteFunc(in, func(key, _ string) bool {
				return strings.HasPrefix(key, "stage.") || key == "version" || key == "kernels"
			})
			return in
		}
		if what := own(now).changes(own(e.Inputs), s.did); what != "" {
			return s.cannotResume(st, what)
		}
	}
	return nil
}

// recovery sets the checkpoint that the job continues from: that of its own interrupted
// attempt (from) or, with resume_optimizer, the one that was loaded last, or else the
// stage's own last checkpoint.
func (s *session) recovery(st *graph.Stage, j *stage.Job, c *conversion, from *checkpoint.Snapshot) error {
	if from != nil {
		return s.goOn(st, j, from)
	}
	if j.Trainer == nil || !j.Trainer.ResumeOptimizer {
		return nil
	}
	if c.last != nil {
		j.Resume, j.Best = c.last, bestBeside(c.path, c.last)
		return nil
	}
	path := s.folder.File(st.Name, "last")
	if at := s.lastOf(st.Name); at != "" {
		path = s.folder.Path(at)
		var err error
		if j.Resume, err = s.folder.Checkpoint(at); err != nil {
			return place.AtArg(st.Trainer.Origin, "resume_optimizer", err)
		}
		j.Best = bestBeside(path, j.Resume)
		return nil
	}
	return &place.Error{Diagnostic: &diag.Diagnostic{
		Code: diag.NothingToResume, Subject: st.Trainer.Origin.At("resume_optimizer"), Address: st.Trainer.Origin.Address,
		Summary: fmt.Sprintf("resume_optimizer = true, but stage %q has no checkpoint to resume from", st.Name),
		Detail:  fmt.Sprintf("There is no %s, and the stage has no LoadCheckpoint. Set resume_optimizer = false for the first run.", path),
	}}
}

// lastOf returns the path of the checkpoint "last" of the stage's present result or, if it has none, of the
// newest earlier result; "" if there is none.
func (s *session) lastOf(stageName string) string {
	e := s.manifest.Stage(stageName)
	if f := e.Artifact("last"); f != nil {
		return f.Path
	}
	if e == nil {
		return ""
	}
	for _, k := range e.Kept {
		if f := k.Artifact("last"); f != nil && !k.Dropped {
			return f.Path
		}
	}
	return ""
}

// goOn makes the job continue its own interrupted attempt. If the best checkpoint of that
// attempt is missing or damaged, it warns, and the search for the best starts over.
func (s *session) goOn(st *graph.Stage, j *stage.Job, from *checkpoint.Snapshot) (err error) {
	j.Resume, j.Interrupted = from, true
	if j.Trainer != nil {
		j.Trainer.ResumeOptimizer, j.Trainer.ResumeEpochOrStep = true, true
	}
	if from.Best == nil {
		return nil
	}
	if j.Best, err = s.folder.Own(st.Name, "best"); err != nil {
		if !runs.Broken(err) {
			return err
		}
		s.folder.Forget(st.Name, "best")
		s.bestLost[st.Name] = true
		s.warn(st, stage.Warning{
			Code: diag.BestLost, Summary: fmt.Sprintf("the best checkpoint so far is lost: %v", err),
			Detail: "The best checkpoint will be chosen from the epochs that are still to come. To train the stage from its beginning, use -force.",
		})
	}
	return nil
}

// bestBeside returns the best checkpoint that belongs to a checkpoint: the file "best" in the
// same folder. It returns nil if that is missing or damaged, or has other metrics than
// those recorded in the checkpoint.
func bestBeside(path string, of *checkpoint.Snapshot) *checkpoint.Snapshot {
	if of.Best == nil {
		return nil
	}
	best, err := artifact.Read(filepath.Join(filepath.Dir(path), "best"+artifact.Ext))
	if err != nil || !maps.Equal(best.Best, of.Best) {
		return nil
	}
	return best
}

// warn reports a warning of a stage's run, unless validate gives it already.
func (s *session) warn(st *graph.Stage, w stage.Warning) {
	if st.Told[w.Code] {
		return
	}
	o := owner(st, &program.ArgError{Attr: w.Attr, Err: errors.New(w.Summary)})
	if w.Address != "" {
		o, _ = s.origin(st, w.Address)
	}
	s.fail(&diag.Diagnostic{
		Code: w.Code, Severity: diag.Warning, Subject: o.At(w.Attr), Address: o.Address, Summary: w.Summary, Detail: w.Detail,
	})
	s.emit(st.Name, event.Warning{Message: w.Summary, Code: string(w.Code), Detail: w.Detail})
}

// keepInt8 writes the int8 model.
func (s *session) keepInt8(st *graph.Stage, j *stage.Job, res *stage.Result, c *conversion) error {
	data := cmp.Or(j.Val, j.Train).Spec // the data that the metrics were measured on
	snap := &checkpoint.Snapshot{
		Stage: st.Name, Form: nn.Quantized, Mode: res.Model.Mode(), Structure: res.Model.Structure(),
		Inputs: data.Preprocessing(), Classes: data.ClassNames(),
		Seed: s.prog.Settings.Seed, Step: res.Steps, Kernels: s.Kernels.Name,
		Absorbed: c.absorbed, Metrics: res.Metrics, Model: res.Model.Tensors(),
	}
	if err := s.folder.Put(st.Name, program.Int8, snap); err != nil {
		return err
	}
	kind, storage := artifact.KindOf(res.Model)
	text := "wrote the " + kind
	if storage != "" {
		text += "; its " + storage + ", so that the file is no smaller than with int8"
	}
	s.emit(st.Name, event.Model{Message: text, Codes: kind, Storage: storage})
	return nil
}

// job prepares the job of a stage: data, parts and the converted model.
func (s *session) job(st *graph.Stage) (*stage.Job, *conversion, error) {
	j := &stage.Job{
		Name: st.Name, Seed: s.prog.Settings.Seed, Mode: st.Mode, ValBatch: st.Validation.BatchSize,
		Events: s.journal.Event, Clock: s.Clock, Stop: s.Stop,
		Kernels: s.Kernels, Workers: s.pool, Warn: func(w stage.Warning) { s.warn(st, w) },
	}
	j.Keeper = keeper{s, j}
	var err error
	if j.Train, err = s.feed(st.Train); err != nil {
		return nil, nil, err
	}
	if j.Val, err = s.feed(st.Val); err != nil {
		return nil, nil, err
	}
	if st.Trainer != nil && j.Train != nil {
		if d := graph.SingleValue(st, j.Train.Samples.Len()); d != nil {
			return nil, nil, &place.Error{Diagnostic: d}
		}
	}
	if d := s.tooMuch(st, j); d != nil {
		return nil, nil, &place.Error{Diagnostic: d}
	}
	if err := s.parts(st, j); err != nil {
		return nil, nil, err
	}
	c, err := s.convert(st, j)
	if err != nil {
		return nil, nil, err
	}
	j.Model = c.Model
	return j, c, nil
}

// tooMuch returns an error if the stage needs more memory than there is. Now that the data is open, all sizes are known.
func (s *session) tooMuch(st *graph.Stage, j *stage.Job) *diag.Diagnostic {
	n := graph.Images{}
	if j.Train != nil {
		n.Train = j.Train.Samples.Len()
	}
	if j.Val != nil {
		n.Val = j.Val.Samples.Len()
	}
	return st.TooMuch(n, s.machine())
}

// machine returns the plan's machine, with the threads and kernels of this run.
func (s *session) machine() stage.Machine {
	m := s.plan.Machine
	m.Threads, m.Kernels = s.threads(), s.Kernels
	return m
}

// parts makes the parts that the stage's blocks name.
func (s *session) parts(st *graph.Stage, j *stage.Job) error {
	j.Calls.Metrics = program.Calls(st.Validation.Metrics)
	for _, call := range st.Validation.Metrics {
		m, err := part.NewMetric(s.plan.Catalog, call)
		if err != nil {
			return place.At(call.Origin, err)
		}
		j.Metrics = append(j.Metrics, m)
	}
	for i, cb := range st.Callbacks {
		c, err := newPart[part.Callback](s, cb.Call)
		if err != nil {
			return err
		}
		j.Callbacks = append(j.Callbacks, stage.BoundCallback{
			Type: cb.Type, Address: cb.Origin.Address, Callback: c, When: cb.When, Modules: st.Modules[i],
		})
	}
	if c := st.Calibrator; c != nil {
		j.Calibrator = &stage.CalibratorJob{Steps: c.NumSteps, BatchSize: c.BatchSize}
	}
	if st.Trainer != nil {
		return s.trainer(st.Trainer, j)
	}
	return nil
}

// trainer sets the job's trainer.
func (s *session) trainer(t *program.Trainer, j *stage.Job) (err error) {
	j.Trainer = &stage.TrainerJob{
		Epochs: t.NumEpochs, Steps: t.NumSteps, BatchSize: t.BatchSize, DropLast: t.DropLast,
		ResumeOptimizer: t.ResumeOptimizer, ResumeEpochOrStep: t.ResumeEpochOrStep,
	}
	j.Calls.Optimizer, j.Calls.Losses = t.Optimizer, program.Calls(t.Losses)
	if j.Trainer.Optimizer, err = newPart[part.Optimizer](s, t.Optimizer); err != nil {
		return err
	}
	losses, call, err := part.NewLosses(s.plan.Catalog, t.Losses)
	if err != nil {
		return place.At(call.Origin, err)
	}
	j.Trainer.Losses = losses
	if t.LRUpdater != nil {
		j.Calls.LRUpdater = *t.LRUpdater
		j.Trainer.LRUpdater, err = newPart[part.LRUpdater](s, *t.LRUpdater)
	}
	return err
}

// newPart makes a part. An error gets the place of the part's block.
func newPart[P any](s *session, call program.Call) (P, error) {
	p, err := part.New[P](s.plan.Catalog, call)
	if err != nil {
		return p, place.At(call.Origin, err)
	}
	return p, nil
}
