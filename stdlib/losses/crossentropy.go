// Package losses is the shelf of losses: it turns logits and labels into one
// number and its gradient. It knows no network.
package losses

import (
	"math"

	"qpipe/interp/part"
)

// CrossEntropyArgs are the arguments of CrossEntropyLoss.
type CrossEntropyArgs struct {
	LabelSmoothing float64 `arg:"label_smoothing,optional" doc:"Share of the target that is spread evenly over all classes, 0 to below 1."`
}

// Validate implements the language's check after decoding.
func (a CrossEntropyArgs) Validate() error {
	if !(a.LabelSmoothing >= 0 && a.LabelSmoothing < 1) {
		return part.Bad("label_smoothing", "%v must be at least 0 and below 1; 0.1 is customary", a.LabelSmoothing)
	}
	return nil
}

type crossEntropy struct{ smooth float64 }

// NewCrossEntropy returns PyTorch's CrossEntropyLoss with the mean over the batch: with
// the softmax p of a row and the target t = (1-s)·onehot + s/classes, where a mixed sample has shares of two labels instead of the one,
//
//	loss = -Σ t·log p,  gradient = (p - t)/n
//
// Everything is computed in float64 in a fixed order and rounded once.
func NewCrossEntropy(a CrossEntropyArgs) (part.Loss, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return crossEntropy{a.LabelSmoothing}, nil
}

// Normalizes implements part.Normalizer.
func (crossEntropy) Normalizes() {}

// Loss implements part.Loss. Of a mask every pixel is a row; the mean is over those that are not part.Ignored, and 0 where
// there are none.
func (l crossEntropy) Loss(b *part.Batch) float32 {
	n := float64(max(b.Counted(), 1))
	var sum float64
	for label, row := range b.Rows {
		sum += l.row(label, row, n)
	}
	return float32(sum / n)
}

// TakesMixed implements part.MixedTaker.
func (crossEntropy) TakesMixed() {}

// row returns the loss of one row and writes its gradient, divided by n.
func (l crossEntropy) row(label int, r part.Row, n float64) float64 {
	x, grad := r.Values, r.Grad
	lse, mean := logSumExp(x)
	whole, rest := float64((1-l.smooth)*r.Share), float64((1-l.smooth)*(1-r.Share))
	hit := float64(x[label])
	if rest != 0 {
		hit = float64(r.Share*hit) + float64((1-r.Share)*float64(x[r.Other]))
	}
	even := l.smooth / float64(len(x))
	for c := range x {
		t := even
		if c == label {
			t += whole
		}
		if c == r.Other && rest != 0 {
			t += rest
		}
		if grad != nil {
			grad[c] = float32((math.Exp(float64(x[c])-lse) - t) / n)
		}
	}
	return lse - float64((1-l.smooth)*hit) - float64(l.smooth*mean)
}

// logSumExp returns log Σ exp(x), shifted by the maximum so that nothing
// overflows, and the mean of x.
func logSumExp(x []float32) (lse, mean float64) {
	top := float64(x[0])
	for _, v := range x {
		top = math.Max(top, float64(v))
	}
	var exp, sum float64
	for _, v := range x {
		exp += math.Exp(float64(v) - top)
		sum += float64(v)
	}
	return top + math.Log(exp), sum / float64(len(x))
}
