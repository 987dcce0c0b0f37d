package exec

import (
	"fmt"
	"os"
	"path/filepath"

	"qpipe/interp/artifact"
	"qpipe/interp/graph"
)

// decision is what happens with a stage, and why.
type decision struct {
	run     bool
	restore bool // bring back the result from before a failed attempt
	resume  bool // continue the attempt that is in the manifest
	reason  string
	inputs  inputs
	hash    string
}

// decide compares a stage's inputs with those of its last run.
func (s *session) decide(st *graph.Stage) (decision, error) {
	in, err := s.inputs(st)
	if err != nil {
		return decision{}, err
	}
	d := decision{inputs: in, hash: in.hash()}
	e := s.manifest.Stage(st.Name)
	switch {
	case s.from != nil && s.from.Stage == st.Name:
		d.run, d.resume, d.reason = true, true, "continues from "+s.From
	case s.Force && s.asked[st.Name]:
		d.run, d.reason = true, "forced"
	case e == nil:
		d.run, d.reason = true, "first run"
	case e.State != artifact.Complete:
		s.unfinished(e, &d)
	default:
		s.finished(e, &d)
	}
	return d, nil
}

// finished decides about a stage whose last run was complete.
func (s *session) finished(e *artifact.StageEntry, d *decision) {
	switch {
	case e.Hash != d.hash:
		d.run, d.reason = true, d.inputs.changes(e.Inputs, s.did)
	default:
		d.reason = unsound(s.Out, e)
		d.run = d.reason != ""
	}
	if !d.run {
		d.reason = "nothing has changed"
	}
}

// unfinished decides about a stage whose last run was not completed.
func (s *session) unfinished(e *artifact.StageEntry, d *decision) {
	what := map[string]string{artifact.Interrupted: "it was interrupted", artifact.Failed: "it failed"}[e.State]
	if what == "" {
		what = "its run was cut off"
	}
	p := e.Previous
	switch {
	case !s.Resume && p != nil && p.State == artifact.Complete && p.Hash == d.hash && unsound(filepath.Dir(s.before(e.Name)), p) == "":
		d.restore, d.reason = true, "as before the attempt that was not completed"
	case s.Resume:
		d.run, d.resume, d.reason = true, true, "continues: "+what
	default:
		d.run, d.reason = true, "starts again: "+what+" (--resume continues it)"
	}
}

// unsound says what is wrong with the files of a complete stage, "" for nothing.
func unsound(dir string, e *artifact.StageEntry) string {
	for _, f := range e.Artifacts {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if _, err := os.Stat(path); err != nil {
			return fmt.Sprintf("its %s is missing", f.Path)
		}
		if !f.Sound(dir) {
			return fmt.Sprintf("its %s is damaged", f.Path)
		}
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
