package observers

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"testing"

	"qpipe/interp/part"
	"qpipe/ops/quant"
)

// specs are all quantizations that an observer may be asked about.
func specs() (all []quant.Spec) {
	for _, d := range []quant.DType{quant.Int4, quant.Int8, quant.Int16, quant.UInt8} {
		for _, scheme := range []quant.Scheme{quant.Symmetric, quant.Affine} {
			for _, rule := range []quant.ScaleRule{quant.MaxRule, quant.HalfRange} {
				for _, round := range []quant.Rounding{quant.HalfEven, quant.HalfUp} {
					all = append(all, quant.Spec{DType: d, Scheme: scheme, Rule: rule, Rounding: round})
				}
			}
		}
	}
	return append(all, quant.Spec{DType: quant.Int8, Narrow: true, PerChannel: true})
}

// samples are values with a few outliers; relu makes them all non-negative.
func samples(seed uint64, n int, relu bool) []float32 {
	r := part.NewRand(seed)
	x := make([]float32, n)
	for i := range x {
		v := r.Float64() + r.Float64() + r.Float64() - 1.5
		if r.Intn(200) == 0 {
			v *= 6
		}
		if x[i] = float32(v); relu {
			x[i] = max(x[i], 0)
		}
	}
	return x
}

func observer(t *testing.T, o part.Observer, err error) part.Observer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestMinMaxIsTheRange(t *testing.T) {
	made, err := NewMinMax(MinMaxDefaults())
	o := observer(t, made, err)
	if lo, hi := o.Range(nil, -3, 7, quant.Spec{DType: quant.Int8}); lo != -3 || hi != 7 {
		t.Error(lo, hi)
	}
	if o.Averaging() != 0.01 || o.Fixed() {
		t.Error(o.Averaging(), o.Fixed())
	}
}

// The order statistics are those of a sorted copy.
func TestPercentileAgainstSorting(t *testing.T) {
	for _, n := range []int{1, 2, 3, 100, 999, 5000} {
		for _, p := range []float64{50.1, 90, 99, 99.9, 100} {
			made, err := NewPercentile(PercentileArgs{Percentile: p, AveragingConstant: 0.01})
			o := observer(t, made, err)
			x := samples(uint64(n), n, false)
			byValue := slices.Sorted(slices.Values(x))
			byMagnitude := slices.Clone(x)
			slices.SortFunc(byMagnitude, func(a, b float32) int { return cmp.Compare(abs(a), abs(b)) })
			k := exactRank(p, n) - 1
			lo, hi := byValue[0], byValue[n-1]

			gotLo, gotHi := o.Range(x, lo, hi, quant.Spec{DType: quant.Int8, Scheme: quant.Affine})
			if gotLo != byValue[n-1-k] || gotHi != byValue[k] {
				t.Errorf("n %d, p %v, affine: %v %v, want %v %v", n, p, gotLo, gotHi, byValue[n-1-k], byValue[k])
			}
			a := abs(byMagnitude[k])
			gotLo, gotHi = o.Range(x, lo, hi, quant.Spec{DType: quant.Int8})
			if gotLo != max(lo, -a) || gotHi != min(hi, a) {
				t.Errorf("n %d, p %v: %v %v, want ±%v", n, p, gotLo, gotHi, a)
			}
			inside := 0
			for _, v := range x {
				if v >= gotLo && v <= gotHi {
					inside++
				}
			}
			if inside < exactRank(p, n) {
				t.Errorf("n %d, p %v: the range holds %d", n, p, inside)
			}
		}
	}
}

// exactRank is ⌈n·p/100⌉ in rational numbers, with p as it is written.
func exactRank(p float64, n int) int {
	r, _ := new(big.Rat).SetString(strconv.FormatFloat(p, 'g', -1, 64))
	r.Mul(r, big.NewRat(int64(n), 100))
	q, rest := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return min(max(int(q.Int64()), 1), n)
}

