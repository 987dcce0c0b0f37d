package nn

import (
	"math"

	"qpipe/ops/random"
)

// Init allocates the parameters and fills them: Kaiming normal (fan in) for convolutions, normal with
// variance 1/in for linear layers, zero biases; a function of (seed, name) alone.
func (g *Graph) Init(seed int64) {
	g.alloced = false
	g.alloc()
	for _, n := range g.nodes {
		n.Init(newNormal(seed, n.Name).next)
	}
}

// alloc makes the parameters where there are none yet: weights zero, BN neutral.
func (g *Graph) alloc() {
	if g.alloced {
		return
	}
	g.alloced = true
	g.version++
	for _, n := range g.nodes {
		n.Alloc()
	}
}

// normal draws normally distributed numbers: SplitMix64 and Box and Muller.
type normal struct{ bits random.SplitMix }

func newNormal(seed int64, name string) *normal {
	r := &normal{random.SplitMix(seed)}
	r.bits = random.SplitMix(r.bits.Next() ^ random.Hash(name))
	r.bits.Next()
	return r
}

// unit is uniform in (0, 1].
func (r *normal) unit() float64 { return (float64(r.bits.Next()>>11) + 1) / (1 << 53) }

func (r *normal) next() float64 {
	return math.Sqrt(-2*math.Log(r.unit())) * math.Cos(2*math.Pi*r.unit())
}
