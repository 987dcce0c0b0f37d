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
	"qpipe/lang/diag"
)

// resumable refuses to resume where no run was ever begun.
func resumable(o Options) *diag.Diagnostic {
	if _, err := os.Stat(o.Out); !o.Resume || err == nil {
		return nil
	}
	return &diag.Diagnostic{
		Code: diag.NothingToResume, Summary: fmt.Sprintf("there is no run in %s to resume", o.Out),
		Detail: "Start it without --resume, or name the folder of the run with -out.",
	}
}

// begin makes the manifest say that the stage is running, and has the metrics up to the step. What was there is kept; with keep the
// attempt goes on from its files.
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

// vacant makes sure that the stages find nothing of somebody else's in the way of their files.
func (s *session) vacant(stages ...*graph.Stage) error {
	var names []string
	for _, st := range stages {
		names = append(names, st.Name)
	}
	return s.folder.Vacant(names, func(stageName, name string) bool { return s.plan.Stage(stageName).Names(name) })
}

// record logs an entry of the manifest once it is there: a lost manifest is made of the log.
func (s *session) record(e *runs.StageEntry, err error) error {
	if err == nil {
		s.journal.Event(journal.Entry(e))
	}
	return err
}

// bringBack makes a kept result the stage's again.
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

// linesBack puts the metrics of a result that has come back where they were.
func (s *session) linesBack(e *runs.StageEntry) error {
	if e.Lines == nil {
		return nil
	}
	if err := s.journal.Replace(e.Name, e.Lines); err != nil {
		return err
	}
	return s.folder.LinesBack(e.Name)
}

// newest finds the checkpoint that an interrupted stage continues from: "last", or
// the sound one with the most steps. Damaged ones are
// passed over, and that is said. Nil without an error: there is none, which is
// what a run leaves that was cut off before its first one.
func (s *session) newest(st *graph.Stage) (*checkpoint.Snapshot, error) {
	e := s.manifest.Stage(st.Name)
	var names []string
	for _, f := range e.Artifacts {
		names = append(names, f.Name)
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
		case snap.Stage != st.Name: // the best of the stage that this one goes on from
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

// withoutUnsound takes what is not sound off the files of an attempt that goes on from one of them, and says
// so; of the best checkpoint goOn speaks.
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
		s.fellBack(st, bad[f.Name], from)
		if err := s.folder.Remove(st.Name, f.Name); err != nil {
			return err
		}
	}
	return nil
}

// behind reports whether a numbered checkpoint of that name is of a later moment than the snapshot.
func behind(s *checkpoint.Snapshot, name string) bool {
	step, epoch := runs.Numbers(name)
	return step > s.Step || epoch > s.Epoch
}

// rankOf puts "last" before the others.
func rankOf(name string) int {
	if name == "last" {
		return 0
	}
	return 1
}

// noSound says that all checkpoints are damaged.
type noSound struct{ err error }

func (e *noSound) Error() string {
	return "no checkpoint of the stage is sound: " + e.err.Error() + ". Without --resume the stage starts over"
}
func (e *noSound) Unwrap() error { return e.err }

// fellBack says that a damaged checkpoint was passed over.
func (s *session) fellBack(st *graph.Stage, err error, to string) {
	message := fmt.Sprintf("%v; continues from %s instead", err, to)
	s.fail(&diag.Diagnostic{
		Code: diag.FellBack, Severity: diag.Warning, Subject: st.Origin.Header, Address: st.Origin.Address,
		Summary: "a damaged checkpoint was passed over", Detail: message + ".",
	})
	s.emit(st.Name, event.Fallback{Message: message, Error: err.Error(), Checkpoint: to})
}

// keeper keeps a stage's checkpoints, each after the metrics that lead to it.
type keeper struct {
	session *session
	stage   string
}

// Save implements stage.Keeper.
func (k keeper) Save(name string, snap *checkpoint.Snapshot) error {
	if err := k.session.journal.Sync(); err != nil {
		return err
	}
	return k.session.folder.Put(k.stage, name, snap)
}

// Remove implements stage.Keeper.
func (k keeper) Remove(name string) error { return k.session.folder.Remove(k.stage, name) }
