package exec

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"qpipe/interp/artifact"
	"qpipe/interp/graph"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
)

// resumable refuses to resume where no run was ever begun.
func (s *session) resumable(existed bool) *diag.Diagnostic {
	if !existed {
		_ = os.Remove(filepath.Join(s.Out, "lock"))
		_ = os.Remove(s.Out) // which the lock has made
		return &diag.Diagnostic{
			Code: diag.NothingToResume, Summary: fmt.Sprintf("there is no run in %s to resume", s.Out),
			Detail: "Start it without --resume, or name the folder of the run with -out.",
		}
	}
	return s.readFrom()
}

// heal puts right what a crash in a write, or between a folder's move and the
// manifest, has left.
func (s *session) heal() error {
	if err := s.disk.Sweep(s.Out); err != nil {
		return err
	}
	for _, e := range s.manifest.Stages {
		if err := s.healStage(e); err != nil {
			return &artifact.FileError{Path: s.folder(e.Name).Path, Code: diag.Unwritable, Err: err}
		}
	}
	return nil
}

func (s *session) healStage(e *artifact.StageEntry) error {
	before, now := s.before(e.Name), s.folder(e.Name).Path
	switch {
	case e.Previous != nil || !exists(before):
	case exists(now):
		if err := s.disk.RemoveAll(before); err != nil {
			return err
		}
	default:
		if err := s.disk.Move(before, now); err != nil {
			return err
		}
		if err := s.disk.RemoveAll(filepath.Join(now, metricsName)); err != nil {
			return err
		}
	}
	if err := s.disk.Sweep(before); err != nil {
		return err
	}
	return s.disk.Sweep(now)
}

// begin makes the manifest say that the stage is running, and puts its earlier
// files aside. With keep they stay where they are: the attempt goes on from them.
func (s *session) begin(st *graph.Stage, d decision, keep bool) error {
	e := s.manifest.Stage(st.Name)
	if keep && e != nil && e.State != artifact.Complete {
		next := *e
		next.State, next.Error, next.Hash, next.Inputs = artifact.Running, "", d.hash, d.inputs
		s.manifest.Set(&next)
		return s.save()
	}
	next := &artifact.StageEntry{Name: st.Name, State: artifact.Running, Hash: d.hash, Inputs: d.inputs}
	if e != nil {
		if err := s.putAside(e, next, keep); err != nil {
			return &artifact.FileError{Path: s.folder(st.Name).Path, Code: diag.Unwritable, Err: err}
		}
	}
	s.manifest.Set(next)
	return s.save()
}

// putAside moves the files of an entry away: a complete result is kept until the
// new one is complete, an attempt that was not completed only where there is
// nothing better.
func (s *session) putAside(e, next *artifact.StageEntry, keep bool) error {
	now, before := s.folder(e.Name).Path, s.before(e.Name)
	if e.State != artifact.Complete && e.Previous != nil {
		next.Previous = e.Previous
		return s.disk.RemoveAll(now)
	}
	if !exists(now) {
		return nil
	}
	next.Previous = e
	move := s.disk.Move
	if keep {
		move = s.copyFolder
	}
	if err := move(now, before); err != nil {
		return err
	}
	lines, err := s.journal.lines(e.Name)
	if err != nil {
		return err
	}
	return s.disk.Write(filepath.Join(before, metricsName), lines)
}

// copyFolder is for an attempt that continues from a file of a complete stage:
// the other files stay where they are, too.
func (s *session) copyFolder(from, to string) error {
	f := artifact.Folder{Disk: s.disk, Path: from}
	names, err := f.Names()
	if err != nil {
		return err
	}
	if err := s.disk.RemoveAll(to); err != nil {
		return err
	}
	for _, name := range names {
		data, err := os.ReadFile(f.File(name))
		if err != nil {
			return err
		}
		if err := s.disk.Write(filepath.Join(to, name+artifact.Ext), data); err != nil {
			return err
		}
	}
	return nil
}

