package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
)

// strict are workers of which each has nothing but its own scratch and block, soiled before every task. Tasks run one by one,
// forwards or backwards. Who writes what of the watched buffers is noted.
type strict struct {
	m        *grid.Machine
	size     int
	backward bool
	watch    []*watched
	most     int // tasks of a round, which is a call of Run
}

// watched is a buffer, its content as floats or bytes as it was last seen, and by round and element who has written it: 0 for
// nobody, else 1 + the task.
type watched struct {
	name    string
	f       []float32
	u       []uint8
	seenF   []float32
	seenU   []uint8
	writers [][]int8
}

func (w *watched) len() int { return len(w.f) + len(w.u) }

// look notes what was written since the last look.
func (w *watched) look(by int8) {
	to := w.writers[len(w.writers)-1]
	for i, v := range w.f {
		if math.Float32bits(v) != math.Float32bits(w.seenF[i]) {
			to[i] = by
		}
	}
	for i, v := range w.u {
		if v != w.seenU[i] {
			to[i] = by
		}
	}
	copy(w.seenF, w.f)
	copy(w.seenU, w.u)
}

// begin begins a round.
func (w *watched) begin() {
	w.writers = append(w.writers, make([]int8, w.len()))
	w.seenF, w.seenU = slices.Clone(w.f), slices.Clone(w.u)
}

func (w *strict) Size() int { return w.size }

func (w *strict) Run(tasks int, f func(task, worker int)) {
	w.most = max(w.most, tasks)
	scratch, block := w.m.Scratch, w.m.Block
	for _, b := range w.watch {
		b.begin()
	}
	for i := range tasks {
		if w.backward {
			i = tasks - 1 - i
		}
		worker := (i + 1) % w.size
		w.m.Scratch, w.m.Block = make([]*kernel.Scratch, w.size), make([]*kernel.Scratch, w.size)
		w.m.Scratch[worker], w.m.Block[worker] = scratch[worker], block[worker]
		poisonScratch(scratch[worker], block[worker])
		f(i, worker)
		for _, b := range w.watch {
			b.look(int8(i + 1))
		}
	}
	w.m.Scratch, w.m.Block = scratch, block
}

// alone runs a node forward and backward with strict workers, and returns what they have seen.
func alone(c *cell, n int, st grid.Step, dy []float32, backward bool) *strict {
	m, b := c.bench.Machine, &c.bench
	workers, gradient, d := m.Workers, b.Gradient, fresh(c, n)
	before := uint8(0x5b) // other bits in each order, so that what is left of them shows
	if backward {
		before = ^before
	}
	soil(b.Out, float32(math.NaN()))
	soil(b.Codes, before)
	soil(b.Mask, before)
	soil(b.Kept, float32(math.NaN()))
	soil(b.Back, float32(math.NaN()))
	poison(m)
	w := &strict{m: m, size: workers.Size(), backward: backward}
	w.watch = []*watched{{name: "the output", f: b.Out}, {name: "the codes", u: b.Codes}, {name: "the mask", u: b.Mask}, {name: "the gradient of the output", f: b.Grad}}
	for k := range d {
		w.watch = append(w.watch, &watched{name: fmt.Sprint("the gradient of operand ", k), f: d[k].Data})
	}
	m.Workers, b.Gradient = w, func(k int) grid.Grad { return d[k] }
	c.value = c.run.Forward(n, st)
	copy(b.Grad, dy)
	poison(m)
	c.run.Backward(n)
	m.Workers, b.Gradient = workers, gradient
	return w
}

// TestEveryOpInPieces: tasks keep to their own part of what they write, use the block and the scratch of the worker that
// they run on alone and do not depend on what is in them; the order of tasks changes nothing, and the batch is cut into
// several.
func TestEveryOpInPieces(t *testing.T) {
	for _, tr := range trials() {
		t.Run(tr.name, func(t *testing.T) {
			if !tr.runs(t) {
				return
			}
			tr.pieces(t, nil)
			tr.pieces(t, &allSpecs()[0])
		})
	}
}

