package engine

import (
	"fmt"

	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
)

// Phase is what a forward pass is for. Train uses batch statistics, updates
// them, observes and then quantizes. Calibrate observes with running statistics
// and does not quantize. Eval changes no bit of any state; in the calibration
// form, too, it quantizes with the ranges that are there.
type Phase uint8

// The phases.
const (
	Eval Phase = iota
	Train
	Calibrate
)

// Net is an executable graph: a plan with its buffers, for batches of up to a
// given size. It reads the graph's parameters where they are. After Prepare,
// Absorb or anything else that changes the graph's structure the next Forward
// plans again by itself; what is not planned again allocates nothing.
type Net struct {
	graph     *nn.Graph
	set       *kernel.Set
	workers   *Workers
	batch     int
	training  bool
	keep      bool // every node's output is kept
	values    bool // outputs that are codes otherwise are kept as values too
	wantDX    bool // tests: the gradient to the input
	observing bool // memory is planned for a pass that observes and quantizes nothing
	version   int

	cells   []*cell
	outs    []int // places of the outputs
	machine *grid.Machine
	integer bool        // the int8 form
	images  int         // of the last Forward
	x       [][]float32 // by input
	y       [][]float32 // by output
	result  [][]float32 // room for the outputs' values, by output
	key     uint64      // of what training steps draw at random
	trained bool        // the last Forward was a training step
	times   *profile

	faults    []string // by node, what is not finite
	faultTask func(i, worker int)
}

// Compile plans the graph for batches of up to batch images. Training needs backward buffers, so it is said here.
func Compile(g *nn.Graph, batch int, training bool, set *kernel.Set, workers *Workers) (*Net, error) {
	switch {
	case batch < 1:
		return nil, fmt.Errorf("a batch of %d images", batch)
	case !g.Allocated():
		return nil, fmt.Errorf("the model has no parameters: initialize or load it first")
	case training && g.Form() == nn.Quantized:
		return nil, fmt.Errorf("an int8 model is not trained; train its QAT form")
	}
	e := &Net{graph: g, set: set, workers: workers, batch: batch, training: training}
	e.build()
	return e, nil
}

// Forward runs n images (NHWC, float32) and returns the output, n×classes, valid until the next call: of a network with
// one input and one output. In training x must stay as it is until Backward.
// In form Quantized the output is the float32 dequantized accumulator of the last node.
func (e *Net) Forward(x []float32, n int, ph Phase) []float32 {
	e.x = append(e.x[:0], x)
	return e.forward(n, ph)[0]
}

// ForwardAll is Forward for a network with any number of inputs and outputs, in the order of the graph's.
func (e *Net) ForwardAll(x [][]float32, n int, ph Phase) [][]float32 {
	e.x = append(e.x[:0], x...)
	return e.forward(n, ph)
}

func (e *Net) forward(n int, ph Phase) [][]float32 {
	if e.version != e.graph.Version() {
		e.build()
	}
	e.check(n, ph)
	e.images, e.trained = n, ph == Train
	if e.integer {
		e.runIntegers(n)
		return e.outputs(n)
	}
	st := e.step(ph)
	if !e.values && e.unready(st) {
		e.values = true
		e.build()
	}
	for _, c := range e.cells {
		c.hasGrad = false
		if c.root == c.place {
			at := e.times.now()
			c.value = c.run.Forward(n, st)
			e.times.ranForward(c.place, at)
		}
	}
	return e.outputs(n)
}

// SetKey sets the key of what training steps draw at random from now on: steps with other keys draw other numbers, steps with
// the same key the same.
func (e *Net) SetKey(key uint64) { e.key = key }

// check refuses a call that the net was not compiled for.
func (e *Net) check(n int, ph Phase) {
	fits, inputs := n >= 1 && n <= e.batch && (ph != Train || e.training), 0
	for _, c := range e.cells {
		if len(c.In) == 0 {
			fits = fits && inputs < len(e.x) && len(e.x[inputs]) >= c.size(n)
			inputs++
		}
	}
	if !fits || inputs != len(e.x) {
		panic(fmt.Sprintf("engine: Forward of %d images with %d inputs, phase %d, on a net for %d images with %d (training: %t)",
			n, len(e.x), ph, e.batch, inputs, e.training))
	}
}

// step says what the phase means in the graph's form.
func (e *Net) step(ph Phase) grid.Step {
	switch e.graph.Form() {
	case nn.Float:
		return grid.Step{Train: ph == Train, Key: e.key}
	case nn.Calibration:
		return grid.Step{Observe: ph != Eval, Quantize: ph == Eval}
	}
	return grid.Step{Train: ph == Train, Observe: ph != Eval, Quantize: ph != Calibrate, Key: e.key}
}