// restore brings the result back that a failed attempt was to replace.
func (s *session) restore(st *graph.Stage, d decision) error {
	e := s.manifest.Stage(st.Name)
	now := s.folder(st.Name).Path
	if err := s.disk.Move(s.before(st.Name), now); err != nil {
		return &artifact.FileError{Path: now, Code: diag.Unwritable, Err: err}
	}
	if err := s.restoreMetrics(st.Name, filepath.Join(now, metricsName)); err != nil {
		return err
	}
	s.manifest.Set(e.Previous)
	s.emit(EventRestore, st.Name, "restored: "+d.reason, map[string]any{"reason": d.reason})
	return s.save()
}

// restoreMetrics puts the metrics that belong to a restored result back.
func (s *session) restoreMetrics(stageName, path string) error {
	lines, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return &artifact.FileError{Path: path, Code: diag.Unreadable, Err: err}
	}
	if err := s.journal.rewind(stageName, -1); err != nil {
		return err
	}
	if err := s.journal.refill(lines); err != nil {
		return err
	}
	return s.disk.RemoveAll(path)
}

// complete makes the manifest say what the stage has left.
func (s *session) complete(st *graph.Stage, e *artifact.StageEntry) error {
	f := s.folder(st.Name)
	names, err := f.Names()
	if err != nil {
		return err
	}
	e.Artifacts = nil
	for _, name := range names {
		file, err := artifact.NewFile(s.Out, f.File(name), name)
		if err != nil {
			return err
		}
		e.Artifacts = append(e.Artifacts, file)
	}
	e.State, e.Previous, e.Error = artifact.Complete, nil, ""
	s.manifest.Set(e)
	if err := s.save(); err != nil {
		return err
	}
	if err := s.disk.RemoveAll(s.before(st.Name)); err != nil {
		return &artifact.FileError{Path: s.before(st.Name), Code: diag.Unwritable, Err: err}
	}
	return nil
}

// newest finds the checkpoint that an interrupted stage continues from: "last",
// which is the newest, else the sound one with the most steps. Damaged ones are
// passed over, and that is said. Nil without an error: there is none, which is
// what a run leaves that was cut off before its first one.
func (s *session) newest(st *graph.Stage) (*stage.Snapshot, error) {
	f := s.folder(st.Name)
	names, err := f.Names()
	if err != nil {
		return nil, err
	}
	var best *stage.Snapshot
	var from string
	var bad []error
	if i := slices.Index(names, "last"); i > 0 {
		names = append([]string{"last"}, slices.Delete(names, i, i+1)...)
	}
	for _, name := range names {
		snap, err := artifact.Read(f.File(name))
		if err != nil {
			bad = append(bad, err)
			continue
		}
		if snap.Stage != st.Name {
			continue
		}
		if name == "last" {
			return snap, nil
		}
		if best == nil || snap.Step > best.Step {
			best, from = snap, f.File(name)
		}
	}
	for _, err := range bad {
		s.fellBack(st, err, from)
	}
	if best == nil && len(bad) > 0 {
		return nil, &noSound{bad[0]}
	}
	return best, nil
}

// noSound says that all checkpoints are damaged.
type noSound struct{ err error }

func (e *noSound) Error() string { return "no checkpoint is sound: " + e.err.Error() }
func (e *noSound) Unwrap() error { return e.err }

// fellBack says that a damaged checkpoint was passed over.
func (s *session) fellBack(st *graph.Stage, err error, to string) {
	if to == "" {
		return
	}
	message := fmt.Sprintf("%v; continues from %s instead", err, to)
	s.fail(&diag.Diagnostic{
		Code: diag.FellBack, Severity: diag.Warning, Subject: st.Origin.Header, Address: st.Origin.Address,
		Summary: "a damaged checkpoint was passed over", Detail: message + ".",
	})
	s.emit(EventFallback, st.Name, message, map[string]any{"error": err.Error(), "checkpoint": to})
}
