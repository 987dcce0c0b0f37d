// Package observers is the shelf of observers: it turns the values of a batch into the range to quantize them with. An
// observer has no state (the quant node keeps the moving average over batches) and computes in a fixed order, so the
// same values give the same range everywhere.
package observers

import (
	"qpipe/interp/part"
	"qpipe/ops/quant"
)

// moving is common to all observers of data: the averaging constant.
type moving float32

// Averaging implements quant.Observer.
func (m moving) Averaging() float32 { return float32(m) }

// Fixed implements quant.Observer.
func (moving) Fixed() bool { return false }

func averaging(c float64) error {
	if !(c >= 0 && c <= 1) {
		return part.Bad("averaging_constant", "%v must lie between 0 (frozen after the first batch) and 1 (only the current batch)", c)
	}
	return nil
}

// MinMaxArgs are the arguments of min_max.
type MinMaxArgs struct {
	AveragingConstant float64 `arg:"averaging_constant,optional" doc:"Share c of the current batch in the moving average m += c·(batch - m); 0 is frozen after the first batch, 1 is only the current batch."`
}

// MinMaxDefaults returns the defaults of min_max.
func MinMaxDefaults() MinMaxArgs { return MinMaxArgs{AveragingConstant: 0.01} }

// Validate implements the language's check after decoding.
func (a MinMaxArgs) Validate() error { return averaging(a.AveragingConstant) }

type minMax struct{ moving }

// NewMinMax returns the observer whose range is that of the values.
func NewMinMax(a MinMaxArgs) (part.Observer, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return minMax{moving(a.AveragingConstant)}, nil
}

// Range implements quant.Observer.
func (minMax) Range(_ []float32, lo, hi float32, _ quant.Spec) (float32, float32) { return lo, hi }

// ExtremesOnly tells quant nodes that this observer needs only the extremes.
func (minMax) ExtremesOnly() bool { return true }
