package predict

import (
	"cmp"
	"errors"
	"slices"

	"qpipe/infer"
	"qpipe/interp/number"
	"qpipe/ops/elementary"
	"qpipe/ops/tensor"
)

// errNotFinite is what is wrong with a network that gives no numbers.
var errNotFinite = errors.New("the network's output is not finite")

// answer says what the values y of an output mean for one image.
func answer(out infer.Output, y []float32, top int) (a Answer, mask []uint8, err error) {
	switch {
	case out.Height*out.Width > 1:
		mask = maskOf(y, out.Channels)
		a.Regions = regions(mask, out)
	case out.Channels == 1:
		a.Values = []number.Float{number.Float(y[0])}
	case !tensor.Finite(y):
		return a, nil, errNotFinite
	default:
		a.Classes = classes(out, y, top)
	}
	return a, mask, nil
}

// classes returns the likeliest classes. Of equals the lower label comes first.
func classes(out infer.Output, y []float32, top int) []Class {
	score := make([]float64, len(y))
	if out.Probabilities {
		for i, v := range y {
			score[i] = float64(v)
		}
	} else {
		Softmax(y, score)
	}
	order := make([]int, len(y))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(y[b], y[a]) })
	var list []Class
	for _, i := range order[:min(top, len(order))] {
		list = append(list, Class{i, name(out, i), score[i]})
	}
	return list
}

func name(out infer.Output, label int) string {
	if label < len(out.Classes) {
		return out.Classes[label]
	}
	return ""
}

// Softmax writes the softmax of y to p. It is the same on every processor.
func Softmax(y []float32, p []float64) {
	most, sum := float64(slices.Max(y)), 0.0
	for i, v := range y {
		p[i] = elementary.Exp(float64(v) - most)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
}

// maskOf returns for each pixel the label with the largest value, the first one of equals; 0 if none is a number.
func maskOf(y []float32, channels int) []uint8 {
	mask := make([]uint8, len(y)/channels)
	for i := range mask {
		best, row := -1, y[i*channels:][:channels]
		for k, v := range row {
			if v == v && (best < 0 || v > row[best]) {
				best = k
			}
		}
		mask[i] = uint8(max(best, 0))
	}
	return mask
}

// regions counts the pixels of each class that is there, the largest first.
func regions(mask []uint8, out infer.Output) []Region {
	var count [mostLabels]int
	for _, label := range mask {
		count[label]++
	}
	var list []Region
	for label, n := range count {
		if n > 0 {
			list = append(list, Region{label, name(out, label), n})
		}
	}
	slices.SortStableFunc(list, func(a, b Region) int { return cmp.Compare(b.Pixels, a.Pixels) })
	return list
}
