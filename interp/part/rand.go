package part

import "qpipe/ops/random"

// Rand draws from SplitMix64, the same on every machine. The zero value is the generator of seed 0.
type Rand struct{ bits random.SplitMix }

// NewRand returns a generator that is seeded with the keys. Other keys, or the same keys
// in another order, give an unrelated sequence.
func NewRand(keys ...uint64) *Rand {
	r := &Rand{}
	r.Seed(keys...)
	return r
}

// Seed seeds r with the keys; see [NewRand].
func (r *Rand) Seed(keys ...uint64) {
	r.bits = 0
	for _, k := range keys {
		r.bits = random.SplitMix(r.Uint64() ^ k)
		r.Uint64()
	}
}

// Uint64 returns the next 64 bits.
func (r *Rand) Uint64() uint64 { return r.bits.Next() }

// Intn returns a number in [0, n).
func (r *Rand) Intn(n int) int { return int(r.Uint64() % uint64(n)) }

// Float64 returns a number in [0, 1). It is rounded before a caller adds it to something, on every processor.
func (r *Rand) Float64() float64 { return float64(float64(r.Uint64()>>11) / (1 << 53)) }

// Perm returns a permutation of 0..n-1.
func (r *Rand) Perm(n int) []int {
	p := make([]int, n)
	Permute(r, p)
	return p
}

// Permute fills p with a permutation of its indices (Fisher and Yates, from the end).
func Permute[T int | int32](r *Rand, p []T) {
	for i := range p {
		p[i] = T(i)
	}
	for i := len(p) - 1; i > 0; i-- {
		j := r.Intn(i + 1)
		p[i], p[j] = p[j], p[i]
	}
}
