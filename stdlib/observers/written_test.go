package observers

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"qpipe/interp/part"
	"qpipe/ops/quant"
)

// The functions here are docs/numerics.md, "A quant node" and "Observers", word for
// word, without a look at the program: what it computes is what the page says.

func writtenRint(s quant.Spec, v float64) float64 {
	if s.Rounding == quant.HalfUp {
		return math.Floor(v + 0.5)
	}
	return math.RoundToEven(v)
}

func writtenScale(s quant.Spec, least, most float32) (scale float32, zero float64) {
	qmin, qmax := s.Limits()
	lo, hi := min(least, 0), max(most, 0)
	if s.Scheme == quant.Affine {
		span := hi - lo
		scale = max(span/float32(qmax-qmin), 0x1p-23)
		z := float64(qmin) - writtenRint(s, float64(lo/scale))
		return scale, min(max(z, float64(qmin)), float64(qmax))
	}
	divisor := float32(qmax)
	if s.Rule == quant.HalfRange {
		divisor = float32(qmax-qmin) / 2
	}
	return max(max(-lo, hi)/divisor, 0x1p-23), 0
}

func writtenPercentile(x []float32, lo, hi float32, tenThousandths int, s quant.Spec) (float32, float32) {
	n := len(x)
	r := min(max((n*tenThousandths+999_999)/1_000_000, 1), n)
	y := slices.Clone(x)
	if s.Scheme == quant.Affine {
		slices.Sort(y)
		return y[n-r], y[r-1]
	}
	slices.SortFunc(y, func(a, b float32) int { return cmp.Compare(abs(a), abs(b)) })
	a := abs(y[r-1])
	return max(lo, -a), min(hi, a)
}

func writtenMSE(x []float32, lo, hi float32, candidates int, s quant.Spec) (float32, float32) {
	qmin, qmax := s.Limits()
	best, from, to := math.Inf(1), lo, hi
	for i := candidates; i >= 1; i-- {
		k := float64(i) / float64(candidates)
		l, u := float32(k*float64(lo)), float32(k*float64(hi))
		scale, zero := writtenScale(s, l, u)
		e := func(v float64) float64 {
			q := min(max(writtenRint(s, v/float64(scale))+zero, float64(qmin)), float64(qmax))
			product := (q - zero) * float64(scale)
			d := v - float64(product)
			return d * d
		}
		loss := 0.0
		if len(x) <= 8192 {
			for _, v := range x {
				loss += float64(e(float64(v)))
			}
		} else {
			w := (float64(hi) - float64(lo)) / 8192
			count := make([]float64, 8192)
			for _, v := range x {
				b := math.Floor((float64(v) - float64(lo)) / w)
				count[int(min(max(b, 0), 8191))]++
			}
			for b, c := range count {
				if c > 0 {
					step := (float64(b) + 0.5) * w
					loss += float64(c * e(float64(lo)+float64(step)))
				}
			}
		}
		if loss < best {
			best, from, to = loss, l, u
		}
	}
	return from, to
}

func writtenFixed(s quant.Spec, scale float32) (float32, float32) {
	qmin, qmax := s.Limits()
	nearest := func(u float32, of func(u float32) (l, h float32)) float32 {
		best, err := u, math.Inf(1)
		below, above := math.Nextafter32(u, 0), math.Nextafter32(u, math.MaxFloat32)
		for _, c := range []float32{u, below, above, math.Nextafter32(below, 0), math.Nextafter32(above, math.MaxFloat32)} {
			got, _ := writtenScale(s, first(of(c)), second(of(c)))
			if d := math.Abs(float64(got) - float64(scale)); d < err {
				best, err = c, d
			}
		}
		return best
	}
	if s.Scheme == quant.Affine {
		l := scale * float32(qmin)
		u := nearest(scale*float32(qmax), func(u float32) (float32, float32) { return l, u })
		return l, u
	}
	one, _ := writtenScale(s, -1, 1)
	u := nearest(scale/one, func(u float32) (float32, float32) { return -u, u })
	return -u, u
}

func first(a, _ float32) float32  { return a }
func second(_, b float32) float32 { return b }

func TestWritten(t *testing.T) {
	r := part.NewRand(77)
	for _, s := range specs() {
		if s.DType == quant.UInt8 && s.Scheme == quant.Symmetric {
			continue // there is no such thing in a pipeline
		}
		for _, n := range []int{1, 2, 37, 1000, 8192, 8193, 20_000} {
			x := samples(uint64(n), n, n%2 == 1)
			for i := range x {
				if r.Intn(5) == 0 {
					x[i] = float32(math.Round(float64(x[i])*8) / 8) // ties
				}
			}
			lo, hi := slices.Min(x), slices.Max(x)
			if a, b := s.Scale(lo, hi); true {
				if c, d := writtenScale(s, lo, hi); a != c || float64(b) != d {
					t.Fatalf("%+v: the scale of [%v, %v] is %v, %d; as written %v, %v", s, lo, hi, a, b, c, d)
				}
			}
			for percent, tenThousandths := range map[float64]int{99.99: 999_900, 99.9: 999_000, 75: 750_000, 100: 1_000_000, 62.0571: 620_571} {
				o, err := NewPercentile(PercentileArgs{Percentile: percent, AveragingConstant: 1})
				a, b := observer(t, o, err).Range(x, lo, hi, s)
				if c, d := writtenPercentile(x, lo, hi, tenThousandths, s); a != c || b != d {
					t.Errorf("%+v, %d values, percentile %v: [%v, %v], as written [%v, %v]", s, n, percent, a, b, c, d)
				}
			}
			o, err := NewMSE(MSEArgs{NumCandidates: 17, AveragingConstant: 1})
			a, b := observer(t, o, err).Range(x, lo, hi, s)
			c, d := lo, hi
			if lo != hi {
				c, d = writtenMSE(x, lo, hi, 17, s)
			}
			if a != c || b != d {
				t.Errorf("%+v, %d values, mse: [%v, %v], as written [%v, %v]", s, n, a, b, c, d)
			}
		}
		for range 50 {
			scale := math.Exp(10*r.Float64() - 8)
			o, err := NewFixedScale(FixedScaleArgs{Scale: scale})
			a, b := observer(t, o, err).Range(nil, 0, 0, s)
			if c, d := writtenFixed(s, float32(scale)); a != c || b != d {
				t.Errorf("%+v, fixed_scale %v: [%v, %v], as written [%v, %v]", s, scale, a, b, c, d)
			}
		}
	}
}

// TestWrittenAverage: the range of a node over batches, as the page has it.
func TestWrittenAverage(t *testing.T) {
	r := part.NewRand(5)
	for _, constant := range []float64{0, 0.01, 0.3, 1} {
		o, err := NewMinMax(MinMaxArgs{AveragingConstant: constant})
		n := quant.NewNode(quant.Spec{DType: quant.Int8}, observer(t, o, err))
		var least, most float32
		for i := range 40 {
			l, u := -float32(r.Float64()), float32(r.Float64())
			n.Observe(nil, l, u)
			c := float32(constant)
			if i == 0 || c == 1 {
				least, most = l, u
			} else {
				a, b := l-least, u-most
				a, b = c*a, c*b
				least, most = least+float32(a), most+float32(b)
			}
			if n.Min != least || n.Max != most {
				t.Fatalf("c = %v, batch %d: [%v, %v], as written [%v, %v]", constant, i, n.Min, n.Max, least, most)
			}
		}
	}
}
