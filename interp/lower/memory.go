package lower

import (
	"cmp"
	"slices"

	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// images returns the numbers of images that are known without reading the data.
func images(s *graph.Stage) graph.Images {
	n := graph.Images{}
	if f := s.Data.Train; f != nil && (s.Trainer != nil || s.Calibrator != nil) {
		n.Train = f.Spec.Len
	}
	if f := s.Data.Val; f != nil {
		n.Val = f.Spec.Len
	}
	return n
}

// measure sets what the stage's memory depends on.
func (l *lowerer) measure(s *graph.Stage) {
	x := &stage.Extent{Model: s.Model, Before: s.Before, Trains: s.Trainer != nil, Calibrates: s.Calibrator != nil}
	if t := s.Trainer; t != nil {
		if opt := l.plan.Optimizer(t); opt != nil {
			slots, _ := part.Ask("Slots", opt.Slots) // a panic has been reported
			x.Slots = len(slots)
		}
	}
	for _, c := range s.Callbacks {
		switch c.Args.(type) {
		case program.WeightAverager:
			x.Averages = true
		case program.BNAbsorber, program.BNFreezer:
			x.Absorbs = true
		}
	}
	if s.Convert != nil {
		x.Loads = slices.ContainsFunc(s.Convert.Converters, func(c program.Call) bool {
			sig, ok := l.plan.Catalog.Signature(c.Kind, c.Type)
			return ok && sig.From == program.AnyForm
		})
	}
	for _, f := range []*graph.Feed{s.Data.Train, s.Data.Val} {
		if f != nil {
			x.Sample = max(x.Sample, l.sampleBytes(f))
		}
		if f != nil && !l.opened[f.Set] {
			l.opened[f.Set] = true
			l.held += part.Held(f.Part)
		}
	}
	if f := cmp.Or(s.Data.Train, s.Data.Val); f != nil {
		x.Targets = f.Spec.Labels()
	}
	x.Held = l.held // the data of earlier stages stays in memory
	s.Extent, s.Images, s.Settings = x, images(s), &l.plan.Program.Settings
}

// sampleBytes returns how many bytes a goroutine needs to read a sample of the data. It looks at files once for a data set.
func (l *lowerer) sampleBytes(f *graph.Feed) int64 {
	if _, known := l.samples[f.Set]; !known {
		n, err := part.Ask("SampleBytes", func() int64 { return part.SampleBytes(f.Part, l.folder) })
		if err != nil {
			l.part(diag.BadData, f.Set.Call, err)
		}
		l.samples[f.Set] = n
	}
	return l.samples[f.Set]
}

// beforeInt8 records the model that an int8 model is made from.
func (w *walk) beforeInt8() {
	if w.c.Model.Form() == nn.QAT {
		w.s.Before = w.c.Model
	}
}
