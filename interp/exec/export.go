package exec

import (
	"cmp"
	"fmt"
	"slices"

	"qpipe/interp/event"
	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/interp/place"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// export lets the stage's exporters write its final model.
func (s *session) export(st *graph.Stage, j *stage.Job, res *stage.Result) error {
	data := cmp.Or(j.Val, j.Train).Spec
	for _, call := range st.Exports {
		x, err := newPart[part.Exporter](s, call)
		if err != nil {
			return err
		}
		var written []string
		e := &part.Export{
			Stage: st.Name, Model: res.Model, Inputs: data.Preprocessing(), Classes: data.ClassNames(),
			Metrics: known(st, res), Version: s.Version, Pipeline: s.prog.SHA256,
			Write: func(name string, data []byte) error {
				if !slices.Contains(x.Files(), name) {
					return fmt.Errorf("it writes %q, which is not one of its files", name)
				}
				written = append(written, name)
				return s.folder.PutFile(st.Name, name, data)
			},
		}
		if err := part.Exported(x, e); err != nil {
			return cannotExport(call, err)
		}
		for _, name := range x.Files() {
			if !slices.Contains(written, name) {
				return cannotExport(call, fmt.Errorf("it has not written %q", name))
			}
		}
		s.emit(st.Name, event.Export{Exporter: call.Type, Files: written, Message: fmt.Sprintf("%s wrote %s", call.Type, diag.And(written))})
	}
	return nil
}

// known are the metrics of the model that is exported: a stage that averages weights measures those, and exports the others.
func known(st *graph.Stage, res *stage.Result) map[string]float64 {
	if st.Averages() {
		return nil
	}
	return res.Metrics
}

// cannotExport places the error of an exporter.
func cannotExport(call program.Call, err error) error {
	d := place.Diagnose(call.Origin, err)
	if d.Code == diag.StageFailed {
		d.Code, d.Summary = diag.CannotExport, fmt.Sprintf("%s: %s", call.Type, d.Summary)
	}
	return &place.Error{Diagnostic: d}
}
