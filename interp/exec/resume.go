package exec

import (
	"fmt"
	"os"
	"slices"

	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/interp/graph"
	"qpipe/interp/journal"
	"qpipe/interp/runs"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
)

// resumable returns an error if --resume is given and there is no run to resume.
func resumable(o Options) *diag.Diagnostic {
	if _, err := os.Stat(o.Out); !o.Resume || err == nil {
		return nil
	}
	return &diag.Diagnostic{
		Code: diag.NothingToResume, Summary: fmt.Sprintf("there is no run in %s to resume", o.Out),
		Detail: "Start it without --resume, or name the folder of the run with -out.",
	}
}

// begin records in the manifest that the stage is running, with its metrics up to a step. With keep, the stage continues
// its own unfinished attempt and its files. Otherwise an earlier result is set aside and kept.
func (s *session) begin(st *graph.Stage, d decision, keep bool, step int) error {
	if err := s.vacant(st); err != nil {
		return s.unbegun(st, d, err)
	}
	has := s.journal.Measured(st.Name, step)
	e := s.manifest.Stage(st.Name)
	if keep && e != nil && e.State != runs.Complete {
		next := *e
		next.State, next.Error, next.Lost, next.Hash, next.Inputs = runs.Running, "", "", d.hash, d.inputs
		next.Measured = has
		return s.record(&next, s.folder.Continue(&next))
	}
	next := &runs.StageEntry{Name: st.Name, State: runs.Running, Hash: d.hash, Inputs: d.inputs, Measured: has}
	return s.record(next, s.folder.Begin(next, s.journal.Texts(st.Name), keep))
}

// vacant returns an error if there are files in the stages' folders that qpipe has not written
// and that have names which the stages need.
func (s *session) vacant(stages ...*graph.Stage) error {
	var names []string
	for _, st := range stages {
		names = append(names, st.Name)
	}
	return s.folder.Vacant(names, func(stageName, name string) bool { return s.plan.Stage(stageName).Names(name) })
}

// record logs an entry of the manifest after it was saved; err is the result of saving. From
// these events a lost manifest can be rebuilt.
func (s *session) record(e *runs.StageEntry, err error) error {
	if err == nil {
		s.journal.Event(journal.Entry(e))
	}
	return err
}

// bringBack restores an earlier result as the stage's present one.
func (s *session) bringBack(st *graph.Stage, d decision) error {
	e, err := s.folder.BringBack(st.Name, d.back, s.journal.Texts(st.Name))
	if err := s.record(e, err); err != nil {
		return err
	}
	if err := s.linesBack(e); err != nil {
		return err
	}
	s.emit(st.Name, event.Restore{Message: "restored: " + d.reason, Reason: d.reason})
	return nil
}

// linesBack moves the metrics of a restored result from the manifest back to metrics.jsonl.
func (s *session) linesBack(e *runs.StageEntry) error {
	if e.Lines == nil {
		return nil
	}
	if err := s.journal.Replace(e.Name, e.Lines); err != nil {
		return err
	}
	return s.folder.LinesBack(e.Name)
}

// newest returns the checkpoint from which an interrupted stage continues: the intact one with
// the most steps. It starts with "last", and usually need not read any other. It skips
// damaged checkpoints with a warning. The result is nil without an error if there is no
// checkpoint, because the run ended before it had written one. If there are only damaged
// ones, the error is a *noSound.
func (s *session) newest(st *graph.Stage) (*checkpoint.Snapshot, error) {
	e := s.manifest.Stage(st.Name)
	var names []string
	for _, f := range e.Artifacts {
		if runs.IsCheckpoint(f.Name) {
			names = append(names, f.Name)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return rankOf(a) - rankOf(b) })
	var best *checkpoint.Snapshot
	var from string
	bad := map[string]error{}
	for _, name := range names {
		snap, err := s.folder.Own(st.Name, name)
		switch {
		case err != nil && !runs.Broken(err):
			return nil, err
		case err != nil:
			bad[name] = err
		case snap.Stage != st.Name: // the best checkpoint of the stage that this one continues from
		case best == nil || snap.Step > best.Step:
			best, from = snap, s.folder.File(st.Name, name)
		}
		if best != nil && name == "last" && !slices.ContainsFunc(names, func(name string) bool { return behind(best, name) }) {
			break
		}
	}
	for _, name := range names {
		if err := bad[name]; err != nil && best == nil {
			return nil, &noSound{err}
		}
	}
	if best == nil {
		return nil, nil
	}
	return best, s.withoutUnsound(st, from, bad)
}

// withoutUnsound removes damaged checkpoints from an attempt that continues from an intact one (from), with a warning
// for each. It leaves out the best checkpoint, which goOn handles.
func (s *session) withoutUnsound(st *graph.Stage, from string, bad map[string]error) error {
	e := s.manifest.Stage(st.Name)
	for _, f := range slices.Clone(e.Artifacts) {
		fault, err := s.folder.Fault(e, f)
		if err != nil {
			return err
		}
		if fault != "" && bad[f.Name] == nil {
			bad[f.Name] = fmt.Errorf("%s %s", s.folder.Path(f.Path), fault)
		}
		if bad[f.Name] == nil || f.Name == "best" {
			continue
		}
		if !runs.IsCheckpoint(f.Name) { // it is written again
			s.folder.Forget(st.Name, f.Name)
			continue
		}
		s.fellBack(st, bad[f.Name], from)
		if err := s.folder.Remove(st.Name, f.Name); err != nil {
			return err
		}
	}
	return nil
}

// behind reports whether the snapshot is older than a checkpoint whose name has a step or an epoch.
func behind(s *checkpoint.Snapshot, name string) bool {
	step, epoch := runs.Numbers(name)
	return step > s.Step || epoch > s.Epoch
}

// rankOf sorts "last" before all other names.
func rankOf(name string) int {
	if name == "last" {
		return 0
	}
	return 1
}

// noSound is the error that all checkpoints of a stage are damaged.
type noSound struct{ err error }

// Error implements error.
func (e *noSound) Error() string {
	return "no checkpoint of the stage is sound: " + e.err.Error() + ". Without --resume the stage starts over"
}

// Unwrap returns what is wrong with the first one.
func (e *noSound) Unwrap() error { return e.err }

// fellBack warns that a damaged checkpoint was skipped.
func (s *session) fellBack(st *graph.Stage, err error, to string) {
	message := fmt.Sprintf("%v; continues from %s instead", err, to)
	s.fail(&diag.Diagnostic{
		Code: diag.FellBack, Severity: diag.Warning, Subject: st.Origin.Header, Address: st.Origin.Address,
		Summary: "a damaged checkpoint was passed over", Detail: message + ".",
	})
	s.emit(st.Name, event.Fallback{Message: message, Error: err.Error(), Checkpoint: to})
}

// keeper stores a stage's checkpoints in the run's folder. Before each, it makes the logs
// durable, and the recorders' files, so that no checkpoint is ahead of its metrics.
type keeper struct {
	session *session
	job     *stage.Job
}

// Save implements stage.Keeper.
func (k keeper) Save(name string, snap *checkpoint.Snapshot) error {
	if err := k.session.journal.Sync(); err != nil {
		return err
	}
	if err := k.session.recorded(k.job); err != nil {
		return err
	}
	return k.session.folder.Put(k.job.Name, name, snap)
}

// Remove implements stage.Keeper.
func (k keeper) Remove(name string) error { return k.session.folder.Remove(k.job.Name, name) }
