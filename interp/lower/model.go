package lower

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/files"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// modelKey has everything that a network depends on.
type modelKey struct {
	model *program.Model
	data  string // the inputs and targets of the data
}

// model builds a model for the data, once for each kind of data. It returns nil after a mistake,
// which it reports.
func (l *lowerer) model(m *program.Model, f *graph.Feed) *part.Built {
	if m == nil {
		return nil
	}
	key := modelKey{m, f.Spec.InputText() + " -> " + f.Spec.TargetText()}
	built, known := l.models[key]
	if known {
		return built
	}
	l.models[key] = nil
	if built = l.build(m, f); built == nil {
		return nil
	}
	l.normalized(m, f, built.Inputs)
	l.models[key] = built
	return built
}

// build builds a model for the data. It returns nil after a mistake, which it reports, or which lang/check has reported.
func (l *lowerer) build(m *program.Model, f *graph.Feed) *part.Built {
	if _, known := l.plan.Catalog.Signature(m.Kind, m.Type); !known || m.Args == nil || partial(m) {
		return nil
	}
	model, err := part.New[part.Model](l.plan.Catalog, m.Call)
	var built *part.Built
	if err == nil {
		built, err = part.Build(model, f.Spec.Shapes(), l.folder)
	}
	if err != nil {
		l.misfits(m, f, err)
		return nil
	}
	return built
}

// partial reports whether inputs or layers of a network are missing, after mistakes that lang/check has reported.
func partial(m *program.Model) bool {
	n := m.Network()
	return n != nil && n.Partial
}

// folder returns the file system of a folder; root is relative to the pipeline's folder.
func (l *lowerer) folder(root string) fs.FS {
	return files.Folder(l.plan.Program.Path(root))
}

// normalized warns of images that are normalized differently from those that the model's weights were trained on.
func (l *lowerer) normalized(m *program.Model, f *graph.Feed, trained []part.Preprocessing) {
	own := f.Spec.Preprocessing()
	i := part.OtherValues(own, trained)
	if i < 0 {
		return
	}
	l.fail(diag.Diagnostic{
		Code: diag.OtherValues, Severity: diag.Warning, Subject: f.Set.Origin.Header, Address: f.Set.Origin.Address,
		Summary: fmt.Sprintf("the images are normalized with %s, but the weights that %s brings were trained with %s", own[i].Normalization(), m.Type, trained[i].Normalization()),
		Detail:  "The network gets other values than its weights were trained on. Give the data set the same Normalize.",
		Related: []diag.Related{{Message: "the model", Range: m.Origin.Header}},
	})
}

// misfits reports why a model cannot be built for the data: each place in the text once, however many layers are written by it.
func (l *lowerer) misfits(m *program.Model, f *graph.Feed, err error) {
	said, others := map[diag.Range]*diag.Diagnostic{}, map[diag.Range]int{}
	for _, err := range part.All(err) {
		d := unbuildable(m, f, err)
		if others[d.Subject]++; said[d.Subject] == nil {
			said[d.Subject] = &d
			l.list = append(l.list, &d)
		}
	}
	for at, d := range said {
		if n := others[at] - 1; n > 0 {
			d.Summary += fmt.Sprintf(" (and so %s made from the same text)", part.Count(n, "other layer"))
		}
	}
}

// unbuildable is one reason.
func unbuildable(m *program.Model, f *graph.Feed, err error) diag.Diagnostic {
	at, err := place(m.Origin, err)
	d := diag.Diagnostic{
		Code: diag.ModelMisfit, Subject: at, Address: m.Origin.Address,
		Summary: fmt.Sprintf("%s: %v", m.Type, err),
		Detail:  fmt.Sprintf("The model is built for images of %s.", f.Spec.InputText()),
	}
	if f.Set != nil {
		d.Related = []diag.Related{{Message: "where the images come from", Range: f.Set.Origin.Header}}
	}
	panics(&d, err)
	var shape *nn.ShapeError
	if errors.As(err, &shape) {
		d.Module, d.Detail = shape.Node, strings.TrimSpace(shape.Way+" "+d.Detail)
		if m.Network() != nil {
			d.Summary = err.Error()
		}
	}
	return d
}