func (tr *trial) pieces(t *testing.T, s *specs) {
	t.Helper()
	r, n, form := rand.New(rand.NewPCG(7, 8)), 3, "float"
	g := tr.ready(t, r)
	place := g.Place("op")
	for n < 500 && n*nodesOf(g)[place].Shape.WithN(1).Len() < 10000 {
		n += 16
	}
	x, all := feeds(r, g, n)
	if s != nil {
		form = s.name
		tr.narrow(t, g, x, n, s)
	}
	e, state := compile(t, g, n, true), g.Clone()
	dy := randn(r, n*nodesOf(g)[place].Shape.WithN(1).Len(), 1)
	run := func(backward bool) *strict {
		copyState(g, state)
		e.ForwardAll(x, n, Train)
		e.BackwardAll(all) // with workers that run at the same time, for the race detector
		copyState(g, state)
		e.ForwardAll(x, n, Train)
		copyState(g, state)
		return alone(e.cells[place], n, e.step(Train), dy, backward)
	}
	first, second := run(false), run(true)
	if first.most < 2 {
		t.Errorf("%s: %d images are one task", form, n)
	}
	for k, b := range first.watch {
		if !b.same(second.watch[k]) {
			t.Errorf("%s: the order of tasks changes %s", form, b.name)
			continue
		}
		for round := range b.writers {
			p, q := b.writers[round], second.watch[k].writers[round]
			for i := range p {
				if p[i] != q[i] && p[i] > 0 && q[i] > 0 {
					t.Errorf("%s: the tasks %d and %d of round %d both write element %d of %s", form, p[i]-1, q[i]-1, round, i, b.name)
					break
				}
			}
		}
	}
}

// same reports whether the buffers have the same content, NaNs included.
func (w *watched) same(o *watched) bool {
	return slices.Equal(w.u, o.u) && slices.EqualFunc(w.f, o.f, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) })
}

// TestEveryOpInt8InPieces: a piece of the int8 form is what the whole has there, whatever else was computed before and by
// which worker, and nothing else is written.
func TestEveryOpInt8InPieces(t *testing.T) {
	for _, tr := range trials() {
		t.Run(tr.name, func(t *testing.T) {
			if !tr.runs(t) || tr.kind(t).Rests {
				return
			}
			for _, tr.last = range []bool{false, true} {
				const n = 3
				r := rand.New(rand.NewPCG(9, 8))
				g := tr.ready(t, r)
				x, _ := feeds(r, g, n)
				g.SetQConfig(int8Config(tr.floats()))
				must(t, g.Prepare(nn.QAT, tr.mode))
				compile(t, g, n, true).ForwardAll(x, n, Train)
				int8, err := g.Convert()
				must(t, err)
				e := compile(t, int8, n, false)
				e.Keep()
				e.ForwardAll(x, n, Eval)
				inPieces(t, e, e.cells[int8.Place("op")], n)
			}
		})
	}
}

// inPieces runs a node piece by piece, the last first.
func inPieces(t *testing.T, e *Net, c *cell, n int) {
	t.Helper()
	rows, width, b := n*c.Shape.H, c.Shape.W*c.Shape.C, &c.bench
	wantF, wantU := slices.Clone(b.Out), slices.Clone(b.Codes)
	scratch, block := e.machine.Scratch, e.machine.Block
	step := c.Shape.C
	if c.CostOf().Weights > 0 {
		step = e.set.Block
	}
	c.integer.Begin(n)
	for i, sentinel := range []uint8{0x5b, 0xa4} {
		for r1 := rows; r1 > 0; r1 -= 1 + i {
			for c0 := 0; c0 < c.Shape.C; c0 += step {
				p := layer.Piece{R0: max(r1-1-i, 0), R1: r1, C0: c0, C1: min(c0+step, c.Shape.C), Worker: r1 % e.workers.Size()}
				e.machine.Scratch, e.machine.Block = make([]*kernel.Scratch, len(scratch)), make([]*kernel.Scratch, len(block))
				e.machine.Scratch[p.Worker], e.machine.Block[p.Worker] = scratch[p.Worker], block[p.Worker]
				poison := float32(math.NaN())
				poisonScratch(scratch[p.Worker], block[p.Worker])
				soil(e.machine.Acc, -123456789)
				soil(b.Out, poison)
				soil(b.Codes, sentinel)
				c.integer.Run(p)
				inside := func(k int) bool {
					return k/width >= p.R0 && k/width < p.R1 && k%c.Shape.C >= p.C0 && k%c.Shape.C < p.C1
				}
				for k, v := range b.Out {
					if inside(k) && v != wantF[k] || !inside(k) && v == v {
						t.Fatalf("piece %+v: output %d is %g, and %g where the whole is computed", p, k, v, wantF[k])
					}
				}
				for k, v := range b.Codes {
					if inside(k) && v != wantU[k] || !inside(k) && v != sentinel {
						t.Fatalf("piece %+v: code %d is %d, and %d where the whole is computed", p, k, v, wantU[k])
					}
				}
			}
		}
	}
	e.machine.Scratch, e.machine.Block = scratch, block
}
