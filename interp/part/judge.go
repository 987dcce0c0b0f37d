package part

import (
	"errors"
	"fmt"
	"slices"

	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// Batch holds the outputs of a network for some samples, and the targets of these samples.
type Batch struct {
	Len     int // samples
	Outputs []Output
	Targets []Target
}

// Output is one output of the network for all samples of a batch.
type Output struct {
	Shape  tensor.Shape // of one sample, N = 0
	Values []float32    // NHWC, with N = Batch.Len
	Grad   []float32    // memory for the gradient, in the same order; nil if no gradient is needed
}

// Loss returns the mean loss of a batch and writes the gradient of every output.
type Loss interface {
	Loss(b *Batch) float32
}

// Normalizer is a Loss that makes shares of scores by itself, with a softmax: a network in front of it should end without one.
type Normalizer interface{ Normalizes() }

// Metric measures a model over a validation pass. Reset is called before the pass, Update
// for each batch, Values after it. Values returns one value for each of the Names, which
// are the keys of stage.NAME.metrics.
type Metric interface {
	Names() []string
	Reset()
	Update(b *Batch)
	Values() []float64
}

// Descending is a Metric for which smaller values are better. For all others, larger values are better.
type Descending interface{ SmallerIsBetter() }

// Guesser is a Metric that knows how good guessing would be. Chance returns a value for
// each name: what the best constant answer would have reached on the images seen since
// Reset, or 1 if that means nothing for this metric.
type Guesser interface{ Chance() []float64 }

// Fitter is a Loss or a Metric that decides which outputs and targets it can work with. For one that is no Fitter,
// FitsLabels decides.
type Fitter interface {
	Fits(outputs []nn.Port, targets []TargetSpec) error
}

// MixedTaker is a Loss that knows of shares of labels (Row.Other).
type MixedTaker interface{ TakesMixed() }

// Fits returns an error if a Loss or a Metric cannot work with the network's outputs and the data's targets.
func Fits(judge any, outputs []nn.Port, targets []TargetSpec) (err error) {
	defer Guard(&err, "Fits")
	if _, takes := judge.(MixedTaker); !takes && slices.ContainsFunc(targets, func(t TargetSpec) bool { return t.Mixed }) {
		return errors.New("it needs whole labels, and a transform mixes those of the data; mixed batches are for training with a loss that takes them, such as CrossEntropyLoss")
	}
	if f, ok := judge.(Fitter); ok {
		return f.Fits(outputs, targets)
	}
	return FitsLabels(outputs, targets)
}

// FitsLabels accepts a network with one output and data with one target that consists of labels: one label for the
// whole output, or one for each of its pixels.
func FitsLabels(outputs []nn.Port, targets []TargetSpec) error {
	switch {
	case len(outputs) != 1:
		return fmt.Errorf("it needs a network with one output, and this one has %d: %v; say which one it is for, as in output = %q", len(outputs), labels(outputs), outputs[0].Label)
	case len(targets) != 1:
		return fmt.Errorf("it needs data with one target, and this has %d", len(targets))
	case targets[0].Numbers:
		return fmt.Errorf("it needs labels, and the target of the data is numbers")
	}
	if err := targets[0].fits(outputs[0]); err != nil {
		return err
	}
	if got := targets[0].values(outputs[0]); got < targets[0].Classes {
		return &ClassError{Output: outputs[0], Gives: got, Classes: targets[0].Classes}
	}
	return nil
}

// ClassError is an output with fewer values than the labels have classes.
type ClassError struct {
	Output         nn.Port
	Gives, Classes int
}

func (e *ClassError) Error() string {
	return fmt.Sprintf("the output %q gives %s, but the data has %s", e.Output.Label, Count(e.Gives, "value"), Count(e.Classes, "class"))
}

// fits returns an error if one of the two is a map and the other is not a map of the same size.
func (t TargetSpec) fits(out nn.Port) error {
	switch {
	case t.Size() > 1 && (t.Shape.C != 1 || out.Shape.H != t.Shape.H || out.Shape.W != t.Shape.W):
		return fmt.Errorf("the output %q is %v, but the data has a label for each of %d×%d pixels", out.Label, out.Shape.WithN(0), t.Shape.H, t.Shape.W)
	case t.Size() == 1 && out.Shape.H*out.Shape.W > 1:
		return fmt.Errorf("the output %q is a map, %v, but the data has one label for an image; a mask, as of Glyphs with target = \"mask\", has one for each pixel", out.Label, out.Shape.WithN(0))
	}
	return nil
}

// values is how many values of an output belong to a label.
func (t TargetSpec) values(out nn.Port) int { return out.Shape.WithN(1).Len() / t.Size() }

// Match is an output with the target of labels that belongs to it: Gives is the number of its values for a label.
type Match struct{ Output, Target, Gives int }

// Matches pairs outputs and targets of labels: those of one name, or else, if there are as many of both, those in one place. Pairs that
// do not fit are left out.
func Matches(outputs []nn.Port, targets []TargetSpec) []Match {
	var list []Match
	for k, t := range targets {
		i := slices.IndexFunc(outputs, func(o nn.Port) bool { return t.Name != "" && o.Label == t.Name })
		if i < 0 && len(outputs) == len(targets) {
			i = k
		}
		if i >= 0 && !t.Numbers && t.fits(outputs[i]) == nil {
			list = append(list, Match{i, k, t.values(outputs[i])})
		}
	}
	return list
}

func labels(ports []nn.Port) []string {
	var names []string
	for _, p := range ports {
		names = append(names, p.Label)
	}
	return slices.Clip(names)
}

// Row holds the output's values for one label: a value for each class.
type Row struct {
	Values []float32
	Grad   []float32 // memory for their gradient, nil if no gradient is needed
	Other  int       // the label that has the rest
	Share  float64   // of the label itself: 1, unless batches are mixed
}

// Rows yields each label with its row of the output, for a batch with one output and one target. It skips labels that
// are Ignored, and sets their gradient to 0.
func (b *Batch) Rows(yield func(label int, row Row) bool) {
	out, labels, shares := &b.Outputs[0], b.Targets[0].Labels, b.Targets[0].Shares
	n := len(out.Values) / max(len(labels), 1)
	for i, label := range labels {
		row := Row{Values: out.Values[i*n:][:n], Other: int(label), Share: 1}
		if shares != nil {
			row.Other, row.Share = int(b.Targets[0].Other[i]), float64(shares[i])
		}
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

// Counted returns the number of labels that are not Ignored, for a batch with one target.
func (b *Batch) Counted() int {
	n := 0
	for _, label := range b.Targets[0].Labels {
		if label != Ignored {
			n++
		}
	}
	return n
}
