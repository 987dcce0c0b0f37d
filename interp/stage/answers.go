package stage

import (
	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/ops/nn"
)

// answers puts the outputs of a network and the targets of the data into one
// [part.Batch], which losses and metrics read. It reuses its memory from batch to batch.
type answers struct {
	batch part.Batch
	sizes []int       // for each output, the number of values of one sample
	room  [][]float32 // for each output, memory for the gradient of a full batch; nil if no gradient is needed
	grads [][]float32 // for each output, the gradient of the last batch: the beginning of room
}

// newAnswers allocates gradients for batches of up to so many samples; 0 means that none are needed.
func newAnswers(g *nn.Graph, samples int) *answers {
	a := &answers{}
	for _, out := range g.Outputs() {
		size := out.Shape.WithN(1).Len()
		a.sizes = append(a.sizes, size)
		a.batch.Outputs = append(a.batch.Outputs, part.Output{Shape: out.Shape.WithN(0)})
		if samples > 0 {
			a.room, a.grads = append(a.room, make([]float32, samples*size)), append(a.grads, nil)
		}
	}
	return a
}

// to returns the network's outputs y for the batch b, together with b's targets.
func (a *answers) to(b *feed.Batch, y [][]float32) *part.Batch {
	n := len(b.Index)
	a.batch.Len, a.batch.Targets = n, b.Targets()
	for k, size := range a.sizes {
		out := &a.batch.Outputs[k]
		out.Values = y[k][:n*size]
		if a.room != nil {
			a.grads[k] = a.room[k][:n*size]
			out.Grad = a.grads[k]
		}
	}
	return &a.batch
}
