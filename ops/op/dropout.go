package op

import (
	"qpipe/ops/grid"
	"qpipe/ops/layer"
	"qpipe/ops/random"
	"qpipe/ops/tensor"
)

// Dropout makes elements zero in training, each with probability P, and multiplies the others by 1/(1-P) (Srivastava and others,
// 2014); with Channels, whole channels of an image (Tompson and others, 2015). Outside of training it changes nothing, and its
// output is its operand.
//
// Codes stay on a grid: a dropped element gets the zero point, and the grid's scale is that of the operand times 1/(1-P), so what
// follows still computes with integers.
//
// Which elements are dropped is a function of the step's key, the node's name, and the element's place in the batch.
type Dropout struct {
	P        float64 `json:"p"`
	Channels bool    `json:"channels"`
}

var dropoutKind = layer.Argued[Dropout](layer.Kind{
	Name: "dropout", Output: layer.Passes, Flat: true, Aligned: true, Floats: true, Rests: true,
	Train: newDropout,
	Room:  func(*layer.Node, *layer.Bench) layer.Room { return layer.Room{NoAcc: true} },
})

// Kind implements layer.Op.
func (Dropout) Kind() *layer.Kind { return dropoutKind }

// Node implements layer.Op.
func (a Dropout) Node(in []layer.Source) (*layer.Node, error) {
	n, err := layer.Argue(dropoutKind, a, in[0])
	if err == nil {
		n.Origin = in[0].Origin
	}
	return n, err
}

// On implements layer.Arguments.
func (a Dropout) On(s tensor.Shape) (Dropout, tensor.Shape, error) {
	if !(a.P >= 0 && a.P < 1) {
		return a, s, layer.BadArg("P", "the probability %v is not from 0 to below 1", a.P)
	}
	return a, s, nil
}

// draws says which elements of a batch are dropped.
type draws struct {
	from     random.SplitMix
	below    uint64 // an element is dropped where the upper 53 bits of its number are less
	channels bool
	image, c int // elements of an image, and of a pixel
}

// pixel is the number of draws in front of those of the pixel that begins at element at.
func (d *draws) pixel(at int) uint64 {
	if d.channels {
		at = at / d.image * d.c
	}
	return uint64(at)
}

// dropped is 1 for a dropped element and 0 for others.
func (d *draws) dropped(i uint64) uint64 { return (d.from.At(i)>>11 - d.below) >> 63 }

// scale writes the elements e0 to e1 of x to y, or adds them: 0 where dropped, else times by.
func (d *draws) scale(x, y []float32, e0, e1 int, by float32, add bool) {
	factor := [2]float32{by, 0}
	for at := e0; at < e1; at += d.c {
		first, to := d.pixel(at), y[at:][:d.c]
		for c, v := range x[at:][:d.c] {
			v = float32(v * factor[d.dropped(first+uint64(c))])
			if add {
				v += to[c]
			}
			to[c] = v
		}
	}
}

// codes writes the elements e0 to e1: the zero point where dropped.
func (d *draws) codes(x, y []uint8, e0, e1 int, zero uint8) {
	for at := e0; at < e1; at += d.c {
		first, to := d.pixel(at), y[at:][:d.c]
		for c, v := range x[at:][:d.c] {
			to[c] = v ^ (v^zero)&-uint8(d.dropped(first+uint64(c)))
		}
	}
}

type dropoutRunner struct {
	*layer.Bench
	draws
	hash        uint64  // of the node's name
	kept        float32 // what is kept is multiplied by it
	training    bool    // in the last forward pass
	cut         grid.Cut
	x           *layer.Operand
	dx          grid.Grad
	forth, back func(i, worker int)
}

func newDropout(n *layer.Node, b *layer.Bench) layer.Runner {
	a, s := layer.ArgumentsOf[Dropout](n), n.Shape
	r := &dropoutRunner{Bench: b, hash: random.Hash(n.Name), kept: float32(1 / (1 - a.P)), x: b.In[0]}
	r.draws = draws{below: uint64(a.P * (1 << 53)), channels: a.Channels, image: s.WithN(1).Len(), c: s.C}
	r.forth, r.back = r.forwardChunk, r.backChunk
	return r
}

// Forward implements layer.Runner.
func (r *dropoutRunner) Forward(n int, st grid.Step) grid.Value {
	v := grid.Value{Data: r.Out, Codes: r.Codes, OnGrid: r.x.OnGrid, Format: r.x.Format}
	if r.training = st.Train; r.training {
		r.from = random.SplitMix(st.Key ^ r.hash)
		v.Format.Scale *= r.kept
	}
	r.cut = grid.NewCut(n*r.image/r.c, r.c)
	r.Workers.Run(r.cut.N, r.forth)
	return v
}

func (r *dropoutRunner) forwardChunk(i, _ int) {
	p0, p1 := r.cut.Range(i)
	e0, e1 := p0*r.c, p1*r.c
	switch {
	case r.x.OnGrid && r.training:
		r.codes(r.x.Codes, r.Codes, e0, e1, uint8(r.x.Format.Zero))
	case r.x.OnGrid:
		copy(r.Codes[e0:e1], r.x.Codes[e0:e1])
	case r.training:
		r.scale(r.x.Data, r.Out, e0, e1, r.kept, false)
	default:
		copy(r.Out[e0:e1], r.x.Data[e0:e1])
	}
}

// Backward implements layer.Runner.
func (r *dropoutRunner) Backward(int) {
	if r.dx = r.Gradient(0); r.dx.Data != nil {
		r.Workers.Run(r.cut.N, r.back)
	}
}

func (r *dropoutRunner) backChunk(i, _ int) {
	p0, p1 := r.cut.Range(i)
	r.scale(r.Grad, r.dx.Data, p0*r.c, p1*r.c, r.kept, r.dx.Add)
}