// unready reports whether a node that is planned to have codes cannot have them in
// this step, for it has seen nothing yet.
func (e *Net) unready(st grid.Step) bool {
	if f := e.graph.Form(); f == nn.Float || f == nn.Calibration || st.Observe && st.Quantize {
		return false
	}
	for _, c := range e.cells {
		if c.bench.Coded && c.HasQuant() && !(st.Quantize && c.Quant.Ready()) {
			return true
		}
	}
	return false
}

// outputs returns the outputs' values.
func (e *Net) outputs(n int) [][]float32 {
	e.y = e.y[:0]
	for k, o := range e.outs {
		v, size := &e.root(o).value, e.cells[o].size(n)
		if !v.OnGrid {
			e.y = append(e.y, v.Data[:size])
			continue
		}
		if e.result[k] == nil {
			e.result[k] = make([]float32, e.cells[o].size(e.batch))
		}
		e.set.Values(v.Codes[:size], v.Format.Zero, v.Format.Scale, e.result[k][:size])
		e.y = append(e.y, e.result[k][:size])
	}
	return e.y
}

// Backward takes the gradient of the loss to the last Forward's output and fills every Param's Grad.
func (e *Net) Backward(dy []float32) {
	e.begin(1)
	e.receive(0, dy)
	e.backward()
}

// BackwardAll is Backward for a network with any number of outputs.
func (e *Net) BackwardAll(dy [][]float32) {
	e.begin(len(dy))
	for k := range dy {
		e.receive(k, dy[k])
	}
	e.backward()
}

// begin checks what Backward is called with.
func (e *Net) begin(gradients int) {
	if !e.trained || gradients != len(e.outs) {
		panic(fmt.Sprintf("engine: Backward with %d gradients on a net with %d outputs (after a training step: %t)", gradients, len(e.outs), e.trained))
	}
}

// receive takes the gradient of output k.
func (e *Net) receive(k int, dy []float32) {
	if g := e.gradient(e.outs[k]); g.Add {
		e.set.AddTo(dy[:len(g.Data)], g.Data)
	} else {
		copy(g.Data, dy)
	}
}

func (e *Net) backward() {
	for i := len(e.cells) - 1; i >= 0; i-- {
		if c := e.cells[i]; c.root == c.place && c.bench.Grad != nil {
			at := e.times.now()
			c.run.Backward(e.images)
			e.times.ranBackward(c.place, at)
		}
	}
	e.trained = false
}

// gradient returns where the gradient to cell j goes, and counts it as given.
func (e *Net) gradient(j int) grid.Grad {
	c := e.root(j)
	if c.bench.Grad == nil {
		return grid.Grad{}
	}
	g := grid.Grad{Data: c.bench.Grad[:c.size(e.images)], Add: c.hasGrad}
	c.hasGrad = true
	return g
}

// Keep makes the next Forward keep every node's output.
func (e *Net) Keep() {
	if !e.keep {
		e.keep, e.version = true, -1
	}
}

// Output returns a node's output values of the last Forward and, where it has a quant node, its scale and zero point.
// (A Net compiled for evaluation keeps them only if Keep was called before.)
func (e *Net) Output(node string) (values []float32, scale float32, zero int32, ok bool) {
	c := e.find(node)
	if c == nil {
		return nil, 0, 0, false
	}
	v := &e.cells[c.root].value
	values = make([]float32, c.size(e.images))
	switch {
	case v.Remake != nil:
		v.Remake(0, len(values), values)
		return values, 0, 0, true
	case !v.OnGrid:
		copy(values, v.Data)
		return values, v.Format.Scale, v.Format.Zero, true
	}
	e.set.Values(v.Codes[:len(values)], v.Format.Zero, v.Format.Scale, values)
	return values, v.Format.Scale, v.Format.Zero - grid.Offset, true
}

// Codes returns the output's integers, where the node is quantized: of the int8 model, or of a QAT graph.
func (e *Net) Codes(node string) ([]int8, bool) {
	c := e.find(node)
	if c == nil {
		return nil, false
	}
	v := &e.cells[c.root].value
	if !v.OnGrid {
		return nil, false
	}
	return signed(v.Codes[:c.size(e.images)]), true
}

// find returns the cell of the node that has the name, or a member of it, once there was a pass.
func (e *Net) find(node string) *cell {
	i := e.graph.Place(node)
	if i < 0 || e.images == 0 || i >= len(e.cells) {
		return nil
	}
	return e.cells[i]
}

// signed returns codes as files and people read them: signed, uint8 codes less 128.
func signed(codes []uint8) []int8 {
	out := make([]int8, len(codes))
	for i, c := range codes {
		out[i] = int8(int(c) - grid.Offset)
	}
	return out
}
