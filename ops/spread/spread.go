// Package spread brings the input of a transposed convolution to where the convolution that computes it reads it, and the gradient
// back. What is between the pixels is zero: 0 as a value, the zero point as a code.
package spread

import (
	"qpipe/ops/grid"
	"qpipe/ops/layer"
)

// Pixels are H×W pixels that are spread Stride apart.
type Pixels struct{ H, W, StrideH, StrideW int }

// Height is the number of rows of the spread pixels.
func (p Pixels) Height() int { return (p.H-1)*p.StrideH + 1 }

// Width is the number of columns of the spread pixels.
func (p Pixels) Width() int { return (p.W-1)*p.StrideW + 1 }

// Input is the first operand of a node, spread.
type Input struct {
	machine  *grid.Machine
	pixels   Pixels
	channels int
	images   int // of the last call of Spread
	x        *layer.Operand
	value    grid.Value // the spread input
	codes    []uint8
	data     []float32
	grad     []float32
	dx       grid.Grad

	codesTask, dataTask, gatherTask func(i, worker int)
}

// needs says what the input is spread as, and whether a gradient comes back.
func needs(n *layer.Node, b *layer.Bench) (codes, data, grad bool) {
	x := b.In[0]
	return x.Coded, !n.Int8 && (!x.Coded || b.Plain || b.Observing), b.Training
}

// Bytes is what New takes for a node.
func Bytes(p Pixels, n *layer.Node, b *layer.Bench) (bytes int64) {
	size := int64(b.Batch) * int64(p.Height()*p.Width()*b.In[0].Shape.C)
	codes, data, grad := needs(n, b)
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

// New returns the input of a node on its bench.
func New(p Pixels, n *layer.Node, b *layer.Bench) *Input {
	s := &Input{machine: b.Machine, pixels: p, channels: b.In[0].Shape.C, x: b.In[0]}
	size := b.Batch * p.Height() * p.Width() * s.channels
	codes, data, grad := needs(n, b)
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
func (s *Input) cut() grid.Cut {
	return grid.NewCut(s.images*s.pixels.Height(), s.pixels.Width()*s.channels)
}

// Spread returns the input of n images, spread; it is valid until the next call.
func (s *Input) Spread(n int) *grid.Value {
	s.images = n
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

func (s *Input) codesChunk(i, _ int) { spreadRows(s, i, s.x.Codes, s.codes, uint8(s.x.Format.Zero)) }

func (s *Input) dataChunk(i, _ int) { spreadRows(s, i, s.x.Data, s.data, 0) }

// spreadRows fills the rows of chunk i.
func spreadRows[T uint8 | float32](s *Input, i int, from, to []T, zero T) {
	p, c := s.pixels, s.channels
	height, width := p.Height(), p.Width()*c
	r0, r1 := s.cut().Range(i)
	for r := r0; r < r1; r++ {
		row := to[r*width:][:width]
		for k := range row {
			row[k] = zero
		}
		if r%height%p.StrideH != 0 {
			continue
		}
		pixels := from[(r/height*p.H+r%height/p.StrideH)*p.W*c:][:p.W*c]
		for w := range p.W {
			copy(row[w*p.StrideW*c:][:c], pixels[w*c:][:c])
		}
	}
}

// Grad is where the gradient of the spread input goes.
func (s *Input) Grad() []float32 { return s.grad }

// Gather brings the gradient of the spread input to that of the input.
func (s *Input) Gather(dx grid.Grad) {
	s.dx = dx
	s.machine.Workers.Run(s.rows().N, s.gatherTask)
}

// rows divides the rows of the input.
func (s *Input) rows() grid.Cut { return grid.NewCut(s.images*s.pixels.H, s.pixels.W*s.channels) }

func (s *Input) gatherChunk(i, _ int) {
	p, c := s.pixels, s.channels
	r0, r1 := s.rows().Range(i)
	for r := r0; r < r1; r++ {
		from := s.grad[(r/p.H*p.Height()+r%p.H*p.StrideH)*p.Width()*c:]
		for w := range p.W {
			s.machine.Set.Gate(from[w*p.StrideW*c:][:c], nil, s.dx.Data[(r*p.W+w)*c:][:c], s.dx.Add)
		}
	}
}
