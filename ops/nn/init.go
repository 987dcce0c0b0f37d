package nn

import (
	"hash/fnv"
	"math"
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
type normal struct{ state uint64 }

func newNormal(seed int64, name string) *normal {
	h := fnv.New64a()
	h.Write([]byte(name))
	r := &normal{uint64(seed)}
	r.state = r.bits() ^ h.Sum64()
	r.bits()
	return r
}

func (r *normal) bits() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// unit is uniform in (0, 1].
func (r *normal) unit() float64 { return (float64(r.bits()>>11) + 1) / (1 << 53) }

func (r *normal) next() float64 {
	return math.Sqrt(-2*math.Log(r.unit())) * math.Cos(2*math.Pi*r.unit())
}
