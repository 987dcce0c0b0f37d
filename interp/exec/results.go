package exec

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"qpipe/interp/event"
	"qpipe/interp/graph"
	"qpipe/interp/place"
	"qpipe/interp/runs"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// results gives expressions the metrics and checkpoints of stages that have run.
type results struct{ s *session }

// Metric implements program.Results.
func (r results) Metric(stageName, name string) (float64, bool) {
	e := r.s.done(stageName)
	if e == nil {
		return 0, false
	}
	v, ok := e.Metrics[name]
	return v, ok
}

// Checkpoint implements program.Results.
func (r results) Checkpoint(stageName, which string) (string, bool) {
	f := r.s.done(stageName).Artifact(which)
	if f == nil {
		return "", false
	}
	return r.s.folder.Path(f.Path), true
}

// done returns the entry of a stage that is complete and up to date, otherwise nil.
func (s *session) done(name string) *runs.StageEntry {
	e := s.manifest.Stage(name)
	if e == nil || e.State != runs.Complete {
		return nil
	}
	if d, visited := s.did[name]; visited && d != Ran && d != UpToDate && d != Failed {
		return nil
	}
	return e
}

// conditions checks a stage's conditions of one kind.
func (s *session) conditions(st *graph.Stage, kind string) error {
	for _, c := range st.Conditions {
		if c.Kind != kind {
			continue
		}
		if d := s.holds(c); d != nil {
			return &place.Error{Diagnostic: d}
		}
	}
	return nil
}

// holds evaluates a condition. It returns nil if the condition is true.
func (s *session) holds(c program.Condition) *diag.Diagnostic {
	v, list := c.Holds(results{s})
	if list.HasErrors() {
		return first(list)
	}
	ok, isBool := v.(bool)
	if isBool && ok {
		return nil
	}
	d := &diag.Diagnostic{
		Code: diag.ConditionFailed, Subject: c.Origin.At("condition"), Address: c.Origin.Address,
		Summary: fmt.Sprintf("the %s does not hold", c.Kind),
	}
	if c.Message != nil {
		if text, list := c.Message(results{s}); !list.HasErrors() && text != nil {
			d.Detail = fmt.Sprint(text)
		}
	}
	if !isBool {
		d.Detail = fmt.Sprintf("It must be true or false, and it is %v.", v)
	}
	return d
}

// first returns the first error of a list.
func first(list diag.List) *diag.Diagnostic {
	for _, d := range list {
		if d.Severity == diag.Error {
			return d
		}
	}
	return list[0]
}

// outputs evaluates the output blocks whose stages are all available, and writes their values
// to the manifest. A value from an earlier run is kept if this run has not touched its stages.
func (s *session) outputs() {
	old := s.manifest.Outputs
	s.manifest.Outputs = nil
	for _, o := range s.prog.Outputs {
		if s.available(o.Refs) {
			s.output(o)
			continue
		}
		for _, before := range old {
			if before.Name == o.Name && s.untouched(o.Refs) {
				s.manifest.Outputs = append(s.manifest.Outputs, before)
			}
		}
	}
	logged := s.journal.Finish()
	if err := s.folder.Save(); err != nil {
		s.fail(place.File(err))
	}
	if logged != nil && !s.said(place.File(logged)) {
		s.fail(place.File(logged))
	}
}

// said reports whether a diagnostic is in the list already.
func (s *session) said(d *diag.Diagnostic) bool {
	return slices.ContainsFunc(s.list, func(o *diag.Diagnostic) bool { return o.Code == d.Code && o.Summary == d.Summary })
}

// available reports whether all stages of the references ran or are up to date.
func (s *session) available(refs []program.Ref) bool {
	for _, r := range refs {
		if d := s.did[r.Stage]; d != Ran && d != UpToDate {
			return false
		}
	}
	return true
}

// untouched reports whether this run has run none of the stages of the references, and did not intend to.
func (s *session) untouched(refs []program.Ref) bool {
	for _, r := range refs {
		if d, visited := s.did[r.Stage]; visited && d != UpToDate {
			return false
		}
	}
	return true
}

// output evaluates an output block.
func (s *session) output(o *program.Output) {
	if !s.hold(o.Conditions, "precondition") {
		return
	}
	v, list := o.Value(results{s})
	s.list = append(s.list, list...)
	if list.HasErrors() || !s.hold(o.Conditions, "assert") {
		return
	}
	if bad, found := notFinite(v); found {
		s.fail(&diag.Diagnostic{
			Code: diag.NotFinite, Subject: o.Origin.At("value"), Address: o.Origin.Address,
			Summary: fmt.Sprintf("the value of output %q is not finite: %v", o.Name, bad),
			Detail:  "Such a value comes from a division by zero, a logarithm of zero or a number that is too large. It is not stored, because JSON has no such numbers.",
		})
		return
	}
	s.manifest.Outputs = append(s.manifest.Outputs, runs.Output{Name: o.Name, Description: o.Description, Value: v})
	s.report.Outputs = append(s.report.Outputs, OutputReport{Name: o.Name, Description: o.Description, Value: v})
	s.emit("", event.Output{Message: fmt.Sprintf("%s = %v", o.Name, v), Name: o.Name, Value: v})
}

// notFinite finds NaN or an infinity in a value.
func notFinite(v any) (bad float64, found bool) {
	switch v := v.(type) {
	case float64:
		return v, math.IsNaN(v) || math.IsInf(v, 0)
	case []any:
		for _, x := range v {
			if bad, found = notFinite(x); found {
				return bad, true
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if bad, found = notFinite(v[name]); found {
				return bad, true
			}
		}
	}
	return 0, false
}

// hold reports the conditions of a kind that do not hold, and whether all do.
func (s *session) hold(conditions []program.Condition, kind string) bool {
	ok := true
	for _, c := range conditions {
		if c.Kind != kind {
			continue
		}
		if d := s.holds(c); d != nil {
			s.fail(d)
			ok = false
		}
	}
	return ok
}
