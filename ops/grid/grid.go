// Package grid is common to all nodes of a network that compute with float32 and an integer grid: activations as codes
// or as values, the division of work into chunks, and the last part of a node's forward pass, which fills an output,
// shows it to the observer and quantizes it with the gradient's mask. It knows slices, but no nodes and no graph.
package grid

import (
	"qpipe/ops/kernel"
	"qpipe/ops/quant"
)

// Value is an activation tensor as the next nodes read it: values, or with On codes whose values are (code -
// Q.Zero)·Q.Scale.
type Value struct {
	Data   []float32
	Codes  []uint8
	OnGrid bool
	Format kernel.Quant

	// Remake, unless nil, recomputes the values e0 to e1: Data is only valid until the forward pass has finished with
	// it.
	Remake func(e0, e1 int, dst []float32)
}

// Unit is what 1 in the tensor's integers (minus the zero point) is in real values: its scale, or 1 for a tensor of
// values.
func (v *Value) Unit() float32 {
	if v.OnGrid {
		return v.Format.Scale
	}
	return 1
}

// Operand returns elements e0 to e1 as kernels read them; no operand for a nil value.
func (v *Value) Operand(e0, e1 int) kernel.Operand {
	switch {
	case v == nil:
		return kernel.Operand{}
	case v.OnGrid:
		return kernel.Operand{Q: v.Codes[e0:e1], Zero: v.Format.Zero, Scale: v.Format.Scale}
	}
	return kernel.Operand{F: v.Data[e0:e1]}
}

// Grad is where a gradient is written: nowhere with nil Data; Add adds to what is there.
type Grad struct {
	Data []float32
	Add  bool
}

// Step says what a forward pass includes.
type Step struct {
	Train    bool   // batch statistics, and what the backward pass needs is kept
	Observe  bool   // observers see the outputs
	Quantize bool   // weights and outputs are quantized
	Key      uint64 // of what a training step draws at random
}

// Workers runs tasks, each exactly once, and returns when all are done. Which
// worker runs which task must not matter.
type Workers interface {
	Run(tasks int, f func(task, worker int))
	Size() int
}

// Machine is what nodes compute with. Each worker has a Scratch for the kernels and a Block for the nodes. The other
// fields belong to the node that is running: whole temporary tensors (Values, Acc, and Plain for an operand's codes as
// float32), partial weight gradients, and channel sums and extremes of chunks.
type Machine struct {
	Set     *kernel.Set
	Workers Workers
	Scratch []*kernel.Scratch
	Block   []*kernel.Scratch
	Values  []float32
	Acc     []int32
	Plain   []float32
	Parts   []float32
	Sums    []float64
	Ends    []float32
}

// Partial returns the zeroed sums of chunk i over c channels.
func (m *Machine) Partial(i, c int) (sum, prod []float64) {
	clear(m.Sums[i*2*c : (i+1)*2*c])
	return m.Sum(i, c)
}

// Sum returns the sums of chunk i over c channels as they are.
func (m *Machine) Sum(i, c int) (sum, prod []float64) {
	s := m.Sums[i*2*c : (i+1)*2*c]
	return s[:c], s[c:]
}

// Total adds up the sums of channel k of c over the chunks, in order.
func (m *Machine) Total(chunks, c, k int) (sum, prod float64) {
	for i := range chunks {
		sum += m.Sums[i*2*c+k]
		prod += m.Sums[(i*2+1)*c+k]
	}
	return sum, prod
}

// Extremes returns the channels' extremes of chunk i over c channels.
func (m *Machine) Extremes(i, c int) (lo, hi []float32) {
	s := m.Ends[i*2*c : (i+1)*2*c]
	return s[:c], s[c:]
}

// Channel returns the extremes of channel k of c over the chunks; NaN if one is.
func (m *Machine) Channel(chunks, c, k int) (lo, hi float32) {
	lo, hi = m.Ends[k], m.Ends[c+k]
	for i := 1; i < chunks; i++ {
		lo, hi = min(lo, m.Ends[i*2*c+k]), max(hi, m.Ends[(i*2+1)*c+k])
	}
	return lo, hi
}

