package grid

import (
	"qpipe/ops/kernel"
	"qpipe/ops/quant"
)

// Output is the last part of a node's forward pass: it fills the output chunk by
// chunk, lets the observer see it, and quantizes it. An owner that has the int8
// model's own expression (exact) writes codes itself.
type Output struct {
	Out  []float32
	Mask []uint8 // where the gradient passes; nil where no backward pass follows
	Act  kernel.Act

	// Fill writes chunk i's values, or codes and, unless it is nil, their mask.
	Fill func(i, worker int, codes bool, mask []uint8)
	// Target is told the quantization before codes are filled.
	Target func(q kernel.Quant)
	// Format, unless nil, says how the output is quantized in the place of the node's range.
	Format func(q *quant.Node) (f kernel.Quant, on, codes bool)

	Q         kernel.Quant
	On, Codes bool // quantized; and as codes
	Masked    bool // Mask holds the gate
	Cut       Cut

	m                   *Machine
	width               int
	exact               bool
	observe             bool
	ext                 Extremes
	fillTask, quantTask func(i, worker int)
}

// Init binds the output to its machine.
func (o *Output) Init(m *Machine) {
	o.m, o.fillTask, o.quantTask = m, o.fillChunk, o.quantChunk
}

// Bind settles the cut into chunks ahead of Forward.
func (o *Output) Bind(rows, width int) { o.Cut, o.width = NewCut(rows, width), width }

// Forward runs it over rows of width elements.
func (o *Output) Forward(rows, width int, st Step, q *quant.Node, exact bool) Value {
	o.Bind(rows, width)
	o.exact = exact
	o.observe = st.Observe && q.Observing()
	o.On, o.Codes, o.Masked, o.Q = false, false, false, kernel.Quant{}
	if !o.observe {
		o.settle(st, q)
	}
	o.m.Pool.Run(o.Cut.N, o.fillTask)
	if o.observe {
		lo, hi := o.ext.Of(o.Cut.N)
		q.Observe(o.Out[:rows*width], lo, hi)
		o.settle(st, q)
		if o.On {
			o.m.Pool.Run(o.Cut.N, o.quantTask)
		}
	}
	return Value{Data: o.Out, On: o.Codes, Q: o.Q}
}

// settle decides how the output is quantized.
func (o *Output) settle(st Step, q *quant.Node) {
	if !st.Quantize {
		return
	}
	if o.Format != nil {
		o.Q, o.On, o.Codes = o.Format(q)
	} else {
		o.Q, o.On, o.Codes = Format(q)
	}
	o.Masked = o.On && st.Train
	if o.exact && o.Codes {
		o.Target(o.Q)
	}
}

// Range returns the output elements of chunk i.
func (o *Output) Range(i int) (e0, e1 int) {
	r0, r1 := o.Cut.Range(i)
	return r0 * o.width, r1 * o.width
}

func (o *Output) mask(e0, e1 int) []uint8 {
	if !o.Masked {
		return nil
	}
	return o.Mask[e0:e1]
}

func (o *Output) fillChunk(i, worker int) {
	e0, e1 := o.Range(i)
	if o.exact && o.Codes && !o.observe {
		o.Fill(i, worker, true, o.mask(e0, e1))
		return
	}
	o.Fill(i, worker, false, nil)
	out := o.Out[e0:e1]
	switch {
	case o.observe:
		lo, hi := o.m.Set.MinMax(out)
		o.ext.Set(i, lo, hi)
	case o.On:
		Quantize(out, out, o.mask(e0, e1), o.Q, o.Act, !o.Codes)
	}
}

func (o *Output) quantChunk(i, worker int) {
	e0, e1 := o.Range(i)
	if o.exact && o.Codes {
		o.Fill(i, worker, true, o.mask(e0, e1))
		return
	}
	out := o.Out[e0:e1]
	Quantize(out, out, o.mask(e0, e1), o.Q, o.Act, !o.Codes)
}

// Gate takes the gradient g of chunk i back through the quantization and the
// activation, in place.
func (o *Output) Gate(i int, g []float32) {
	e0, e1 := o.Range(i)
	switch {
	case o.Masked:
		Gate(g, o.Mask[e0:e1])
	case o.Act != kernel.None:
		o.m.Set.ActBackward(o.Out[e0:e1], g, g, o.Act)
	}
}
