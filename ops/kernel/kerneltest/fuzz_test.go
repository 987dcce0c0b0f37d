package kerneltest_test

import (
	"math"
	"testing"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/kerneltest"
	"qpipe/ops/kernel/sets"
)

// FuzzQuantize: whatever the bits of a value and a scale, no set panics or wraps:
// codes stay in their limits, FakeQuant gives the code's value or NaN, and every
// set agrees with ref.
func FuzzQuantize(f *testing.F) {
	for _, x := range []uint32{0, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x4f000000, 0x3f000000, 1, 0x80000001} {
		f.Add(x, uint32(0x3f000000), uint8(131), true)
		f.Add(x, uint32(0), uint8(0), false)
	}
	f.Fuzz(func(t *testing.T, xBits, scaleBits uint32, zero uint8, halfUp bool) {
		x := []float32{math.Float32frombits(xBits)}
		q := kernel.Quant{Scale: math.Float32frombits(scaleBits), Zero: int32(zero), Min: 1, Max: 254, HalfUp: halfUp}
		var first [2]uint8
		for i, s := range sets.All() {
			code, value, mask, again := make([]uint8, 1), make([]float32, 1), make([]uint8, 1), make([]uint8, 1)
			s.Quantize(x, code, mask, q, kernel.ReLU6)
			s.FakeQuant(x, value, again, q, kernel.ReLU6)
			if code[0] < 1 || code[0] > 254 {
				t.Fatalf("%s: code %d", s.Name, code[0])
			}
			if v := float32(int32(code[0])-q.Zero) * q.Scale; value[0] != v && value[0] == value[0] {
				t.Fatalf("%s: value %g of the code %d, want %g", s.Name, value[0], code[0], v)
			}
			if i == 0 {
				first = [2]uint8{code[0], mask[0]}
			} else if got := [2]uint8{code[0], mask[0]}; got != first || again[0] != mask[0] {
				t.Fatalf("%s: code and mask %v (FakeQuant's %d), want %v", s.Name, got, again[0], first)
			}
			if lo, hi := s.MinMax(x); lo != hi && (lo == lo || hi == hi) {
				t.Fatalf("%s: extremes of one value are %g and %g", s.Name, lo, hi)
			}
		}
	})
}

// TestBrokenSets: the checks find what they look for.
func TestBrokenSets(t *testing.T) {
	for name, breakIt := range faults() {
		s, err := sets.ByName("ref")
		if err != nil {
			t.Fatal(err)
		}
		breakIt(s)
		if len(kerneltest.Mistakes(s, 40)) == 0 {
			t.Errorf("a set that %s passes", name)
		}
	}
}

