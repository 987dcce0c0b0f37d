package exec

import (
	"fmt"
	"slices"

	"qpipe/interp/graph"
	"qpipe/interp/runs"
)

// decision says what to do with a stage, and why.
type decision struct {
	run    bool       // run the stage; otherwise it is up to date
	back   *runs.Kept // an earlier result to restore first, nil for none
	resume bool       // continue the unfinished attempt (after back was restored)
	insist bool       // the user has asked for that with --resume
	reason string
	passed string // why an earlier result that fits cannot be restored, "" if there is none
	inputs inputs
	hash   string // of inputs
	err    error  // a file could not be read
}

// decide compares a stage's inputs with those of its last run, and with those of earlier results that
// are kept in the run's folder.
func (s *session) decide(st *graph.Stage) (decision, error) {
	in, err := s.inputs(st)
	if err != nil {
		return decision{}, err
	}
	d := decision{inputs: in, hash: in.hash()}
	e := s.manifest.Stage(st.Name)
	switch {
	case s.from != nil && s.from.Stage == st.Name:
		d.run, d.resume, d.insist, d.reason = true, true, true, "continues from "+s.From
	case s.Force && s.asked[st.Name]:
		d.run, d.reason = true, "forced"
	case e == nil:
		d.run, d.reason = true, "first run"
	case e.State != runs.Complete:
		s.unfinished(e, &d)
	default:
		s.finished(e, &d)
	}
	if d.run && d.passed != "" {
		d.reason += "; what was kept does not come back: " + d.passed
	}
	return d, d.err
}

// finished decides about a stage whose last run was complete.
func (s *session) finished(e *runs.StageEntry, d *decision) {
	if d.fits(e) {
		d.reason = s.unsound(e, s.unrecorded(e), d)
		if d.run = d.reason != ""; !d.run {
			d.reason = "nothing has changed"
		}
		return
	}
	if s.comesBack(e, d) {
		return
	}
	d.run, d.reason = true, d.inputs.changes(e.Inputs, s.did)
}

// unfinished decides about a stage whose last run was not completed. It is continued, unless
// something that it depends on has changed.
func (s *session) unfinished(e *runs.StageEntry, d *decision) {
	what := map[string]string{runs.Interrupted: "it was interrupted", runs.Failed: "it failed"}[e.State]
	if what == "" {
		what = "its run was cut off"
	}
	switch {
	case s.Resume:
		d.run, d.resume, d.insist, d.reason = true, true, true, "continues: "+what
	case s.comesBack(e, d):
	case !d.fits(e):
		d.run, d.reason = true, fmt.Sprintf("starts over: %s, and since then %s", what, d.inputs.changes(e.Inputs, s.did))
	case e.Lost != "":
		d.run, d.reason = true, fmt.Sprintf("starts over: its checkpoint %s was lost", e.Lost)
	case len(e.Artifacts) == 0:
		d.run, d.reason = true, "runs again: "+what+" before its first checkpoint"
	default:
		d.run, d.resume, d.reason = true, true, "continues: "+what
	}
}

// comesBack looks for an earlier result with the same inputs. A complete one is restored,
// and the stage need not run. An unfinished attempt is restored and continued.
func (s *session) comesBack(e *runs.StageEntry, d *decision) bool {
	fits := func(complete bool) int {
		return slices.IndexFunc(e.Kept, func(k *runs.Kept) bool {
			return d.fits(&k.StageEntry) && !k.Dropped && (k.State == runs.Complete) == complete && k.Lost == ""
		})
	}
	if i := fits(true); i >= 0 {
		if d.passed = s.unsound(e, &e.Kept[i].StageEntry, d); d.passed == "" {
			d.back, d.reason = e.Kept[i], "as before the attempt that was not completed"
			if e.State == runs.Complete {
				d.reason = "as before the change"
			}
			return true
		}
	}
	if i := fits(false); i >= 0 && !d.fits(e) {
		d.back, d.run, d.resume, d.reason = e.Kept[i], true, true, "continues what was kept of an earlier attempt"
		return true
	}
	return false
}

// unsound says what is wrong with the files of a complete result, "" if they are all there and unchanged.
func (s *session) unsound(e, result *runs.StageEntry, d *decision) string {
	for _, f := range result.Artifacts {
		fault, err := s.folder.Fault(e, f)
		if err != nil {
			d.err = err
		}
		if fault != "" {
			return fmt.Sprintf("its %s %s", f.Path, fault)
		}
	}
	return ""
}