// TestRanks: the rank is that of exact arithmetic, for customary and for odd percentiles and
// for all numbers of values.
func TestRanks(t *testing.T) {
	percentiles := []float64{50.1, 66.6, 90, 95, 99, 99.5, 99.89, 99.9, 99.95, 99.99, 99.995, 99.999, 99.9999, 100, math.Nextafter(100, 0), math.Nextafter(50, 100)}
	r := part.NewRand(4)
	for range 50 {
		percentiles = append(percentiles, 50+50*r.Float64(), math.Ceil(1e4*(50+49*r.Float64()))/1e4)
	}
	for _, p := range percentiles {
		s := percent(p)
		check := func(n int) {
			if got, want := s.rank(n), exactRank(p, n); got != want {
				t.Fatalf("%v %% of %d values: rank %d, want %d", p, n, got, want)
			}
		}
		for n := 1; n < 1200; n++ {
			check(n)
		}
		for _, n := range []int{98000, 1_000_000, 802_816, 1 << 31, 1 << 40} {
			check(n)
		}
	}
	if got := percent(99.9).rank(98000); got != 97902 {
		t.Errorf("99.9 %% of 98000 is rank %d", got)
	}
}

func abs(v float32) float32 { return float32(math.Abs(float64(v))) }

// lost is Σ(x - fakequant(x))² with ops/quant's own arithmetic.
func lost(x []float32, lo, hi float32, s quant.Spec) float64 {
	scale, zero := s.Scale(lo, hi)
	q := s.Params(scale, zero)
	sum := 0.0
	for _, v := range x {
		d := float64(v) - float64(quant.Fake(v, q))
		sum += d * d
	}
	return sum
}

// Of the candidate ranges none loses (noticeably) less than the one found.
func TestMSEAgainstBruteForce(t *testing.T) {
	for _, s := range specs() {
		for _, n := range []int{9, 500, 20_000} {
			if s.DType == quant.Int16 && n > bins {
				continue // the quantization's own steps are finer than the histogram's
			}
			for _, relu := range []bool{false, true} {
				made, err := NewMSE(MSEArgs{NumCandidates: 20, AveragingConstant: 0.01})
				o := observer(t, made, err)
				x := samples(uint64(n), n, relu)
				lo, hi := slices.Min(x), slices.Max(x)
				gotLo, gotHi := o.Range(x, lo, hi, s)
				best := math.Inf(1)
				for i := 1; i <= 20; i++ {
					share := float64(i) / 20
					best = min(best, lost(x, float32(share*float64(lo)), float32(share*float64(hi)), s))
				}
				if got := lost(x, gotLo, gotHi, s); got > best*1.02+1e-12 {
					t.Errorf("%+v, n %d, relu %v: [%v, %v] loses %v, the best %v", s, n, relu, gotLo, gotHi, got, best)
				}
				if !(gotLo <= gotHi && gotLo >= lo && gotHi <= hi) {
					t.Errorf("[%v, %v] is not a part of [%v, %v]", gotLo, gotHi, lo, hi)
				}
			}
		}
	}
}

// The mse observer cuts off lone outliers where that pays: few codes, many values.
func TestMSECutsOutliers(t *testing.T) {
	made, err := NewMSE(MSEDefaults())
	x := append(samples(3, 20_000, false), 20)
	_, hi := observer(t, made, err).Range(x, slices.Min(x), 20, quant.Spec{DType: quant.Int4})
	if hi > 5 {
		t.Errorf("the range goes up to %v", hi)
	}
}

