package graph

import (
	"fmt"
	"slices"

	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/files"
	"qpipe/lang/program"
	"qpipe/ops/kernel/ref"
	"qpipe/ops/nn"
)

// Images is how many images the data of a stage have, -1 where that is not known.
type Images struct{ Train, Val int }

// images is what the data sets say without being read.
func (l *lowerer) images(s *Stage) Images {
	n := Images{}
	if f := l.feed(s.Train); f != nil && s.steps() {
		n.Train = f.spec.Len
	}
	if f := l.feed(s.Val); f != nil {
		n.Val = f.spec.Len
	}
	return n
}

// steps reports whether the stage trains or calibrates.
func (s *Stage) steps() bool { return s.Trainer != nil || s.Calibrator != nil }

// measure finds out what the stage's memory follows from.
func (l *lowerer) measure(s *Stage) {
	x := &stage.Extent{Model: s.Model, Before: s.before, Trains: s.Trainer != nil, Calibrates: s.Calibrator != nil}
	if t := s.Trainer; t != nil {
		if opt := l.optimizer(t); opt != nil {
			x.Slots = len(opt.Slots())
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
	for _, d := range []*program.Dataset{s.Train, s.Val} {
		if f := l.feed(d); f != nil && !l.opened[d] {
			l.opened[d] = true
			l.held += stage.Held(f.part)
		}
	}
	x.Held = l.held // data of the stages before stay open
	s.extent, s.Images, s.settings = x, l.images(s), &l.plan.Program.Settings
}

// Memory is what a stage takes on a machine, and whether that is known: its data may
// have to be opened first.
func (s *Stage) Memory(n Images, m stage.Machine) (need stage.Memory, known bool) {
	if s.extent == nil || s.extent.Model == nil {
		return stage.Memory{}, false
	}
	x := *s.extent
	x.TrainImages, x.ValImages, known = max(n.Train, 0), max(n.Val, 0), n.Train >= 0 && n.Val >= 0
	size := func(batch int, images int) int {
		if images < 0 {
			return batch
		}
		return min(batch, images)
	}
	switch {
	case s.Trainer != nil:
		x.TrainBatch = size(s.Trainer.BatchSize, n.Train)
	case s.Calibrator != nil:
		x.TrainBatch = size(s.Calibrator.BatchSize, n.Train)
	}
	if x.ValBatch = size(s.Validation.BatchSize, n.Val); n.Val < 0 {
		x.ValImages = x.ValBatch // at least
	}
	return stage.MemoryOf(x, withKernels(m)), known
}

// withKernels makes a machine without kernels one that can be reckoned with.
func withKernels(m stage.Machine) stage.Machine {
	if m.Kernels == nil {
		m.Kernels = ref.Set()
	}
	return m
}

// TooMuch reports a stage that takes more memory than the machine has, nil where it
// does not, or where the one or the other is not known.
func (s *Stage) TooMuch(n Images, m stage.Machine) *diag.Diagnostic {
	if m.Memory <= 0 {
		return nil
	}
	m.Bound = true
	if most, known := s.Memory(n, m); !known || most.Total() <= m.Memory {
		return nil
	}
	m.Bound = false
	need, _ := s.Memory(n, m)
	if need.Total() <= m.Memory {
		return nil
	}
	d := &diag.Diagnostic{
		Code:    diag.TooMuchMemory,
		Summary: fmt.Sprintf("stage %q needs about %s of memory, and this machine has %s", s.Name, files.Size(need.Total()), files.Size(m.Memory)),
	}
	place := func(o program.Origin, attr string) { d.Subject, d.Address = o.At(attr), o.Address }
	switch most := max(need.Training, need.Validation, need.Model, need.Data, need.Proof); {
	case s.crowded(n, m):
		o := s.settings.Origin
		if place(o, "threads"); len(o.Attrs) == 0 {
			place(s.Origin, "")
		}
		d.Detail = fmt.Sprintf("Every thread has room of its own, and there are %d of them. Set threads, or -threads, to a smaller number.", m.Threads)
	case most == need.Training && s.Trainer != nil:
		place(s.Trainer.Origin, "batch_size")
		d.Detail = s.smaller("training", "batch_size", s.Trainer.BatchSize, n.Train, need.Training, func(b int) int64 {
			return s.resized(b, s.Validation.BatchSize, n, m)
		}, m)
	case most == need.Training:
		place(s.Calibrator.Origin, "batch_size")
		d.Detail = s.smaller("calibration", "batch_size", s.Calibrator.BatchSize, n.Train, need.Training, func(b int) int64 {
			return s.resized(b, s.Validation.BatchSize, n, m)
		}, m)
	case most == need.Validation:
		place(s.Validation.Origin, "batch_size")
		d.Detail = s.smaller("validation", "validation { batch_size }", s.Validation.BatchSize, n.Val, need.Validation, func(b int) int64 {
			return s.resized(0, b, n, m)
		}, m)
	case most == need.Data:
		set := s.Train
		if n.Train < n.Val || set == nil {
			set = s.Val
		}
		place(set.Origin, "")
		d.Detail = fmt.Sprintf("Most of it, %s, is for the images and their order: %d to train on, %d to validate on. Use fewer of them.", files.Size(most), n.Train, n.Val)
	case most == need.Proof:
		place(s.Origin, "")
		d.Detail = fmt.Sprintf("Most of it, %s, is for holding every node's output against those of another model. Make the network or its images smaller.", files.Size(most))
	default:
		place(s.Stage.Model.Origin, "")
		d.Detail = fmt.Sprintf("Most of it, %s, is for the network itself: weights, gradients, the optimizer's state, checkpoints. Make the network smaller.", files.Size(most))
	}
	return d
}

// crowded reports whether it is the number of threads that takes most.
func (s *Stage) crowded(n Images, m stage.Machine) bool {
	all, _ := s.Memory(n, m)
	m.Threads = 1
	one, _ := s.Memory(n, m)
	return one.Total() < all.Total()/2
}

// resized is what the stage takes with other batches; 0 leaves them as they are.
func (s *Stage) resized(train, val int, n Images, m stage.Machine) int64 {
	with, inside := *s, *s.Stage
	with.Stage = &inside
	if t := s.Trainer; t != nil && train > 0 {
		copied := *t
		copied.BatchSize, inside.Trainer = train, &copied
	}
	if c := s.Calibrator; c != nil && train > 0 {
		copied := *c
		copied.BatchSize, inside.Calibrator = train, &copied
	}
	inside.Validation.BatchSize = val
	need, _ := with.Memory(n, m)
	return need.Total()
}

// smaller says what to do about batches that are too large.
func (s *Stage) smaller(what, attr string, batch, images int, bytes int64, total func(batch int) int64, m stage.Machine) string {
	fits := stage.LargestBatch(min(batch, images), m.Memory, total)
	text := fmt.Sprintf("Most of it, %s, is for %s in batches of %d images. ", files.Size(bytes), what, min(batch, images))
	if fits == 0 {
		return text + "Not even a batch of one image fits: make the network or its images smaller."
	}
	return text + fmt.Sprintf("The largest %s that fits is %d.", attr, fits)
}

// tooMuch is TooMuch while lowering.
func (l *lowerer) tooMuch(s *Stage) {
	if d := s.TooMuch(s.Images, l.plan.Machine); d != nil {
		l.fail(*d)
	}
}

// beforeInt8 notes the model that an int8 model is made from.
func (w *walk) beforeInt8() {
	if w.c.Model.Form() == nn.QAT {
		w.s.before = w.c.Model
	}
}
