package convbn

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// spreader brings the input of a transposed convolution to where its convolution reads it, and the gradient back.
// What is between the pixels is zero: 0 as a value, the zero point as a code.
type spreader struct {
	machine *grid.Machine
	geom    kernel.Conv
	up      Spread
	x       *layer.Operand
	value   grid.Value // the spread input: its buffers, and what the last one was
	codes   []uint8
	data    []float32
	grad    []float32
	dx      grid.Grad

	codesTask, dataTask, gatherTask func(i, worker int)
}

// spreads says what the input is spread as, and whether a gradient comes back.
func spreads(n *layer.Node, b *layer.Bench) (codes, data, grad bool) {
	x := b.In[0]
	return x.Coded, !n.Int8 && (!x.Coded || b.Plain || b.Observing), b.Training
}

// spreadBytes is what the buffers of newSpreader take.
func spreadBytes(n *layer.Node, b *layer.Bench) (bytes int64) {
	g := &Of(n).Geom
	size := int64(b.Batch) * int64(g.H*g.W*g.C)
	codes, data, grad := spreads(n, b)
	if codes {
		bytes += size
	}
	if data {
		bytes += 4 * size
	}
	if grad {
		bytes += 4 * size
	}
	return bytes
}

func newSpreader(n *layer.Node, b *layer.Bench) *spreader {
	s := &spreader{machine: b.Machine, geom: Of(n).Geom, up: *Of(n).Up, x: b.In[0]}
	size := b.Batch * s.geom.H * s.geom.W * s.geom.C
	codes, data, grad := spreads(n, b)
	if codes {
		s.codes = make([]uint8, size)
	}
	if data {
		s.data = make([]float32, size)
	}
	if grad {
		s.grad = make([]float32, size)
	}
	s.codesTask, s.dataTask, s.gatherTask = s.codesChunk, s.dataChunk, s.gatherChunk
	return s
}

// cut divides the rows of the spread input.
func (s *spreader) cut() grid.Cut { return grid.NewCut(s.geom.InRows(), s.geom.W*s.geom.C) }

// spread returns the input of n images, spread; it is valid until the next call.
func (s *spreader) spread(n int) *grid.Value {
	s.geom.N = n
	s.value = grid.Value{OnGrid: s.x.OnGrid, Format: s.x.Format}
	if s.x.OnGrid {
		s.value.Codes = s.codes
		s.machine.Workers.Run(s.cut().N, s.codesTask)
	} else {
		s.value.Data = s.data
		s.machine.Workers.Run(s.cut().N, s.dataTask)
	}
	return &s.value
}

func (s *spreader) codesChunk(i, _ int) { spreadRows(s, i, s.x.Codes, s.codes, uint8(s.x.Format.Zero)) }

func (s *spreader) dataChunk(i, _ int) { spreadRows(s, i, s.x.Data, s.data, 0) }

// spreadRows fills the rows of chunk i.
func spreadRows[T uint8 | float32](s *spreader, i int, from, to []T, zero T) {
	g, c := &s.geom, s.geom.C
	width := g.W * c
	r0, r1 := s.cut().Range(i)
	for r := r0; r < r1; r++ {
		row := to[r*width:][:width]
		for k := range row {
			row[k] = zero
		}
		if r%g.H%s.up.StrideH != 0 {
			continue
		}
		pixels := from[(r/g.H*s.up.H+r%g.H/s.up.StrideH)*s.up.W*c:][:s.up.W*c]
		for w := range s.up.W {
			copy(row[w*s.up.StrideW*c:][:c], pixels[w*c:][:c])
		}
	}
}

// gather brings the gradient of the spread input, grad, to that of the input.
func (s *spreader) gather(dx grid.Grad) {
	s.dx = dx
	s.machine.Workers.Run(grid.NewCut(s.geom.N*s.up.H, s.up.W*s.geom.C).N, s.gatherTask)
}

func (s *spreader) gatherChunk(i, _ int) {
	g, c := &s.geom, s.geom.C
	r0, r1 := grid.NewCut(g.N*s.up.H, s.up.W*c).Range(i)
	for r := r0; r < r1; r++ {
		from := s.grad[(r/s.up.H*g.H+r%s.up.H*s.up.StrideH)*g.W*c:]
		for w := range s.up.W {
			s.machine.Set.Gate(from[w*s.up.StrideW*c:][:c], nil, s.dx.Data[(r*s.up.W+w)*c:][:c], s.dx.Add)
		}
	}
}
