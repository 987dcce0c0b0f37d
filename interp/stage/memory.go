package stage

import (
	"math"

	"qpipe/interp/feed"
	"qpipe/ops/engine"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
)

// Machine is what a stage runs on, as far as it matters for its memory.
type Machine struct {
	Memory  int64 // bytes that this process may have, 0 where that is not known
	Cores   int   // at least one
	Threads int   // that compute; 0: as the pipeline says, else one a core
	Kernels *kernel.Set
	Bound   bool // no less memory than is needed is good enough, as long as it is found fast
}

// Extent is what a stage's memory follows from, before anything is made. Batches and
// images are 0 where the stage has none.
type Extent struct {
	Model                    *nn.Graph // after the converters; parameters are not needed
	Before                   *nn.Graph // what an int8 model is proved against, nil for another stage
	Trains, Calibrates       bool
	TrainBatch, ValBatch     int // not more than there are images
	TrainImages, ValImages   int
	Targets                  int  // labels and numbers that a sample has
	Slots                    int  // state tensors of a parameter
	Averages, Absorbs, Loads bool // a second set of weights; BNs go or freeze; a checkpoint is read
	Held                     int64
}

// Memory is what a stage takes at its peak, in bytes, by what it is for.
type Memory struct {
	Program    int64 // the program itself
	Data       int64 // images that lie in memory, and their order
	Model      int64 // weights, gradients, the optimizer's state, averaged weights, checkpoints in the making
	Training   int64 // a training step: activations, gradients, batches ahead; or a calibration step
	Validation int64
	Proof      int64 // receipts and the int8 model's proof, beyond what is free by then
	Garbage    int64 // what nobody uses any more, and is not collected yet
}

// Total is the sum, which does not overflow.
func (n Memory) Total() int64 {
	total := int64(0)
	for _, v := range []int64{n.Program, n.Data, n.Model, n.Training, n.Validation, n.Proof, n.Garbage} {
		total += min(max(v, 0), math.MaxInt64/8)
	}
	return total
}

// programBytes is what the program has without any network: its code, fonts, tables.
const programBytes = 20 << 20

// MemoryOf says what a stage takes.
func MemoryOf(x Extent, m Machine) Memory {
	n := Memory{Program: programBytes, Data: x.Held + 4*int64(x.TrainImages)}
	all, trainable := x.Model.FileBytes()
	n.Model = x.Model.Bytes()
	file := all
	if x.Trains {
		n.Model += int64(x.Slots) * trainable
		file += int64(x.Slots) * trainable
	}
	if x.Averages {
		n.Model += x.Model.Bytes()
		file += all
	}
	if x.Loads {
		n.Model += file
	}
	training, calibration, validation := m.use(engine.Train), m.use(engine.Calibrate), m.use(engine.Eval)
	switch {
	case x.Trains:
		n.Training = engine.Need(x.Model, x.TrainBatch, training) + 4*times(x.TrainBatch, answered(x.Model)) + m.ahead(x.Model, x.Targets, x.TrainBatch, x.TrainImages)
	case x.Calibrates:
		n.Training = engine.Need(x.Model, x.TrainBatch, calibration) + m.ahead(x.Model, x.Targets, x.TrainBatch, x.TrainImages)
	}
	saving, batches := int64(0), int64(0)
	if x.Trains || x.Calibrates {
		saving = 3 * file // the snapshot, its tensors' bytes, the file
	}
	if x.ValImages > 0 {
		n.Validation = engine.Need(x.Model, x.ValBatch, validation)
		batches = m.ahead(x.Model, x.Targets, x.ValBatch, x.ValImages)
	}
	// What is only there for a while does not meet.
	if saving > batches {
		n.Model += saving
	} else {
		n.Validation += batches
	}
	n = n.proof(x, m, saving, batches)
	n.Garbage = (n.Total() - n.Program) / garbageShare
	return n
}

// garbageShare is what part of all is garbage, about: the program collects it when it
// is a quarter, and most of what a stage has stays.
const garbageShare = 7

// proof adds what receipts take, or the proof of an int8 model.
func (n Memory) proof(x Extent, m Machine, saving, batches int64) Memory {
	keeping := m.use(engine.Eval)
	keeping.Keep = true
	switch {
	case x.Before != nil:
		took := 3*x.Before.Bytes() + engine.Need(x.Before, probeImages, keeping) + engine.Need(x.Model, probeImages, keeping)
		n.Proof = max(took-n.Validation, 0)
	case x.Absorbs:
		took := 2 * engine.Need(x.Model, probeImages, keeping)
		n.Proof = max(took-max(saving, batches), 0)
	}
	return n
}

func (m Machine) use(ph engine.Phase) engine.Use {
	return engine.Use{Phase: ph, Set: m.Kernels, Workers: max(m.Threads, 1), Bound: m.Bound}
}

// ahead is what the batches take that a loader goes round with.
func (m Machine) ahead(g *nn.Graph, targets, batch, images int) int64 {
	steps, sample := (images-1)/max(batch, 1)+1, 8+4*targets // the index, and what the network should answer
	for _, in := range g.Inputs() {
		sample += 4 * in.Shape.WithN(1).Len()
	}
	return int64(feed.Depth(readersOn(m.Cores), steps)) * times(batch, sample)
}

// answered is the number of values that the network gives for a sample.
func answered(g *nn.Graph) int {
	n := 0
	for _, out := range g.Outputs() {
		n += out.Shape.WithN(1).Len()
	}
	return n
}

// EvaluationMemory is what the evaluation of a model in batches takes, on samples with so many targets, with every
// node's output if keep is set.
func EvaluationMemory(g *nn.Graph, targets, batch, images int, keep bool, m Machine) int64 {
	use := m.use(engine.Eval)
	use.Keep = keep
	m.Cores = 1 // one reader
	n := Memory{Program: programBytes, Model: 3 * g.Bytes(), Validation: engine.Need(g, batch, use) + m.ahead(g, targets, batch, images)}
	return n.Total()
}

// LargestBatch is the largest one from 1 to below batch, which does not fit, whose memory
// is at most most; 0 for none.
func LargestBatch(batch int, most int64, memory func(batch int) int64) int {
	from, to := 0, batch // from fits, or is 0; to does not
	for to-from > 1 {
		if mid := from + (to-from)/2; memory(mid) <= most {
			from = mid
		} else {
			to = mid
		}
	}
	return from
}

// times multiplies without overflow.
func times(a, b int) int64 { return int64(min(float64(a)*float64(b), math.MaxInt64/16)) }
