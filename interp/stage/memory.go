package stage

import (
	"math"

	"qpipe/interp/feed"
	"qpipe/ops/engine"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
)

// This file estimates how much memory a stage needs, from its networks and settings alone,
// before anything is allocated. With it, validate can report a stage that will not fit.

// Machine describes the computer that a stage runs on, as far as memory depends on it.
type Machine struct {
	Memory  int64 // bytes that this process may use, 0 if unknown
	Cores   int   // at least one
	Threads int   // computing threads; 0: as the pipeline says, or else one for each core
	Kernels *kernel.Set
	Bound   bool // accept an upper bound on the memory, if that is faster to compute than the exact value
}

// Extent holds what a stage's memory depends on. Batch sizes and numbers of images are 0 if
// the stage has no such data.
type Extent struct {
	Model                  *nn.Graph // after the converters; it needs no parameters
	Before                 *nn.Graph // for a stage that converts to int8: the model that the int8 model is compared with; else nil
	Trains, Calibrates     bool
	TrainBatch, ValBatch   int // at most the number of images
	TrainImages, ValImages int
	Targets                int   // labels and numbers of one sample
	Slots                  int   // state tensors that the optimizer keeps for each parameter
	Averages               bool  // a callback keeps a second set of weights
	Absorbs                bool  // BNs are absorbed or frozen during the stage
	Loads                  bool  // the stage reads a checkpoint
	Held                   int64 // bytes of the data sets that stay in memory
	Sample                 int64 // bytes that a goroutine needs to read a sample
}

// Memory is the largest amount of memory that a stage needs, in bytes, by purpose.
type Memory struct {
	Program    int64 // the program itself
	Data       int64 // images that stay in memory, their order, and what reading takes
	Model      int64 // weights, gradients, the optimizer's state, averaged weights, a checkpoint while it is written
	Training   int64 // a training step (activations, gradients, batches read ahead) or a calibration step
	Validation int64 // a validation step
	Proof      int64 // absorption receipts, or the int8 model's proof: what they need beyond memory that is free by then
	Garbage    int64 // memory that is no longer used and not yet collected
}

// Total returns the sum, and never overflows.
func (n Memory) Total() int64 {
	total := int64(0)
	for _, v := range []int64{n.Program, n.Data, n.Model, n.Training, n.Validation, n.Proof, n.Garbage} {
		total += min(max(v, 0), math.MaxInt64/8)
	}
	return total
}

// programBytes is the size of the program without any network: its code, fonts, tables.
const programBytes = 20 << 20

// MemoryOf estimates the memory that a stage needs.
func MemoryOf(x Extent, m Machine) Memory {
	n := Memory{Program: programBytes, Data: x.Held + 4*int64(x.TrainImages) + int64(readersOn(m.Cores))*x.Sample}
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
		saving = 3 * file // three copies at once: the snapshot, the encoded tensors, the file's bytes
	}
	if x.ValImages > 0 {
		n.Validation = engine.Need(x.Model, x.ValBatch, validation)
		batches = m.ahead(x.Model, x.Targets, x.ValBatch, x.ValImages)
	}
	// A checkpoint is never written while validation batches are in memory: the larger of the two counts.
	if saving > batches {
		n.Model += saving
	} else {
		n.Validation += batches
	}
	n = n.proof(x, m, saving, batches)
	n.Garbage = (n.Total() - n.Program) / garbageShare
	return n
}

// garbageShare says that about one byte is garbage for every seven in use. The garbage collector
// runs when a quarter has been added; less than that builds up, because most memory of a stage is
// allocated once and kept.
const garbageShare = 7

// proof adds the memory of absorption receipts, or of the proof of an int8 model.
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

// use describes a net of the given phase on this machine, for [engine.Need].
func (m Machine) use(ph engine.Phase) engine.Use {
	return engine.Use{Phase: ph, Set: m.Kernels, Workers: max(m.Threads, 1), Bound: m.Bound}
}

// ahead returns the bytes of the batches that a loader holds at a time.
func (m Machine) ahead(g *nn.Graph, targets, batch, images int) int64 {
	steps, sample := (images-1)/max(batch, 1)+1, 8+4*targets // bytes of a sample: its index, its targets
	for _, in := range g.Inputs() {
		sample += 4 * in.Shape.WithN(1).Len()
	}
	return int64(feed.Depth(readersOn(m.Cores), steps)) * times(batch, sample)
}

// answered returns the number of values that the network outputs for one sample.
func answered(g *nn.Graph) int {
	n := 0
	for _, out := range g.Outputs() {
		n += out.Shape.WithN(1).Len()
	}
	return n
}

// EvaluationMemory estimates the bytes that evaluating a model in batches needs. targets is the number of labels and
// numbers of one sample. With keep, the output of every node is kept as well.
func EvaluationMemory(g *nn.Graph, targets, batch, images int, keep bool, m Machine) int64 {
	use := m.use(engine.Eval)
	use.Keep = keep
	m.Cores = 1 // one reader
	n := Memory{Program: programBytes, Model: 3 * g.Bytes(), Validation: engine.Need(g, batch, use) + m.ahead(g, targets, batch, images)}
	return n.Total()
}

// LargestBatch returns the largest batch size whose memory is at most most, or 0 if even a batch of 1 needs more. The
// caller knows that batch itself does not fit.
func LargestBatch(batch int, most int64, memory func(batch int) int64) int {
	if batch <= 1 {
		return 0
	}
	from, to := 1, batch // a batch of from fits, one of to does not
	low, high := memory(from), memory(to)
	if low > most {
		return 0
	}
	for i := 0; to-from > 1; i++ {
		// Memory is nearly in proportion to the batch, so that a straight line between the two ends nearly always hits.
		share := float64(most-low) / float64(max(high-low, 1))
		if i > 2 && i%2 == 1 { // nor does a curve take long
			share = 0.5
		}
		mid := min(max(from+int(share*float64(to-from)), from+1), to-1)
		if m := memory(mid); m <= most {
			from, low = mid, m
		} else {
			to, high = mid, m
		}
	}
	return from
}

// times multiplies; a result too large for an int64 becomes a large number that can still be added to.
func times(a, b int) int64 { return int64(min(float64(a)*float64(b), math.MaxInt64/16)) }
