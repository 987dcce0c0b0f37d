package observers

import (
	"math"

	"qpipe/interp/part"
	"qpipe/ops/quant"
)

// MSEArgs are the arguments of mse.
type MSEArgs struct {
	NumCandidates     int     `arg:"num_candidates,optional" doc:"How many ranges are tried: 1/n, 2/n, … n/n of the range of the values."`
	AveragingConstant float64 `arg:"averaging_constant,optional" doc:"Share c of the current batch in the moving average m += c·(batch - m); 0 is frozen after the first batch, 1 is only the current batch."`
}

// MSEDefaults returns the defaults of mse.
func MSEDefaults() MSEArgs { return MSEArgs{NumCandidates: 100, AveragingConstant: 0.01} }

// Validate implements the language's check after decoding.
func (a MSEArgs) Validate() error {
	if a.NumCandidates < 2 || a.NumCandidates > 10_000 {
		return part.Bad("num_candidates", "%d; it must be 2 to 10000, 100 is customary", a.NumCandidates)
	}
	return averaging(a.AveragingConstant)
}

type mse struct {
	moving
	n int
}

// NewMSE returns the observer whose range has the smallest error: of n shrunken copies of the range of the values, the
// one with the smallest Σ(x - fakequant(x))², and of equal ones the widest. Up to 8192 values are measured one by one;
// more than that through a histogram of 8192 bins, with each value at the middle of its bin.
func NewMSE(a MSEArgs) (part.Observer, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return mse{moving(a.AveragingConstant), a.NumCandidates}, nil
}

const bins = 8192

// Range implements quant.Observer.
func (o mse) Range(x []float32, lo, hi float32, s quant.Spec) (float32, float32) {
	if !(lo < hi) || math.IsInf(float64(hi)-float64(lo), 0) {
		return lo, hi // one value, nothing, or not finite: there is nothing to search
	}
	loss := func(scale float64, zero int32) float64 { return valueLoss(x, scale, zero, s) }
	if len(x) > bins {
		h := newHistogram(x, lo, hi)
		loss = func(scale float64, zero int32) float64 { return h.loss(scale, zero, s) }
	}
	best, bestLo, bestHi := math.Inf(1), lo, hi
	for i := o.n; i >= 1; i-- {
		share := float64(i) / float64(o.n)
		l, u := float32(share*float64(lo)), float32(share*float64(hi))
		scale, zero := s.Scale(l, u)
		if e := loss(float64(scale), zero); e < best {
			best, bestLo, bestHi = e, l, u
		}
	}
	return bestLo, bestHi
}

// squaredError is (v - fakequant(v))².
func squaredError(v, scale float64, zero int32, s quant.Spec) float64 {
	qmin, qmax := s.Limits()
	q := s.Rounding.Round(v/scale) + float64(zero)
	q = min(max(q, float64(qmin)), float64(qmax))
	d := v - float64((q-float64(zero))*scale)
	return d * d
}

func valueLoss(x []float32, scale float64, zero int32, s quant.Spec) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(squaredError(float64(v), scale, zero, s))
	}
	return sum
}

// histogram counts values in equal bins from lo to hi.
type histogram struct {
	lo, width float64
	count     [bins]int
}

func newHistogram(x []float32, lo, hi float32) *histogram {
	h := &histogram{lo: float64(lo), width: (float64(hi) - float64(lo)) / bins}
	for _, v := range x {
		h.count[min(max(int((float64(v)-h.lo)/h.width), 0), bins-1)]++
	}
	return h
}

func (h *histogram) loss(scale float64, zero int32, s quant.Spec) float64 {
	var sum float64
	for i, n := range h.count {
		if n > 0 {
			mid := h.lo + float64((float64(i)+0.5)*h.width)
			sum += float64(float64(n) * squaredError(mid, scale, zero, s))
		}
	}
	return sum
}
