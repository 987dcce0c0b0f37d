package avx2

import (
	"fmt"
	"math"
	"testing"
)

func value(i int) float32 { return float32(i*2654435761>>20&255)/256 - 0.5 }

const nr = 16

func fill(n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = value(i)
	}
	return s
}

func TestRows(t *testing.T) {
	for m := 1; m <= 40; m++ {
		for _, n := range []int{1, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32} {
			if n > nr {
				continue
			}
			for _, klen := range []int{1, 3, 4, 9, 16} {
				for mode := range 4 {
					kh := 1 + (m+n)%3
					w := nr
					if n <= nr/2 {
						w = nr / 2
					}
					a, b := fill(1000), fill(kh*klen*w)
					c := fill(m*40 + 8)
					want := append([]float32(nil), c...)
					aoff, coff := make([]int32, m), make([]int32, m)
					for r := range m {
						aoff[r], coff[r] = int32(7*r%41), int32(40*(m-1-r)+3)
					}
					for r := range m {
						for j := range n {
							s := float64(0)
							to := &want[int(coff[r])+j]
							if mode&1 != 0 {
								s = float64(*to)
							}
							for i := range kh {
								for k := range klen {
									s += float64(a[int(aoff[r])+i*50+k]) * float64(b[(i*klen+k)*w+j])
								}
							}
							if mode&2 != 0 {
								s += float64(*to)
							}
							*to = float32(s)
						}
					}
					gemmRows(m, &a[0], &aoff[0], kh, klen, 50, &b[0], &c[0], &coff[0], n, mode, 0)
					for i := range c {
						if math.Abs(float64(c[i]-want[i])) > 1e-5 {
							t.Fatalf("m %d n %d klen %d kh %d mode %d: at %d %v, not %v", m, n, klen, kh, mode, i, c[i], want[i])
						}
					}
				}
			}
		}
	}
}

func TestOuter(t *testing.T) {
	for m := 1; m <= 40; m++ {
		for n := 1; n <= nr; n++ {
			for _, count := range []int{1, 2, 5} {
				a, b, c := fill(1000), fill(count*40+n), fill(m*40)
				b = b[: (count-1)*40+n : (count-1)*40+n]
				want := append([]float32(nil), c...)
				aoff, boff := make([]int32, count), make([]int32, count)
				for p := range count {
					aoff[p], boff[p] = int32(7*p%41), int32(40*p)
				}
				for r := range m {
					for j := range n {
						s := 0.0
						for p := range count {
							s += float64(a[int(aoff[p])+r]) * float64(b[int(boff[p])+j])
						}
						want[r*40+j] += float32(s)
					}
				}
				gemmOuter(count, &a[0], &aoff[0], m, &b[0], &boff[0], n, &c[0], 40)
				for i := range c {
					if math.Abs(float64(c[i]-want[i])) > 1e-5 {
						t.Fatalf("m %d n %d count %d: at %d %v, not %v", m, n, count, i, c[i], want[i])
					}
				}
			}
		}
	}
}

func TestValues(t *testing.T) {
	for n := range 70 {
		q, y := make([]uint8, n+1), make([]float32, n+1)
		for i := range q {
			q[i] = uint8(i * 7)
		}
		gemmValues(&q[0], 128, &y[0], n)
		for i := range n {
			if y[i] != float32(int(q[i])-128) {
				t.Fatal(n, i, y[i])
			}
		}
		if y[n] != 0 {
			t.Fatal("past the end")
		}
	}
}

func BenchmarkRows(b *testing.B) {
	for _, k := range []int{24, 64, 192, 256, 576, 1152, 4608} {
		for _, n := range []int{8, 16} {
			m := 192
			b.Run(fmt.Sprintf("k%d_n%d", k, n), func(b *testing.B) {
				a, bb, c := fill(m*64+k), fill(k*32), fill(m*256)
				aoff, coff := make([]int32, m), make([]int32, m)
				for r := range m {
					aoff[r], coff[r] = int32(64*r), int32(256*r)
				}
				for b.Loop() {
					gemmRows(m, &a[0], &aoff[0], 1, k, 0, &bb[0], &c[0], &coff[0], n, 0, 0)
				}
				b.ReportMetric(float64(2*m*n*k)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
	}
}

func BenchmarkOuter(b *testing.B) {
	for _, count := range []int{64, 128, 256} {
		for _, ld := range []int{64, 256, 512} {
			m := 64
			b.Run(fmt.Sprintf("p%d_ld%d", count, ld), func(b *testing.B) {
				a, bb, c := fill(count*ld), fill(count*ld), fill(m*32)
				aoff, boff := make([]int32, count), make([]int32, count)
				for r := range count {
					aoff[r], boff[r] = int32(ld*r), int32(ld*r)
				}
				for b.Loop() {
					gemmOuter(count, &a[0], &aoff[0], m, &bb[0], &boff[0], 16, &c[0], 16)
				}
				b.ReportMetric(float64(2*m*16*count)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
	}
}
