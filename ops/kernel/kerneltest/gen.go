// Package kerneltest checks a kernel set: it runs every field of the set on generated cases (odd sizes, groups,
// strides, dilations, unaligned slices, guard values around every buffer, ranges cut at random, NaN and infinities) and
// compares with ops/kernel/ref. It knows no set by name and trusts none, not even ref: gradients are checked by central
// differences.
package kerneltest

import (
	"errors"
	"fmt"
	"math"

	"qpipe/ops/kernel"
	"qpipe/ops/random"
)

// gen makes the random parts of one case and remembers its buffers and what went
// wrong.
type gen struct {
	seed   random.SplitMix
	bufs   []guarded
	errs   []error
	detail string // a description of the case, for messages
}

func (g *gen) errorf(format string, args ...any) {
	g.errs = append(g.errs, fmt.Errorf(format, args...))
}

// intn returns a number in [lo, hi].
func (g *gen) intn(lo, hi int) int { return lo + int(g.seed.Next()%uint64(hi-lo+1)) }

func (g *gen) one(n int) bool { return g.intn(1, n) == 1 }

// float returns a value in [-1, 1).
func (g *gen) float() float32 { return float32(g.seed.Next()>>40)/(1<<23) - 1 }

// special returns a value that breaks careless loops, or an ordinary one.
func (g *gen) special() float32 {
	v := []float32{
		0, float32(math.Copysign(0, -1)), float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)),
		math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, 1e-40, 1 << 31, -(1 << 31), 1 << 23, 8388609, 6, 0.5, -0.5, 1.5, 2.5,
		math.Float32frombits(0xffc00000), // the NaN that x86 makes has its sign bit set
	}
	if i := g.intn(0, 2*len(v)); i < len(v) {
		return v[i]
	}
	return 8 * g.float()
}

func (g *gen) int8() int8   { return int8(g.seed.Next()) }
func (g *gen) code() uint8  { return uint8(g.seed.Next()) }
func (g *gen) int32() int32 { return int32(g.seed.Next()) >> g.intn(1, 31) }
func (g *gen) zero() int32  { return []int32{0, 128, 255, int32(g.code())}[g.intn(0, 3)] }

// cuts returns the borders of a random partition of [0, n).
func (g *gen) cuts(n int) []int {
	out := []int{0}
	for at := 0; at < n; {
		at = min(n, at+g.intn(0, 1+n/2))
		out = append(out, at)
	}
	return out
}

// ranges calls f for every range of a random partition of [0, n).
func (g *gen) ranges(n int, f func(lo, hi int)) {
	c := g.cuts(n)
	for i := range c[1:] {
		f(c[i], c[i+1])
	}
}

// pieces calls f for ranges of channels that cover [0, n) and are cut at multiples of
// block, in any order; with groups for all of them at once.
func (g *gen) pieces(n, block, groups int, f func(lo, hi int)) {
	if groups > 1 {
		f(0, n)
		return
	}
	c := g.cuts((n + block - 1) / block)
	from, step := 0, 1
	if g.one(2) {
		from, step = len(c)-2, -1
	}
	for i := from; i >= 0 && i < len(c)-1; i += step {
		f(c[i]*block, min(c[i+1]*block, n))
	}
}

// element is what a buffer may hold.
type element interface {
	~float32 | ~float64 | ~int8 | ~int32 | ~uint8
}

// guarded is a buffer with its surroundings.
type guarded interface{ check() error }

const margin = 67 // more than a vector and less than a line would hide

// length draws the length of an elementwise pass: none, few, around the width of
// a vector, or many.
func (g *gen) length() int {
	return []int{0, 1, g.intn(2, 7), 8, g.intn(15, 17), g.intn(30, 70), g.intn(200, 1100)}[g.intn(0, 6)]
}

// rows draws the shape of a pass over rows of channels: odd ones, those around
// multiples of a vector, and now and then wide ones.
func (g *gen) rows() (c, n int) {
	c = g.intn(1, 40)
	if g.one(3) {
		c = 16*g.intn(1, 5) + g.intn(-1, 1)
	}
	if g.one(12) {
		c = g.intn(500, 1100)
		return c, c * g.intn(0, 3)
	}
	return c, c * []int{0, 1, g.intn(2, 5), g.intn(6, 30)}[g.intn(0, 3)]
}

type buffer[T element] struct {
	what  string
	whole []T
	saved []T // for an input, what must not change
	n, at int
}

