package lower

import (
	"fmt"
	"slices"

	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// writer is a part that writes files for other programs: an exporter or a recorder.
type writer interface{ Files() []string }

// exports lists the files for other programs that the stage's exporters and recorders write.
func (l *lowerer) exports(s *graph.Stage) {
	for _, c := range s.Callbacks {
		if x, err := part.New[part.Callback](l.plan.Catalog, c.Call); err == nil {
			if r, ok := x.(part.Recorder); ok {
				l.writes(s, c.Call, r)
			}
		}
	}
	s.Records = slices.Clone(s.Files)
	for _, call := range s.Exports {
		x, err := part.New[part.Exporter](l.plan.Catalog, call)
		if err != nil {
			l.part(diag.BadPart, call, err)
			continue
		}
		l.writes(s, call, x)
	}
}

// writes adds the files that a part writes.
func (l *lowerer) writes(s *graph.Stage, call program.Call, x writer) {
	names, err := part.Ask("Files", x.Files)
	if err == nil {
		err = part.CheckFiles(names)
	}
	if err != nil {
		l.part(diag.BadPart, call, err)
		return
	}
	for _, name := range names {
		if slices.Contains(s.Files, name) {
			l.fail(diag.Diagnostic{
				Code: diag.BadPart, Subject: call.Origin.Header, Address: call.Origin.Address,
				Summary: fmt.Sprintf("%s writes %s, which another part of the stage writes, too", call.Type, name),
				Detail:  "Give one of them another name, or put them into two stages.",
			})
		}
	}
	s.Files = append(s.Files, names...)
}

// exported asks the exporters whether they can write the stage's model.
func (l *lowerer) exported(s *graph.Stage) {
	for _, call := range s.Exports {
		x, err := part.New[part.Exporter](l.plan.Catalog, call)
		if f, ok := x.(part.GraphFitter); ok && err == nil {
			if err := part.Try("Fits", func() error { return f.Fits(s.Model) }); err != nil {
				l.part(diag.CannotExport, call, err)
			}
		}
	}
}
