package picture

import (
	"math"
	"slices"
)

// Filter is how the pixels of an image of another size are computed.
type Filter string

// The filters.
const (
	Nearest  Filter = "nearest"
	Bilinear Filter = "bilinear"
	Bicubic  Filter = "bicubic"
)

// kernel returns a filter's weight by distance, and the distance from which on it is 0. An image that is made smaller
// stretches the filter, so that every pixel counts.
func (f Filter) kernel() (weight func(x float64) float64, support float64) {
	if f == Bicubic {
		return cubic, 2
	}
	return triangle, 1
}

func triangle(x float64) float64 { return max(1-math.Abs(x), 0) }

// cubic is the cubic convolution of Keys (1981) with a = -1/2.
func cubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return float64((float64((a+2)*x)-(a+3))*float64(x*x)) + 1
	case x < 2:
		return (float64((float64((x-5)*x)+8)*x) - 4) * a
	}
	return 0
}

// Resampler gives images another size. Its memory is used again.
type Resampler struct {
	rows, columns axis
	between       []uint8 // the image after the first pass
	sums          []int32 // of a row of the second
}

// precision is the number of bits of a weight: sums of pixels times weights stay below 2^31.
const precision = 32 - 8 - 2

// axis says for each position of the result along one axis which pixels it is made of: those from first on, and their
// weights, in size places each.
type axis struct {
	in, out int
	filter  Filter
	size    int
	first   []int
	count   []int
	weights []int32
	exact   []float64
}

// plan prepares the weights of a result with so many positions.
func (a *axis) plan(in, out int, f Filter) {
	if a.in == in && a.out == out && a.filter == f {
		return
	}
	a.in, a.out, a.filter = in, out, f
	weight, support := f.kernel()
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	support = float64(support * stretch)
	a.size = 2*int(math.Ceil(support)) + 1
	a.first, a.count = sized(a.first, out), sized(a.count, out)
	a.weights, a.exact = sized(a.weights, out*a.size), sized(a.exact, a.size)
	for i := range out {
		center := float64((float64(i) + 0.5) * scale)
		first := max(int(center-support+0.5), 0)
		n := min(int(center+support+0.5), in) - first
		sum := 0.0
		for k := range n {
			a.exact[k] = weight((float64(k+first) - center + 0.5) * (1 / stretch))
			sum += a.exact[k]
		}
		for k := range n {
			a.weights[i*a.size+k] = int32(math.Round(a.exact[k] / sum * (1 << precision)))
		}
		a.first[i], a.count[i] = first, n
	}
}

