package observers

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	"qpipe/interp/part"
	"qpipe/ops/quant"
)

// PercentileArgs are the arguments of percentile.
type PercentileArgs struct {
	Percentile        float64 `arg:"percentile,optional" doc:"Share of the values, in percent, that the range must hold."`
	AveragingConstant float64 `arg:"averaging_constant,optional" doc:"Share c of the current batch in the moving average m += c·(batch - m); 0 is frozen after the first batch, 1 is only the current batch."`
}

// PercentileDefaults returns the defaults of percentile.
func PercentileDefaults() PercentileArgs {
	return PercentileArgs{Percentile: 99.99, AveragingConstant: 0.01}
}

// Validate implements the language's check after decoding.
func (a PercentileArgs) Validate() error {
	if !(a.Percentile > 50 && a.Percentile <= 100) {
		return part.Bad("percentile", "%v percent; it must be above 50 and at most 100, 99.9 to 99.999 is customary", a.Percentile)
	}
	return averaging(a.AveragingConstant)
}

type percentile struct {
	moving
	share
}

// share is a part of a hundred as the decimal number that was written, num/den of the
// whole: 99.9 % is 999/1000, which no float64 is.
type share struct{ num, den uint64 }

// percent reads p as the shortest decimal that represents it.
func percent(p float64) share {
	digits, fraction, _ := strings.Cut(strconv.FormatFloat(p, 'f', -1, 64), ".")
	s := share{den: 100}
	for range fraction {
		s.den *= 10
	}
	s.num, _ = strconv.ParseUint(digits+fraction, 10, 64) // at most 100 with 16 decimals: 19 digits
	return s
}

// rank is ⌈n·num/den⌉, exactly, and between 1 and n.
func (s share) rank(n int) int {
	hi, lo := bits.Mul64(uint64(n), s.num)
	lo, carry := bits.Add64(lo, s.den-1, 0)
	rank, _ := bits.Div64(hi+carry, lo, s.den)
	return min(max(int(rank), 1), n)
}

// NewPercentile returns the observer that leaves out the outermost values. With a symmetric scheme the range is given
// by the smallest magnitude that at least that share of the values does not exceed; with a zero point each side leaves
// out its own share. The order statistic is exact, not taken from a histogram: of n values it is the one of rank
// ⌈n·percentile/100⌉, with the percentile as the decimal number that was written.
func NewPercentile(a PercentileArgs) (part.Observer, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return percentile{moving(a.AveragingConstant), percent(a.Percentile)}, nil
}

// Range implements quant.Observer.
func (o percentile) Range(x []float32, lo, hi float32, s quant.Spec) (float32, float32) {
	if len(x) == 0 || lo != lo || hi != hi {
		return lo, hi
	}
	k := o.rank(len(x)) - 1
	if s.Scheme == quant.Affine {
		return ordered(kth(x, len(x)-1-k, orderKey)), ordered(kth(x, k, orderKey))
	}
	a := math.Float32frombits(kth(x, k, magnitudeKey))
	return max(lo, -a), min(hi, a)
}

// magnitudeKey orders by |x|, orderKey by x; ordered undoes the latter.
func magnitudeKey(x float32) uint32 { return math.Float32bits(x) &^ (1 << 31) }

func orderKey(x float32) uint32 {
	b := math.Float32bits(x)
	if b>>31 != 0 {
		return ^b
	}
	return b | 1<<31
}

func ordered(k uint32) float32 {
	if k>>31 != 0 {
		return math.Float32frombits(k &^ (1 << 31))
	}
	return math.Float32frombits(^k)
}

// kth returns the k-th smallest key (from 0) of the values: a radix selection in
// three passes of 11, 11 and 10 bits that reorders and allocates nothing.
func kth(x []float32, k int, key func(float32) uint32) uint32 {
	var prefix, mask uint32
	for _, shift := range [...]uint{21, 10, 0} {
		var count [1 << 11]int
		digits := uint32(1)<<11 - 1
		if shift == 0 {
			digits = 1<<10 - 1
		}
		for _, v := range x {
			if u := key(v); u&mask == prefix {
				count[u>>shift&digits]++
			}
		}
		d := uint32(0)
		for k >= count[d] {
			k -= count[d]
			d++
		}
		prefix |= d << shift
		mask |= digits << shift
	}
	return prefix
}
