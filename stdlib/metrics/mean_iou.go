package metrics

import "qpipe/interp/part"

// MeanIoUArgs are the arguments of MeanIoU: it has none.
type MeanIoUArgs struct{}

// NewMeanIoU returns the metric "mean_iou" of masks: for each label, the pixels that have it and for which it has the largest
// logit, divided by those for which one of the two holds, over all images of the pass; the mean of that over the labels
// that occur, in the data or as an answer. 1 means all.
func NewMeanIoU(MeanIoUArgs) (part.Metric, error) { return &meanIoU{}, nil }

type meanIoU struct{ both, has, gets []int64 } // pixels by label

// Names implements part.Metric.
func (m *meanIoU) Names() []string { return []string{"mean_iou"} }

// Reset implements part.Metric.
func (m *meanIoU) Reset() { *m = meanIoU{} }

// Update implements part.Metric. A NaN is smaller than every other logit.
func (m *meanIoU) Update(b *part.Batch) {
	for label, row := range b.Rows {
		if n := len(row.Values); len(m.has) < n {
			m.both, m.has, m.gets = make([]int64, n), make([]int64, n), make([]int64, n)
		}
		best := 0
		for c, v := range row.Values {
			if w := row.Values[best]; v > w || w != w && v == v {
				best = c
			}
		}
		m.has[label]++
		m.gets[best]++
		if best == label {
			m.both[label]++
		}
	}
}

// Values implements part.Metric: 0 without pixels.
func (m *meanIoU) Values() []float64 {
	sum, labels := 0.0, 0
	for c, both := range m.both {
		if either := m.has[c] + m.gets[c] - both; either > 0 {
			sum += float64(both) / float64(either)
			labels++
		}
	}
	return []float64{sum / float64(max(labels, 1))}
}