// alloc makes a buffer of n elements at an odd place between guard values.
func alloc[T element](g *gen, what string, n int) *buffer[T] {
	b := &buffer[T]{what: what, whole: make([]T, n+2*margin+8), n: n, at: margin + g.intn(0, 7)}
	fill(b.whole, guard[T]())
	g.bufs = append(g.bufs, b)
	return b
}

// slice is the part between the guard values.
func (b *buffer[T]) slice() []T { return b.whole[b.at : b.at+b.n] }

// fill is fast also for a large scratch: it copies the part that is already filled.
func fill[T element](x []T, v T) {
	if len(x) > 0 {
		x[0] = v
	}
	for n := 1; n < len(x); n *= 2 {
		copy(x[n:], x[:n])
	}
}

// in makes an input, out an output full of guard values.
func in[T element](g *gen, what string, n int, value func(i int) T) []T {
	b := alloc[T](g, what, n)
	x := b.slice()
	for i := range x {
		x[i] = value(i)
	}
	b.saved = append([]T{}, x...)
	return x
}

func out[T element](g *gen, what string, n int) []T { return alloc[T](g, what, n).slice() }

// twin makes an output with the content of x.
func twin[T element](g *gen, what string, x []T) []T {
	y := out[T](g, what, len(x))
	copy(y, x)
	return y
}

// mask makes an output for n bits, now and then longer than it needs to be.
func (g *gen) mask(n int) []uint8 {
	if g.one(4) {
		return nil
	}
	return out[uint8](g, "mask", (n+7)/8+max(g.intn(-4, 2), 0))
}

// wanted makes room for what ref writes where the set writes got: of the same
// length, nil where got is, and with the same content.
func wanted[T element](got []T) []T { return append([]T(nil), got...) }

// bits makes the mask of n elements that a kernel reads; nil now and then.
func (g *gen) bits(n int) []uint8 {
	if g.one(4) {
		return nil
	}
	return in(g, "mask", (n+7)/8, func(i int) uint8 {
		b := uint8(g.seed.Next())
		if left := n - 8*i; left < 8 {
			b &= 1<<left - 1
		}
		return b
	})
}

// scratch makes exactly the room that a kernel asked for, full of guard values.
func (g *gen) scratch(r kernel.Room) *kernel.Scratch {
	return &kernel.Scratch{F32: out[float32](g, "scratch", r.F32), F64: out[float64](g, "scratch", r.F64), I32: out[int32](g, "scratch", r.I32), U8: out[uint8](g, "scratch", r.U8)}
}

// dirty fills a scratch with guard values again: its content means nothing between two calls.
func dirty(s *kernel.Scratch) {
	fill(s.F32, guard[float32]())
	fill(s.F64, guard[float64]())
	fill(s.I32, guard[int32]())
	fill(s.U8, guard[uint8]())
}

// guard is NaN for floats, so that reading it shows, and 0x55… for integers.
func guard[T element]() T {
	var v T
	switch p := any(&v).(type) {
	case *float32:
		*p = math.Float32frombits(0x7fc05555)
	case *float64:
		*p = math.Float64frombits(0x7ff8555555555555)
	case *int8:
		*p = 0x55
	case *uint8:
		*p = 0x55
	case *int32:
		*p = 0x55555555
	}
	return v
}

func bitsOf[T element](v T) uint64 {
	switch v := any(v).(type) {
	case float32:
		return uint64(math.Float32bits(v))
	case float64:
		return math.Float64bits(v)
	}
	return uint64(int64(v))
}

func (b *buffer[T]) check() error {
	end := b.at + b.n
	for _, outside := range [][2]int{{0, b.at}, {end, len(b.whole)}} {
		for i := outside[0]; i < outside[1]; i++ {
			if bitsOf(b.whole[i]) != bitsOf(guard[T]()) {
				return fmt.Errorf("%s was written at %d, outside its %d elements", b.what, i-b.at, b.n)
			}
		}
	}
	for i, v := range b.saved {
		if bitsOf(b.whole[b.at+i]) != bitsOf(v) {
			return fmt.Errorf("the input %s was written at %d", b.what, i)
		}
	}
	return nil
}

// done checks the surroundings of every buffer and returns what went wrong.
func (g *gen) done() error {
	for _, b := range g.bufs {
		if err := b.check(); err != nil {
			g.errs = append(g.errs, err)
		}
	}
	if len(g.errs) == 0 {
		return nil
	}
	if g.detail != "" {
		g.errorf("it is %s", g.detail)
	}
	return errors.Join(g.errs...)
}
