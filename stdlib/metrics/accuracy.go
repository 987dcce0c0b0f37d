// Package metrics is the shelf of metrics: it turns the logits and labels of a validation pass into named numbers. It
// knows no network and keeps nothing after a pass.
package metrics

import (
	"fmt"
	"slices"

	"qpipe/interp/part"
	"qpipe/ops/nn"
)

// AccuracyArgs are the arguments of Accuracy: it has none.
type AccuracyArgs struct{}

// NewAccuracy returns the metric "accuracy": the share of images whose largest logit is that of their label; 1 means
// all.
func NewAccuracy(AccuracyArgs) (part.Metric, error) {
	return &topK{name: "accuracy", k: 1}, nil
}

// TopKArgs are the arguments of TopKAccuracy.
type TopKArgs struct {
	K int `arg:"k,optional" doc:"How many of the largest logits may hold the label."`
}

// TopKDefaults returns TopKAccuracy's defaults.
func TopKDefaults() TopKArgs { return TopKArgs{K: 5} }

// mostK is the largest number of classes that a network can have.
const mostK = 100_000

// Validate implements the language's check after decoding.
func (a TopKArgs) Validate() error {
	if a.K < 1 || a.K > mostK {
		return part.Bad("k", "%d; it must be 1 to %d", a.K, mostK)
	}
	return nil
}

// NewTopKAccuracy returns the share of images whose label is among their k largest logits; 1 means all. The metric's
// name contains k: "top5_accuracy".
func NewTopKAccuracy(a TopKArgs) (part.Metric, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return &topK{name: fmt.Sprintf("top%d_accuracy", a.K), k: a.K}, nil
}

type topK struct {
	name        string
	k           int
	hits, total int64
	seen        []int64 // images by label
}

// Fits implements part.Fitter: among all of the values every label would be found.
func (m *topK) Fits(outputs []nn.Port, targets []part.TargetSpec) error {
	if err := part.FitsLabels(outputs, targets); err != nil {
		return err
	}
	if n := outputs[0].Shape.C; m.k > n {
		return part.Bad("k", "k is %d, and the output %q has %s: every image would count; choose a smaller k", m.k, outputs[0].Label, part.Count(n, "value"))
	}
	return nil
}

// Names implements part.Metric.
func (m *topK) Names() []string { return []string{m.name} }

// Reset implements part.Metric.
func (m *topK) Reset() { m.hits, m.total, m.seen = 0, 0, nil }

// Update implements part.Metric.
func (m *topK) Update(b *part.Batch) {
	for label, row := range b.Rows {
		m.seen = append(m.seen, make([]int64, max(len(row.Values)-len(m.seen), 0))...)
		m.seen[label]++
		if rank(row.Values, label) < m.k {
			m.hits++
		}
		m.total++
	}
}

// Values implements part.Metric: 0 without images.
func (m *topK) Values() []float64 {
	return []float64{float64(m.hits) / float64(max(m.total, 1))}
}

// Chance implements part.Guesser: the share of the k labels that most images have.
func (m *topK) Chance() []float64 {
	most := slices.Clone(m.seen)
	slices.Sort(most)
	var hits int64
	for _, n := range most[max(len(most)-m.k, 0):] {
		hits += n
	}
	if m.total == 0 {
		return []float64{1}
	}
	return []float64{float64(hits) / float64(m.total)}
}

// rank returns how many classes come before label: those with a larger logit, and those with an equal logit and a
// smaller number. A NaN is smaller than every other logit, so that a broken network gets no points.
func rank(x []float32, label int) int {
	v, before := x[label], 0
	for c, w := range x {
		if w > v || (w == v && c < label) || (v != v && c != label) {
			before++
		}
	}
	return before
}
