package grid

import (
	"qpipe/ops/kernel"
	"qpipe/ops/quant"
)

// Output is the last part of a node's forward pass: it fills the output chunk by chunk, shows it to the observer, and
// quantizes it.
type Output struct {
	Out   []float32 // the values, nil if only codes are kept
	Codes []uint8   // nil if the output is never stored as codes
	Mask  []uint8   // where the gradient passes; nil if no backward pass follows
	Act   kernel.Act

	// Fill writes chunk i: its values to Dst, or, where the owner can, codes to Codes;
	// and, unless it is nil, the mask of the activation or of the codes.
	Fill func(i, worker int, codes bool, mask []uint8)
	// Target gets the quantization before codes are filled.
	Target func(q kernel.Quant)
	// Format, unless nil, says how the output is quantized, instead of the node's range.
	Format func(q *quant.Node) (f kernel.Quant, on, codes bool)
	// Range, unless nil, gives the extremes of the values without writing them.
	Range func() (lo, hi float32)

	Dst              []float32 // where values go: Out, or what nobody keeps
	Quant            kernel.Quant
	Quantized, Coded bool // quantized; and as codes
	Masked           bool // Mask holds the gate
	Cut              Cut

	machine                        *Machine
	width                          int
	writes, exact                  bool
	ext                            Spread
	fillTask, valueTask, quantTask func(i, worker int)
}

// Writer says how the owner's Fill writes codes.
type Writer uint8

// The writers: one that writes only values; one whose codes are the quantized values; one that uses the int8 model's
// expression, whose codes are not the quantized values.
const (
	Valued Writer = iota
	Coding
	Exact
)

// Init binds the output to its machine.
func (o *Output) Init(m *Machine) {
	o.machine, o.fillTask, o.valueTask, o.quantTask = m, o.FillChunk, o.valueChunk, o.quantChunk
}

// Bind divides the output into chunks. It must be called before Begin.
func (o *Output) Bind(rows, width int) { o.Cut, o.width = NewCut(rows, width), width }

// Begin decides what can be decided before the values are known: where they are written and, unless they are observed
// first, how they are quantized. Bind must be called before it.
func (o *Output) Begin(st Step, q *quant.Node, w Writer) (observes bool) {
	o.writes, o.exact = w != Valued, w == Exact
	o.Quantized, o.Coded, o.Masked, o.Quant = false, false, st.Train && o.Act != kernel.None, kernel.Quant{}
	o.Dst = o.Out
	if o.Out == nil {
		o.Dst = o.machine.Values[:o.Cut.Rows*o.width]
	}
	if st.Observe && q.Observing() {
		return true
	}
	o.decide(st, q)
	return false
}

// Forward fills, observes and quantizes. Begin must be called before it.
func (o *Output) Forward(st Step, q *quant.Node) Value {
	observes := st.Observe && q.Observing()
	switch {
	case !observes:
		o.machine.Workers.Run(o.Cut.N, o.fillTask)
	case o.Range != nil && !q.NeedsValues():
		lo, hi := o.Range()
		q.Observe(nil, lo, hi)
		o.decide(st, q)
		o.machine.Workers.Run(o.Cut.N, o.fillTask)
	default:
		o.machine.Workers.Run(o.Cut.N, o.valueTask)
		lo, hi := o.ext.Of(o.Cut.N)
		q.Observe(o.Dst[:o.Cut.Rows*o.width], lo, hi)
		o.decide(st, q)
		if o.Quantized {
			o.machine.Workers.Run(o.Cut.N, o.quantTask)
		}
	}
	return o.Value()
}

// Value is the output as the next nodes read it.
func (o *Output) Value() Value {
	if o.Coded {
		return Value{Codes: o.Codes, OnGrid: true, Format: o.Quant}
	}
	return Value{Data: o.Out, Format: o.Quant}
}

// decide finds how the output is quantized.
func (o *Output) decide(st Step, q *quant.Node) {
	if !st.Quantize {
		return
	}
	if o.Format != nil {
		o.Quant, o.Quantized, o.Coded = o.Format(q)
	} else {
		o.Quant, o.Quantized, o.Coded = Format(q)
	}
	o.Masked = st.Train && (o.Quantized || o.Act != kernel.None)
	if o.writes && o.Coded && o.Target != nil {
		o.Target(o.Quant)
	}
}

// Elements returns the output elements of chunk i.
func (o *Output) Elements(i int) (e0, e1 int) {
	r0, r1 := o.Cut.Range(i)
	return r0 * o.width, r1 * o.width
}

// Gate returns the mask of the elements e0 to e1, which begin on a byte of it: nil
// where every gradient passes.
func (o *Output) Gate(e0, e1 int) []uint8 {
	if !o.Masked {
		return nil
	}
	return o.Mask[e0/8 : (e1+7)/8]
}

func (o *Output) mask(i int) []uint8 { return o.Gate(o.Elements(i)) }

// FillChunk writes the finished output of chunk i. An owner whose values need no barrier calls it itself, if Begin
// returned that nothing observes.
func (o *Output) FillChunk(i, worker int) {
	switch {
	case o.Coded && o.writes:
		o.Fill(i, worker, true, o.mask(i))
	case o.Quantized:
		o.Fill(i, worker, false, nil)
		o.quantize(i)
	default:
		o.Fill(i, worker, false, o.mask(i))
	}
}

func (o *Output) valueChunk(i, worker int) {
	e0, e1 := o.Elements(i)
	o.Fill(i, worker, false, nil)
	lo, hi := o.machine.Set.MinMax(o.Dst[e0:e1])
	o.ext.Set(i, lo, hi)
}

func (o *Output) quantChunk(i, worker int) {
	if o.exact && o.Coded {
		o.Fill(i, worker, true, o.mask(i))
		return
	}
	o.quantize(i)
}

// quantize converts chunk i's values to codes, or to the values of these codes.
func (o *Output) quantize(i int) {
	e0, e1 := o.Elements(i)
	if o.Coded {
		o.machine.Set.Quantize(o.Dst[e0:e1], o.Codes[e0:e1], o.mask(i), o.Quant, o.Act)
		return
	}
	o.machine.Set.FakeQuant(o.Dst[e0:e1], o.Out[e0:e1], o.mask(i), o.Quant, o.Act)
}
