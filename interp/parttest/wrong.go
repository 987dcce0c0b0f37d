package parttest

import (
	"io/fs"

	"qpipe/interp/part"
	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// Wrong is parts that do not keep to their sockets. A function that is set takes the place of a method; every other method
// does what it should.
type Wrong struct {
	Spec      func(s *part.Spec) // changes what the data set declares
	Open      func() (part.Samples, error)
	Len       func() int
	Sample    func(i int, s *part.Sample) error // runs after the sample was read
	Transform func(s *part.Spec)                // changes what the transform declares
	Apply     func(s *part.Sample)
	Build     func(b *nn.Graph) *nn.Graph
	Loss      func(b *part.Batch) float32
	Fits      func() error
	Names     func() []string
	Reset     func()
	Update    func(b *part.Batch)
	Values    func() []float64
	Slots     func() []string
	Step      func(u *part.Update) // the optimizer's Update
	Rate      func(step int) float64
	Callback  part.Callback
	Export    func() []string // the exporter's files
	Make      func()          // runs in the constructor of the data set
	Nothing   bool            // the constructor of the model returns nil
}

// Boom panics as a part does that reads behind the end of a slice.
func Boom() {
	var none []int
	_ = none[len(none)+3]
}

// Catalog is the catalogue of this package with parts that are wrong in the given way. The models and data sets Wrong are
// otherwise like Tiny and Dots, and so are the others.
func (w *Wrong) Catalog() part.Catalog {
	made := func() {
		if w.Make != nil {
			w.Make()
		}
	}
	return append(Catalog(),
		part.DatasetPart("Wrong", "", DotsArgs{N: 40, Size: 6, Classes: 3}, func(a DotsArgs) (part.Dataset, error) { made(); return wrongData{dots{a}, w}, nil }),
		part.TransformPart("Wrong", "", Nothing{}, func(Nothing) (part.Transform, error) { return wrongTransform{w}, nil }),
		part.ModelPart("Wrong", "", Nothing{}, w.model),
		part.LossPart("Wrong", "", Nothing{}, func(Nothing) (part.Loss, error) { return wrongLoss{w}, nil }),
		part.MetricPart("Wrong", "", Nothing{}, func(Nothing) (part.Metric, error) { return &wrongMetric{w: w}, nil }),
		part.OptimizerPart("Wrong", "", SGDArgs{LR: 0.1}, func(a SGDArgs) (part.Optimizer, error) { return wrongOptimizer{sgd{a}, w}, nil }),
		part.LRUpdaterPart("Wrong", "", Nothing{}, func(Nothing) (part.LRUpdater, error) { return wrongRate{w}, nil }),
		part.CallbackPart("Wrong", "", Nothing{}, program.NotTaken, program.NotTaken, func(Nothing) (part.Callback, error) { return w.Callback, nil }),
		part.ExporterPart("Wrong", "", Nothing{}, func(Nothing) (part.Exporter, error) { return wrongExporter{w}, nil }),
	)
}

func (w *Wrong) model(Nothing) (part.Model, error) {
	if w.Nothing {
		return nil, nil
	}
	return wrongModel{w}, nil
}

// Program is Flow with only its first stage, in which every part is Wrong.
func (w *Wrong) Program() *program.Program {
	p, t := Flow()
	p.Stages = p.Stages[:1]
	s := p.Stages[0]
	d, m := p.Datasets[0], p.Models[0]
	d.Call = t.Call(program.DatasetKind, "Wrong", "dataset.Wrong.train", DotsArgs{N: 40, Size: 6, Classes: 3})
	d.Transforms = []program.Call{t.Call(program.TransformKind, "Wrong", "dataset.Wrong.train.transform[0]", Nothing{})}
	m.Call = t.Call(program.ModelKind, "Wrong", "model.Wrong.net", Nothing{})
	s.Trainer.Optimizer = t.Call(program.OptimizerKind, "Wrong", "stage.float.trainer.optimizer", SGDArgs{LR: 0.1})
	updater := t.Call(program.LRUpdaterKind, "Wrong", "stage.float.trainer.lr_updater", Nothing{})
	s.Trainer.LRUpdater = &updater
	s.Trainer.Losses[0].Call = t.Call(program.LossKind, "Wrong", "stage.float.trainer.loss", Nothing{})
	s.Validation.Metrics = append(s.Validation.Metrics, program.Judge{Call: t.Call(program.MetricKind, "Wrong", "stage.float.validation.metric[1]", Nothing{})})
	if w.Callback != nil {
		s.Callbacks = append(s.Callbacks, program.Callback{Call: t.Call(program.CallbackKind, "Wrong", "stage.float.callback.Wrong[0]", Nothing{})})
	}
	if w.Export != nil {
		s.Exports = []program.Call{t.Call(program.ExportKind, "Wrong", "stage.float.export[0]", Nothing{})}
	}
	return p
}

type wrongData struct {
	dots
	w *Wrong
}

func (d wrongData) Spec() part.Spec {
	s := d.dots.Spec()
	if d.w.Spec != nil {
		d.w.Spec(&s)
	}
	return s
}

func (d wrongData) Open(func(string) fs.FS) (part.Samples, error) {
	if d.w.Open != nil {
		return d.w.Open()
	}
	return wrongSamples{dotted{d.dots, 0}, d.w}, nil
}

type wrongSamples struct {
	dotted
	w *Wrong
}

func (s wrongSamples) Len() int {
	if s.w.Len != nil {
		return s.w.Len()
	}
	return s.dotted.Len()
}

func (s wrongSamples) Sample(i int, x *part.Sample) error {
	err := s.dotted.Sample(i, x)
	if err == nil && s.w.Sample != nil {
		err = s.w.Sample(i, x)
	}
	return err
}

type wrongTransform struct{ w *Wrong }

func (t wrongTransform) Spec(in part.Spec) (part.Spec, error) {
	if t.w.Transform != nil {
		t.w.Transform(&in)
	}
	return in, nil
}

func (t wrongTransform) Apply(s *part.Sample, _ *part.Rand) {
	if t.w.Apply != nil {
		t.w.Apply(s)
	}
}

type wrongModel struct{ w *Wrong }

func (m wrongModel) Build(in []tensor.Shape) (*nn.Graph, error) {
	g, err := tiny{TinyArgs{Classes: 3, Width: 4}}.Build(in)
	if err == nil && m.w.Build != nil {
		g = m.w.Build(g)
	}
	return g, err
}

type wrongLoss struct{ w *Wrong }

func (l wrongLoss) Loss(b *part.Batch) float32 {
	if l.w.Loss != nil {
		return l.w.Loss(b)
	}
	return softmax{}.Loss(b)
}

func (l wrongLoss) Fits(outputs []nn.Port, targets []part.TargetSpec) error {
	if l.w.Fits != nil {
		return l.w.Fits()
	}
	return part.FitsLabels(outputs, targets)
}

type wrongMetric struct {
	accuracy
	w *Wrong
}

func (m *wrongMetric) Names() []string {
	if m.w.Names != nil {
		return m.w.Names()
	}
	return []string{"right"}
}

func (m *wrongMetric) Reset() {
	if m.accuracy.Reset(); m.w.Reset != nil {
		m.w.Reset()
	}
}

func (m *wrongMetric) Update(b *part.Batch) {
	if m.accuracy.Update(b); m.w.Update != nil {
		m.w.Update(b)
	}
}

func (m *wrongMetric) Values() []float64 {
	if m.w.Values != nil {
		return m.w.Values()
	}
	return m.accuracy.Values()
}

type wrongOptimizer struct {
	sgd
	w *Wrong
}

func (o wrongOptimizer) Slots() []string {
	if o.w.Slots != nil {
		return o.w.Slots()
	}
	return o.sgd.Slots()
}

func (o wrongOptimizer) Update(u *part.Update) {
	if o.sgd.Update(u); o.w.Step != nil {
		o.w.Step(u)
	}
}

type wrongRate struct{ w *Wrong }

func (r wrongRate) LR(base float64, p part.Progress) float64 {
	if r.w.Rate != nil {
		return r.w.Rate(p.Step)
	}
	return base
}

type wrongExporter struct{ w *Wrong }

func (x wrongExporter) Files() []string             { return x.w.Export() }
func (x wrongExporter) Export(e *part.Export) error { return e.Write(x.w.Export()[0], []byte("x")) }
