package lower

import (
	"fmt"
	"slices"

	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/lang/diag"
)

// exports lists the files that the stage's exporters write.
func (l *lowerer) exports(s *graph.Stage) {
	for _, call := range s.Exports {
		x, err := part.New[part.Exporter](l.plan.Catalog, call)
		var names []string
		if err == nil {
			names, err = part.Ask("Files", x.Files)
		}
		if err == nil {
			err = part.CheckFiles(names)
		}
		if err != nil {
			l.part(diag.BadPart, call, err)
			continue
		}
		for _, name := range names {
			if slices.Contains(s.Files, name) {
				l.fail(diag.Diagnostic{
					Code: diag.BadPart, Subject: call.Origin.Header, Address: call.Origin.Address,
					Summary: fmt.Sprintf("%s writes %s, which another export of the stage writes, too", call.Type, name),
					Detail:  "Give one of them another name, or export in two stages.",
				})
			}
		}
		s.Files = append(s.Files, names...)
	}
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
