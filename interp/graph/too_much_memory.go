package graph

import (
	"fmt"

	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/files"
	"qpipe/lang/program"
	"qpipe/ops/kernel/ref"
)

func tooMuchMemory() Rule {
	return Rule{
		About: diag.About{
			Name: "too-much-memory", Code: diag.TooMuchMemory,
			Summary: "a stage needs more memory than the machine has, or than this process may use; the message says for what, and the largest batch that fits",
			Doc:     "Memory depends on the network, the batches, the number of threads and the images. Without this rule, the stage would fail in the middle of a run.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				if d := s.TooMuch(s.Images, p.Machine); d != nil {
					report(d)
				}
			}
		},
	}
}

// Memory estimates the memory that a stage needs on a machine. It is not known yet if the
// number of images is known only after the data was opened.
func (s *Stage) Memory(n Images, m stage.Machine) (need stage.Memory, known bool) {
	if s.Extent == nil || s.Extent.Model == nil {
		return stage.Memory{}, false
	}
	x := *s.Extent
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
		x.ValImages = x.ValBatch // at least so many
	}
	return stage.MemoryOf(x, withKernels(m)), known
}

// withKernels gives a machine without kernels the reference kernels, because the estimate needs some.
func withKernels(m stage.Machine) stage.Machine {
	if m.Kernels == nil {
		m.Kernels = ref.Set()
	}
	return m
}

// TooMuch reports a stage that needs more memory than the machine has. It returns nil if
// the memory is enough, or if one of the two numbers is unknown.
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
	case s.crowded(need, n, m):
		o := s.Settings.Origin
		if place(o, "threads"); len(o.Attrs) == 0 {
			place(s.Origin, "")
		}
		d.Detail = fmt.Sprintf("Every thread needs memory of its own, and there are %d of them. Set threads, or -threads, to a smaller number.", m.Threads)
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
		if held := s.Extent.Held + 4*int64(n.Train); most > 2*held {
			d.Detail = fmt.Sprintf("Most of it, %s, is for decoding several images at the same time, up to %s each. Store the images in a smaller size.", files.Size(most-held), files.Size(s.Extent.Sample))
			break
		}
		d.Detail = fmt.Sprintf("Most of it, %s, is for the images and their order: %d to train on, %d to validate on. Use fewer of them.", files.Size(most), n.Train, n.Val)
	case most == need.Proof:
		place(s.Origin, "")
		d.Detail = fmt.Sprintf("Most of it, %s, is for comparing every node's output with that of another model. Make the network or its images smaller.", files.Size(most))
	default:
		place(s.Stage.Model.Origin, "")
		d.Detail = fmt.Sprintf("Most of it, %s, is for the network itself: weights, gradients, the optimizer's state, checkpoints. Make the network smaller.", files.Size(most))
	}
	return d
}

// crowded reports whether the number of threads is the cause: with one thread, the stage
// would need less than half of the memory.
func (s *Stage) crowded(need stage.Memory, n Images, m stage.Machine) bool {
	if m.Threads <= 1 {
		return false
	}
	m.Threads = 1
	one, _ := s.Memory(n, m)
	return one.Total() < need.Total()/2
}

// resized returns the bytes that the stage needs with other batch sizes. If train is 0, the size of training batches
// stays as it is.
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

// smaller returns the advice for batches that are too large: which size would fit.
func (s *Stage) smaller(what, attr string, batch, images int, bytes int64, total func(batch int) int64, m stage.Machine) string {
	fits := stage.LargestBatch(min(batch, images), m.Memory, total)
	text := fmt.Sprintf("Most of it, %s, is for %s in batches of %d images. ", files.Size(bytes), what, min(batch, images))
	if fits == 0 {
		return text + "Not even a batch of one image fits: make the network or its images smaller."
	}
	return text + fmt.Sprintf("The largest %s that fits is %d.", attr, fits)
}