// The range of fixed_scale has the given scale, to the last bit but one.
func TestFixedScale(t *testing.T) {
	r := part.NewRand(9)
	for _, s := range specs() {
		for i := range 200 {
			scale := math.Exp(12*r.Float64() - 10)
			if i == 0 {
				scale = 1.0 / 127
			}
			made, err := NewFixedScale(FixedScaleArgs{Scale: scale})
			o := observer(t, made, err)
			got, zero := s.Scale(o.Range(nil, -1, 1, s))
			if ulps := int64(math.Float32bits(got)) - int64(math.Float32bits(float32(scale))); ulps < -1 || ulps > 1 {
				t.Fatalf("%+v: scale %v, want %v", s, got, float32(scale))
			}
			if unsigned := s.DType == quant.UInt8 && s.Scheme == quant.Symmetric; !unsigned && zero != 0 {
				t.Fatalf("%+v: zero point %d", s, zero)
			}
		}
	}
	made, err := NewFixedScale(FixedScaleArgs{Scale: 1.0 / 127})
	o := observer(t, made, err)
	lo, hi := o.Range(nil, 0, 0, quant.Spec{DType: quant.Int8})
	if lo != -1 || hi != 1 || !o.Fixed() || o.Averaging() != 1 {
		t.Errorf("1/127 covers [%v, %v]", lo, hi)
	}
}

// The order of the values does not matter, and what is not finite passes through
// for the loop to stop at.
func TestObserversAreFunctionsOfTheValues(t *testing.T) {
	p, err1 := NewPercentile(PercentileDefaults())
	m, err2 := NewMSE(MSEDefaults())
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, o := range map[string]part.Observer{"percentile": p, "mse": m} {
		x := samples(8, 10_000, false)
		lo, hi := slices.Min(x), slices.Max(x)
		for _, s := range specs() {
			l1, h1 := o.Range(x, lo, hi, s)
			y := slices.Clone(x)
			slices.Reverse(y)
			if l2, h2 := o.Range(y, lo, hi, s); l1 != l2 || h1 != h2 {
				t.Errorf("%s %+v: [%v, %v] and reversed [%v, %v]", name, s, l1, h1, l2, h2)
			}
			if l, h := o.Range([]float32{1, nan}, nan, nan, s); l == l || h == h {
				t.Errorf("%s: NaN gives [%v, %v]", name, l, h)
			}
			if _, h := o.Range([]float32{1, inf}, 1, inf, s); s.Scheme == quant.Symmetric && h != inf && name == "mse" {
				t.Errorf("%s: infinity gives %v", name, h)
			}
			if l, h := o.Range([]float32{2, 2}, 2, 2, s); l != 2 || h != 2 {
				t.Errorf("%s: equal values give [%v, %v]", name, l, h)
			}
		}
	}
}

func TestBadArguments(t *testing.T) {
	for i, c := range []struct {
		attr string
		err  error
	}{
		{"averaging_constant", MinMaxArgs{AveragingConstant: 1.1}.Validate()},
		{"averaging_constant", MSEArgs{NumCandidates: 9, AveragingConstant: -1}.Validate()},
		{"num_candidates", MSEArgs{NumCandidates: 1}.Validate()},
		{"percentile", PercentileArgs{Percentile: 101}.Validate()},
		{"percentile", PercentileArgs{Percentile: math.NaN()}.Validate()},
		{"averaging_constant", PercentileArgs{Percentile: 99, AveragingConstant: 2}.Validate()},
		{"scale", FixedScaleArgs{}.Validate()},
		{"scale", FixedScaleArgs{Scale: math.Inf(1)}.Validate()},
	} {
		var arg *part.ArgError
		if !errors.As(c.err, &arg) || arg.Attr != c.attr {
			t.Errorf("%d: %s: %v", i, c.attr, c.err)
		}
	}
}

func BenchmarkObservers(b *testing.B) {
	p, _ := NewPercentile(PercentileDefaults())
	m, _ := NewMSE(MSEDefaults())
	x := samples(1, 128*28*28*16, true)
	lo, hi := slices.Min(x), slices.Max(x)
	for name, o := range map[string]part.Observer{"percentile": p, "mse": m} {
		b.Run(fmt.Sprintf("%s/%d", name, len(x)), func(b *testing.B) {
			for b.Loop() {
				o.Range(x, lo, hi, quant.Spec{DType: quant.Int8})
			}
		})
	}
}