// faults are ways to break a set that is right.
func faults() map[string]func(s *kernel.Set) {
	return map[string]func(s *kernel.Set){
		"writes past the end": func(s *kernel.Set) {
			f := s.AddTo
			s.AddTo = func(x, y []float32) { f(x, y); y[:len(y)+1][len(y)] = 1 }
		},
		"writes its input": func(s *kernel.Set) { f := s.AddTo; s.AddTo = func(x, y []float32) { f(x, y); clear(x) } },
		"is wrong by one": func(s *kernel.Set) {
			f := s.Quantize
			s.Quantize = func(x []float32, y, mask []uint8, q kernel.Quant, act kernel.Act) { f(x, y, mask, q, act); addOne(y) }
		},
		"ignores the range": wrapForward(func(f forward, c *call) { f(c, c.r0, c.r0, c.o0, c.o1) }),
		"depends on the rows": wrapForward(func(f forward, c *call) {
			f(c, c.r0, c.r1, c.o0, c.o1)
			if c.r0 < c.r1 && c.r1-c.r0 < c.p.Rows() && c.o0 < c.o1 {
				bend(&c.y[c.r0*c.p.OW*c.p.OutC+c.o0])
			}
		}),
		"depends on the channels": wrapForward(func(f forward, c *call) {
			f(c, c.r0, c.r1, c.o0, c.o1)
			if c.r0 < c.r1 && c.o0 < c.o1 && c.o1-c.o0 < c.p.OutC {
				bend(&c.y[c.r0*c.p.OW*c.p.OutC+c.o0])
			}
		}),
		"computes all channels": wrapForward(func(f forward, c *call) { f(c, c.r0, c.r1, 0, c.p.OutC) }),
		"is imprecise":          wrapForward(func(f forward, c *call) { f(c, c.r0, c.r1, c.o0, c.o1); scale(c.y, 1.0001) }),
		"lacks a kernel":        func(s *kernel.Set) { s.SGD = nil },
		"lacks a room":          families(func(c *kernel.ConvKernels) { c.Int8Room = nil }),
		"writes past its scratch": families(func(c *kernel.ConvKernels) {
			f := c.BackwardData
			c.BackwardData = func(p *kernel.Conv, dy, w, dx []float32, add bool, sc *kernel.Scratch, r0, r1 int) {
				f(p, dy, w, dx, add, sc, r0, r1)
				sc.F32[:1][0] = 1
			}
		}),
		"trusts its scratch": families(func(c *kernel.ConvKernels) {
			f := c.Forward
			c.ForwardRoom = func(*kernel.Conv) kernel.Room { return kernel.Room{F32: 1} }
			c.Forward = func(p *kernel.Conv, x, w, y []float32, sc *kernel.Scratch, r0, r1, o0, o1 int) {
				f(p, x, w, y, sc, r0, r1, o0, o1)
				if r0 < r1 && o0 < o1 {
					y[r0*p.OW*p.OutC+o0] += 0 * sc.F32[0]
				}
			}
		}),
		"forgets the last image": families(func(c *kernel.ConvKernels) {
			f := c.BackwardWeights
			c.BackwardWeights = func(p *kernel.Conv, x kernel.Operand, dy, dw []float32, sc *kernel.Scratch, n0, n1, o0, o1 int) {
				f(p, x, dy, dw, sc, n0, max(n0, n1-1), o0, o1)
			}
		}),
		"saturates": families(func(c *kernel.ConvKernels) {
			f := c.Int8
			c.Int8 = func(p *kernel.Conv, x []uint8, pad uint8, w []int8, bias []int32, out *kernel.Int8Out, sc *kernel.Scratch, r0, r1, o0, o1 int) {
				f(p, x, pad, w, bias, out, sc, r0, r1, o0, o1)
				for i, v := range out.Acc {
					out.Acc[i] = min(max(v, -1<<20), 1<<20)
				}
			}
		}),
		"packs more than its piece": families(func(c *kernel.ConvKernels) {
			f := c.Pack
			c.Pack = func(p *kernel.Conv, w, packed []float32, _, o1 int) { f(p, w, packed, 0, o1) }
		}),
		"packs less than its piece": families(func(c *kernel.ConvKernels) {
			f := c.Int8Pack
			c.Int8Pack = func(p *kernel.Conv, w, packed []int8, sums []int32, o0, o1 int) {
				f(p, w, packed, sums, o0, max(o0, o1-1))
			}
		}),
		"reads beyond the mask": func(s *kernel.Set) {
			f := s.Gate
			s.Gate = func(g []float32, mask []uint8, y []float32, add bool) {
				f(g, mask, y, add)
				if n := len(mask); n > 0 && mask[:n+1][n] != 0 && !add {
					y[len(g)-1] = g[len(g)-1]
				}
			}
		},
		"writes padding bits": func(s *kernel.Set) {
			f := s.FakeQuant
			s.FakeQuant = func(x, y []float32, mask []uint8, q kernel.Quant, act kernel.Act) {
				f(x, y, mask, q, act)
				if len(x)%8 != 0 && mask != nil {
					mask[len(x)/8] |= 0x80
				}
			}
		},
		"writes a byte beyond the bits": func(s *kernel.Set) {
			f := s.Affine
			s.Affine = func(x []float32, z kernel.Operand, y []float32, mask []uint8, a, b []float32, act kernel.Act) {
				f(x, z, y, mask, a, b, act)
				clear(mask[min((len(x)+7)/8, len(mask)):])
			}
		},
	}
}

// call is a call of ConvForward, forward runs it with other ranges.
type (
	call struct {
		p              *kernel.Conv
		y              []float32
		r0, r1, o0, o1 int
	}
	forward func(c *call, r0, r1, o0, o1 int)
)

func wrapForward(wrap func(f forward, c *call)) func(s *kernel.Set) {
	return families(func(c *kernel.ConvKernels) {
		f := c.Forward
		c.Forward = func(p *kernel.Conv, x, w, y []float32, sc *kernel.Scratch, r0, r1, o0, o1 int) {
			wrap(func(c *call, r0, r1, o0, o1 int) { f(p, x, w, y, sc, r0, r1, o0, o1) }, &call{p, y, r0, r1, o0, o1})
		}
	})
}

// families changes the kernels of both families of convolutions.
func families(change func(c *kernel.ConvKernels)) func(s *kernel.Set) {
	return func(s *kernel.Set) {
		change(&s.Dense)
		change(&s.Depthwise)
	}
}

func addOne(y []uint8) {
	for i := range y {
		y[i]++
	}
}

// bend moves a result by one bit.
func bend(y *float32) { *y = math.Nextafter32(*y, 9) }

func scale(y []float32, by float32) {
	for i := range y {
		y[i] *= by
	}
}