// maxChunks bounds the number of partial results that are reduced.
const maxChunks = 64

// Cut divides rows into chunks. It depends only on the shape, so that reductions over chunks do not depend on the
// number of workers.
type Cut struct{ Rows, Step, N int }

// leastChunk is how many elements a chunk has at least: with fewer a
// kernel's preparations cost too much.
const leastChunk = 8192

// NewCut cuts rows of width elements into at most 64 chunks of at least leastChunk
// elements, which begin at multiples of eight elements, where a mask has a byte.
func NewCut(rows, width int) Cut {
	step := max((rows+maxChunks-1)/maxChunks, (leastChunk-1+width)/width, 1)
	whole := Whole(width)
	step = (step + whole - 1) / whole * whole
	return Cut{rows, step, (rows + step - 1) / step}
}

// Whole is the smallest number of pieces of size elements that fill whole bytes of a mask.
func Whole(size int) int {
	n := 8
	for n > 1 && size%2 == 0 {
		n, size = n/2, size/2
	}
	return n
}

// Chunks is the largest number of chunks that NewCut makes.
func Chunks() int { return maxChunks }

// Range returns the rows of chunk i.
func (c Cut) Range(i int) (r0, r1 int) { return i * c.Step, min((i+1)*c.Step, c.Rows) }

// Spread collects the smallest and the largest value over chunks.
type Spread struct{ lo, hi [maxChunks]float32 }

// Set notes the extremes of chunk i.
func (e *Spread) Set(i int, lo, hi float32) { e.lo[i], e.hi[i] = lo, hi }

// Of returns those of the first n chunks; NaN if there is one.
func (e *Spread) Of(n int) (lo, hi float32) {
	lo, hi = e.lo[0], e.hi[0]
	for i := 1; i < n; i++ {
		lo, hi = min(lo, e.lo[i]), max(hi, e.hi[i])
	}
	return lo, hi
}

// Offset is added to a signed code that is stored as a byte.
const Offset = 128

// Format returns how a quant node's range quantizes, with codes as they are stored in bytes. On says whether it
// quantizes at all, codes whether codes fit into a byte.
func Format(n *quant.Node) (q kernel.Quant, on, codes bool) {
	if !n.On() {
		return kernel.Quant{}, false, false
	}
	scale, zero := n.Scale()
	return Stored(n.Spec, scale, zero), true, Coded(n.Spec)
}

// Coded reports whether a tensor of this type is stored as bytes.
func Coded(s quant.Spec) bool { return s.Quantized() && s.DType != quant.Int16 }

// Stored is the quantization with the given scale and zero point, with codes as they are stored in bytes if they fit.
func Stored(s quant.Spec, scale float32, zero int32) kernel.Quant {
	q := s.Params(scale, zero)
	if Coded(s) && s.DType != quant.UInt8 {
		q.Zero, q.Min, q.Max = q.Zero+Offset, q.Min+Offset, q.Max+Offset
	}
	return q
}

// Plain converts a code or zero point as stored in bytes back to the type's own codes.
func Plain(s quant.Spec, code int32) int32 {
	if Coded(s) && s.DType != quant.UInt8 {
		return code - Offset
	}
	return code
}

// Requant is the epilogue for codes q, with an activation and a second operand z (nil without one). Unit is the
// accumulator's unit by channel; the epilogue's multipliers are written to m.
func Requant(unit, m []float32, z *Value, q kernel.Quant, act kernel.Act) kernel.Requant {
	for c, u := range unit {
		m[c] = u / q.Scale
	}
	r := kernel.Requant{M: m, Zero: q.Zero, Min: q.Min, Max: q.Max, Act: act, HalfUp: q.HalfUp}
	r.Six = Six(q)
	r.Floor, r.Ceil = q.Gate(act)
	if z != nil {
		r.MZ, r.ZZero = z.Format.Scale/q.Scale, z.Format.Zero
	}
	return r
}

// Six is the code of 6.0, or the largest code if 6.0 is beyond it.
func Six(q kernel.Quant) int32 {
	return int32(min(q.Round(6/q.Scale)+float32(q.Zero), float32(q.Max)))
}
