package op

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// MaxPool is max pooling. It passes codes on.
type MaxPool PoolArgs

// GlobalMaxPool is the largest element of each channel.
type GlobalMaxPool struct{}

var (
	maxPoolKind       = maximum("max_pool")
	globalMaxPoolKind = maximum("global_max_pool")
)

func maximum(name string) *layer.Kind {
	return &layer.Kind{
		Name: name, Least: 1, Most: 1, Output: layer.Passes,
		Shape: poolShape, Restore: restorePool, Room: maxPoolRoom, Label: poolLabel,
		Train: newMaxPool, Integer: newMaxPool8,
	}
}

// Kind implements Op.
func (MaxPool) Kind() *layer.Kind { return maxPoolKind }

// Node implements Op.
func (a MaxPool) Node(in []layer.Source) (*layer.Node, error) {
	return pooling(maxPoolKind, in[0], PoolArgs(a))
}

// Kind implements Op.
func (GlobalMaxPool) Kind() *layer.Kind { return globalMaxPoolKind }

// Node implements Op.
func (GlobalMaxPool) Node(in []layer.Source) (*layer.Node, error) {
	s := in[0].Shape
	return pooling(globalMaxPoolKind, in[0], PoolArgs{Kernel: [2]int{s.H, s.W}})
}

type maxPoolRunner struct {
	*layer.Bench
	node        *layer.Node
	geom        kernel.Pool
	cut         grid.Cut
	x           *layer.Operand
	index       []int32 // where each maximum lies
	dx          grid.Grad
	forth, back func(i, worker int)
}

func newMaxPool(n *layer.Node, b *layer.Bench) layer.Runner {
	r := &maxPoolRunner{Bench: b, node: n, geom: PoolGeom(n), x: b.In[0]}
	if n := maxPoolPlaces(n, b); n > 0 {
		r.index = make([]int32, n)
	}
	r.forth, r.back = r.forwardChunk, r.backChunk
	return r
}

func maxPoolRoom(n *layer.Node, b *layer.Bench) layer.Room {
	if n.Int8 {
		return n.PlainRoom()
	}
	return layer.Room{Back: poolBack(b), Bytes: 4 * int64(maxPoolPlaces(n, b))}
}

// maxPoolPlaces is of how many elements the maximum's place is kept.
func maxPoolPlaces(n *layer.Node, b *layer.Bench) int {
	if b.Training || b.Plain {
		return b.Batch * n.Shape.WithN(1).Len()
	}
	return 0
}

func (r *maxPoolRunner) Forward(n int, _ grid.Step) grid.Value {
	r.geom.N = n
	r.cut = grid.NewCut(n*r.geom.OH, r.geom.OW*r.geom.C)
	r.Workers.Run(r.cut.N, r.forth)
	return grid.Value{Data: r.Out, Codes: r.Codes, OnGrid: r.x.OnGrid, Format: r.x.Format}
}

func (r *maxPoolRunner) forwardChunk(i, _ int) {
	r0, r1 := r.cut.Range(i)
	if r.x.OnGrid {
		r.Set.MaxPoolInt8(&r.geom, r.x.Codes, r.Codes, r.index, r0, r1)
		return
	}
	r.Set.MaxPool(&r.geom, r.x.Data, r.Out, r.index, r0, r1)
}

func (r *maxPoolRunner) Backward(n int) {
	r.dx = r.Gradient(0)
	if r.dx.Data != nil {
		r.cut = grid.NewCut(n, r.geom.H*r.geom.W*r.geom.C)
		r.Workers.Run(r.cut.N, r.back)
	}
}

func (r *maxPoolRunner) backChunk(i, _ int) {
	n0, n1 := r.cut.Range(i)
	dst := r.dx.Data
	if r.dx.Add {
		dst = r.Back
	}
	r.Set.MaxPoolBackward(&r.geom, r.Grad, r.index, dst, n0, n1)
	if size := r.geom.H * r.geom.W * r.geom.C; r.dx.Add {
		r.Set.AddTo(dst[n0*size:n1*size], r.dx.Data[n0*size:n1*size])
	}
}

type maxPool8 struct {
	*layer.Bench
	geom kernel.Pool
}

func newMaxPool8(n *layer.Node, b *layer.Bench) layer.Integer { return &maxPool8{b, PoolGeom(n)} }

func (r *maxPool8) Begin(n int) { r.geom.N = n }

func (r *maxPool8) Run(p layer.Piece) {
	r.Set.MaxPoolInt8(&r.geom, r.In[0].Codes, r.Codes, nil, p.R0, p.R1)
}