func sized[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

// Resize writes the image in the area of src that begins at (top, left) and has h×w pixels to dst, with the height and
// the width that dst has. Channels are not mixed.
func (r *Resampler) Resize(src *Map, top, left, h, w int, f Filter, dst *Map) {
	dst.resize(dst.H, dst.W, src.C)
	if f == Nearest {
		Pick(src.Pix[(top*src.W+left)*src.C:], src.W*src.C, h, w, src.C, dst.Pix, dst.H, dst.W)
		return
	}
	r.columns.plan(w, dst.W, f)
	r.rows.plan(h, dst.H, f)
	// The first pass is along rows, over those rows only that the second one reads.
	from, to := r.rows.span()
	line := dst.W * src.C
	pix := src.Pix[((top+from)*src.W+left)*src.C:]
	if w != dst.W {
		r.between = sized(r.between, (to-from)*line)
		for y := range to - from {
			across(pix[y*src.W*src.C:][:w*src.C], r.between[y*line:][:line], src.C, &r.columns)
		}
		r.down(r.between, line, from, dst.Pix, line)
		return
	}
	r.down(pix, src.W*src.C, from, dst.Pix, line)
}

// span returns the first input position that is used, and the one after the last.
func (a *axis) span() (from, to int) {
	last := a.out - 1
	return a.first[0], a.first[last] + a.count[last]
}

// across computes a row of the first pass.
func across(in, out []uint8, channels int, a *axis) {
	switch channels {
	case 1:
		across1(in, out, a)
	case 3:
		across3(in, out, a)
	default:
		for c := range channels {
			for i := range a.out {
				sum := int32(1 << (precision - 1))
				for k, w := range a.weights[i*a.size:][:a.count[i]] {
					sum += int32(in[(a.first[i]+k)*channels+c]) * w
				}
				out[i*channels+c] = clamp(sum >> precision)
			}
		}
	}
}

func across1(in, out []uint8, a *axis) {
	for i := range a.out {
		weights := a.weights[i*a.size:][:a.count[i]]
		pix := in[a.first[i]:][:len(weights)]
		sum := int32(1 << (precision - 1))
		for k, w := range weights {
			sum += int32(pix[k]) * w
		}
		out[i] = clamp(sum >> precision)
	}
}

func across3(in, out []uint8, a *axis) {
	const half = 1 << (precision - 1)
	for i := range a.out {
		weights := a.weights[i*a.size:][:a.count[i]]
		pix := in[3*a.first[i]:][:3*len(weights)]
		red, green, blue := int32(half), int32(half), int32(half)
		for _, w := range weights {
			if len(pix) < 3 {
				break
			}
			red += int32(pix[0]) * w
			green += int32(pix[1]) * w
			blue += int32(pix[2]) * w
			pix = pix[3:]
		}
		o := out[3*i : 3*i+3 : 3*i+3]
		o[0], o[1], o[2] = clamp(red>>precision), clamp(green>>precision), clamp(blue>>precision)
	}
}

// down computes the second pass: each row of out is a weighted sum of rows of in, which begin with row from.
func (r *Resampler) down(in []uint8, stride, from int, out []uint8, line int) {
	a := &r.rows
	r.sums = sized(r.sums, line)
	for i := range a.out {
		weights, to := a.weights[i*a.size:][:a.count[i]], out[i*line:][:line]
		first := (a.first[i] - from) * stride
		row := func(k int) []uint8 { return in[first+k*stride:][:line] }
		switch len(weights) {
		case 1:
			rowOf1(to, row(0), weights[0])
		case 2:
			rowOf2(to, row(0), row(1), weights[0], weights[1])
		case 3:
			rowOf3(to, row(0), row(1), row(2), weights[0], weights[1], weights[2])
		default:
			for x := range r.sums {
				r.sums[x] = 1 << (precision - 1)
			}
			for k, w := range weights {
				for x, v := range row(k) {
					r.sums[x] += int32(v) * w
				}
			}
			for x, sum := range r.sums {
				to[x] = clamp(sum >> precision)
			}
		}
	}
}

func rowOf1(to, a []uint8, wa int32) {
	if wa == 1<<precision {
		copy(to, a)
		return
	}
	for x, v := range a[:len(to)] {
		to[x] = clamp((1<<(precision-1) + int32(v)*wa) >> precision)
	}
}

func rowOf2(to, a, b []uint8, wa, wb int32) {
	a, b = a[:len(to)], b[:len(to)]
	for x := range to {
		to[x] = clamp((1<<(precision-1) + int32(a[x])*wa + int32(b[x])*wb) >> precision)
	}
}

func rowOf3(to, a, b, c []uint8, wa, wb, wc int32) {
	a, b, c = a[:len(to)], b[:len(to)], c[:len(to)]
	for x := range to {
		to[x] = clamp((1<<(precision-1) + int32(a[x])*wa + int32(b[x])*wb + int32(c[x])*wc) >> precision)
	}
}

// Pick takes for each of outH×outW pixels the one at its centre in an h×w area, whose rows are stride values apart.
func Pick[T any](in []T, stride, h, w, channels int, out []T, outH, outW int) {
	for y := range outH {
		row := in[min(int((float64(y)+0.5)*(float64(h)/float64(outH))), h-1)*stride:]
		to := out[y*outW*channels:][:outW*channels]
		for x := range outW {
			at := min(int((float64(x)+0.5)*(float64(w)/float64(outW))), w-1)
			copy(to[x*channels:][:channels], row[at*channels:][:channels])
		}
	}
}
