package exec

import (
	"context"
	"fmt"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/graph"
	"qpipe/interp/place"
	"qpipe/interp/runs"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

// Decision says what a run would do with a stage, and why. `qpipe plan` prints it.
type Decision struct {
	Stage  string `json:"stage"`
	Run    bool   `json:"run"`
	Reason string `json:"reason"`
	// Memory is the largest number of bytes that the stage needs; 0 if that is known only after reading its data.
	Memory int64 `json:"memory_bytes,omitempty"`
}

// Explain returns what Run would do with the same options. It only reads the manifest and
// the data files; it does not lock the folder, and writes nothing.
func Explain(p *graph.Plan, o Options) ([]Decision, diag.List) {
	s, list := newSession(context.Background(), p, o, runs.Look)
	if list.HasErrors() {
		return nil, list
	}
	defer s.folder.Close()
	if d := s.readFrom(); d != nil {
		return nil, diag.List{d}
	}
	var out []Decision
	runs := map[string]bool{}
	for _, st := range s.wanted {
		d := Decision{Stage: st.Name}
		if need, known := st.Memory(st.Images, s.machine()); known {
			d.Memory = need.Total()
		}
		if up := firstOf(st.Reads, runs); up != "" && !s.unaffected(st, up) {
			d.Run, d.Reason = true, fmt.Sprintf("stage %s runs", up)
		} else {
			got, err := s.decide(st)
			if err != nil {
				s.fail(s.diagnose(st, err))
				continue
			}
			d.Run, d.Reason = got.run, got.reason
		}
		runs[st.Name] = d.Run
		out = append(out, d)
	}
	return out, s.list
}

// unaffected reports whether a stage that refers to another one does not load a checkpoint
// of it, so that it need not run again just because the other one does.
func (s *session) unaffected(st *graph.Stage, up string) bool {
	for _, c := range graph.Calls(st.Stage) {
		for _, from := range loads(c) {
			if from.Stage == up {
				return false
			}
		}
	}
	return true
}

// firstOf returns the name of the first of the stages that runs, "" if none does.
func firstOf(stages []*graph.Stage, runs map[string]bool) string {
	for _, st := range stages {
		if runs[st.Name] {
			return st.Name
		}
	}
	return ""
}

// readFrom reads the checkpoint that Options.From names.
func (s *session) readFrom() *diag.Diagnostic {
	if s.From == "" {
		return nil
	}
	snap, err := artifact.Read(s.From)
	if err != nil {
		return place.File(err)
	}
	for _, st := range s.wanted {
		if st.Name != snap.Stage {
			continue
		}
		if why := unfit(st, snap); why != "" {
			return &diag.Diagnostic{
				Code: diag.CannotResume, Subject: st.Origin.Header, Address: st.Origin.Address,
				Summary: fmt.Sprintf("stage %q cannot continue from %s: %s", st.Name, s.From, why),
				Detail:  "Name a checkpoint that this stage has written, or leave the file out: --resume alone takes the newest.",
			}
		}
		s.from = snap
		return nil
	}
	return &diag.Diagnostic{
		Code: diag.CannotResume, Summary: fmt.Sprintf("%s was written by stage %q, and no such stage runs here", s.From, snap.Stage),
		Detail: "Name a checkpoint of a stage of this pipeline (or, with -stage, of that stage).",
	}
}

// unfit says why a stage cannot continue from a checkpoint that names it, "" if it can.
func unfit(st *graph.Stage, snap *checkpoint.Snapshot) string {
	form := st.Model.Form()
	switch {
	case snap.Form == nn.Quantized:
		return "it is an int8 model, which cannot be trained further"
	case st.Trainer == nil && st.Calibrator == nil:
		return "the stage only validates, so there is nothing to continue"
	case snap.Form != form:
		return fmt.Sprintf("it has a model of form %s, but the stage's model has form %s", snap.Form, form)
	case form != nn.Float && snap.Mode != st.Mode:
		return fmt.Sprintf("it was written with qat_mode %q, but the stage has %q", snap.Mode, st.Mode)
	case len(snap.Structure) == 0:
		return ""
	}
	was, err := nn.Restore(snap.Structure)
	if err == nil {
		err = st.Model.SameNetwork(was)
	}
	if err != nil {
		return "its network is another one: " + err.Error()
	}
	return ""
}
