// Package grid holds activations on an integer grid while training quantized:
// codes kept in float32, where sums of products stay exact up to 2^24, beside
// plain float32 values. It has the loops that the nodes of a network share:
// quantize with the gradient's mask, the int8 epilogue on float32 accumulators,
// the cut of work into chunks. It knows slices; no nodes and no graph.
package grid

import (
	"qpipe/ops/kernel"
	"qpipe/ops/quant"
)

// Value is an activation tensor as the next nodes read it: values, or with On
// codes less their zero point, each worth Q.Scale.
type Value struct {
	Data []float32
	On   bool
	Q    kernel.Quant
}

// Unit is what 1 in Data is worth.
func (v *Value) Unit() float32 {
	if v.On {
		return v.Q.Scale
	}
	return 1
}

// MaxCode is the largest magnitude in Data of a value on a grid.
func (v *Value) MaxCode() float64 {
	return float64(max(v.Q.Max-v.Q.Zero, v.Q.Zero-v.Q.Min))
}

// Step says what a forward pass does.
type Step struct {
	Train    bool // batch statistics, and what the backward pass needs is kept
	Observe  bool // observers see the outputs
	Quantize bool // weights and outputs are quantized
}

// Workers runs tasks, each exactly once, and returns when all are done. Which
// worker runs which task must not matter.
type Workers interface {
	Run(tasks int, f func(task, worker int))
	Size() int
}

// Machine is what nodes compute with. Scratch is per worker; Parts, Sums,
// Codes and Acc hold partial weight gradients and channel sums, int8 operands and int32 accumulators of the node that is running.
type Machine struct {
	Set     *kernel.Set
	Pool    Workers
	Scratch [][]float32
	Bytes   [][]byte
	Parts   []float32
	Sums    []float64
	Codes   []int8
	Acc     []int32
}

// Partial returns the zeroed sums of chunk i over c channels.
func (m *Machine) Partial(i, c int) (sum, prod []float64) {
	s := m.Sums[i*2*c : (i+1)*2*c]
	clear(s)
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

// maxChunks bounds the number of partial results that are reduced.
const maxChunks = 64

// Cut divides rows into chunks. It is a function of the shape alone, so that
// what is reduced over chunks does not depend on the number of workers.
type Cut struct{ Rows, Step, N int }

// NewCut cuts rows of width elements into at most 64 chunks of at least 1,024 elements.
func NewCut(rows, width int) Cut {
	step := max((rows+maxChunks-1)/maxChunks, (1023+width)/width, 1)
	return Cut{rows, step, (rows + step - 1) / step}
}

// Chunks is the largest number of chunks that NewCut makes.
func Chunks() int { return maxChunks }

// Range returns the rows of chunk i.
func (c Cut) Range(i int) (r0, r1 int) { return i * c.Step, min((i+1)*c.Step, c.Rows) }

// Extremes collects the smallest and the largest value over chunks.
type Extremes struct{ lo, hi [maxChunks]float32 }

// Set notes the extremes of chunk i.
func (e *Extremes) Set(i int, lo, hi float32) { e.lo[i], e.hi[i] = lo, hi }

// Of returns those of the first n chunks; NaN if there is one.
func (e *Extremes) Of(n int) (lo, hi float32) {
	lo, hi = e.lo[0], e.hi[0]
	for i := 1; i < n; i++ {
		lo, hi = min(lo, e.lo[i]), max(hi, e.hi[i])
	}
	return lo, hi
}

// Format returns how a quant node's range quantizes, with codes as int8 holds
// them (uint8 codes less 128). On tells whether it quantizes at all, codes whether codes fit into int8.
func Format(n *quant.Node) (q kernel.Quant, on, codes bool) {
	if !n.On() {
		return kernel.Quant{}, false, false
	}
	scale, zero := n.Scale()
	return Stored(n.Spec, scale, zero), true, n.Spec.DType != quant.Int16
}

// Stored is the quantization with the given scale and zero point, with codes as
// int8 holds them.
func Stored(s quant.Spec, scale float32, zero int32) kernel.Quant {
	q := s.Params(scale, zero)
	if s.DType == quant.UInt8 {
		q.Zero, q.Min, q.Max = q.Zero-128, q.Min-128, q.Max-128
	}
	return q
}
