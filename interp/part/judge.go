package part

import (
	"fmt"
	"slices"

	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// Batch is what a network has answered to some samples, and what it should have answered.
type Batch struct {
	Len     int // samples
	Outputs []Output
	Targets []Target
}

// Output is an output of the network for the samples of a batch.
type Output struct {
	Shape  tensor.Shape // for one sample, N = 0
	Values []float32    // Len × Shape, NHWC
	Grad   []float32    // room for the gradient, as Values; nil where none is wanted
}

// Loss returns the mean loss of a batch and writes the gradient of every output.
type Loss interface {
	Loss(b *Batch) float32
}

// Metric accumulates over a validation pass. Its names are keys of
// stage.n.metrics; Values returns one value a name.
type Metric interface {
	Names() []string
	Reset()
	Update(b *Batch)
	Values() []float64
}

// Descending is a Metric that is the better the smaller it is. Of the others, larger is better.
type Descending interface{ SmallerIsBetter() }

// Guesser is a Metric of which it is known what guessing reaches. Chance returns for each
// name what the best answer that is the same for every image would have reached on the
// images seen since Reset: 1 where that says nothing.
type Guesser interface{ Chance() []float64 }

// Fitter is a Loss or a Metric that says which outputs and targets it takes. One that is no Fitter takes what
// FitsLabels accepts.
type Fitter interface {
	Fits(outputs []nn.Port, targets []TargetSpec) error
}

// Fits reports whether a Loss or a Metric takes what the network answers and the data says.
func Fits(judge any, outputs []nn.Port, targets []TargetSpec) error {
	if f, ok := judge.(Fitter); ok {
		return f.Fits(outputs, targets)
	}
	return FitsLabels(outputs, targets)
}

// FitsLabels accepts one output and one target of labels: a label for the whole output, or one for each of its pixels.
func FitsLabels(outputs []nn.Port, targets []TargetSpec) error {
	switch {
	case len(outputs) != 1:
		return fmt.Errorf("it takes a network with one output, and this one has %d: %v", len(outputs), portNames(outputs))
	case len(targets) != 1:
		return fmt.Errorf("it takes data with one target, and this has %d", len(targets))
	case targets[0].Numbers:
		return fmt.Errorf("it takes labels, and the target of the data is numbers")
	}
	return targets[0].fits(outputs[0])
}

// fits accepts an output with values for the whole target, or for each of its pixels.
func (t TargetSpec) fits(out nn.Port) error {
	if t.Size() == 1 || t.Shape.C == 1 && out.Shape.H == t.Shape.H && out.Shape.W == t.Shape.W {
		return nil
	}
	return fmt.Errorf("the output %q is %v, and there is a label for each of %d×%d pixels", out.Name, out.Shape.WithN(0), t.Shape.H, t.Shape.W)
}

// Apart yields the targets of labels, by their place, with how many classes the output at the same place tells apart.
// Where there are not as many outputs as targets it is not known which belong together.
func (s Spec) Apart(g *nn.Graph) func(yield func(target, classes int) bool) {
	return func(yield func(target, classes int) bool) {
		outputs := g.Outputs()
		if len(outputs) != len(s.Targets) {
			return
		}
		for k, t := range s.Targets {
			if t.Numbers || t.fits(outputs[k]) != nil {
				continue
			}
			if !yield(k, outputs[k].Shape.WithN(1).Len()/t.Size()) {
				return
			}
		}
	}
}

func portNames(ports []nn.Port) []string {
	var names []string
	for _, p := range ports {
		names = append(names, p.Name)
	}
	return slices.Clip(names)
}

// Row is what an output has for one label.
type Row struct {
	Values []float32
	Grad   []float32 // room for their gradient, nil where none is wanted
}

// Rows yields the labels of the only target with what the only output has for each. Labels that are Ignored are left out;
// their gradient is set to 0.
func (b *Batch) Rows(yield func(label int, row Row) bool) {
	out, labels := &b.Outputs[0], b.Targets[0].Labels
	n := len(out.Values) / max(len(labels), 1)
	for i, label := range labels {
		row := Row{Values: out.Values[i*n:][:n]}
		if out.Grad != nil {
			row.Grad = out.Grad[i*n:][:n]
		}
		if label == Ignored {
			clear(row.Grad)
			continue
		}
		if !yield(int(label), row) {
			return
		}
	}
}

// Counted is how many labels of the only target are not Ignored.
func (b *Batch) Counted() int {
	n := 0
	for _, label := range b.Targets[0].Labels {
		if label != Ignored {
			n++
		}
	}
	return n
}
