package bench

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"qpipe/interp/console"
	"qpipe/interp/part"
	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// randomInputs are n samples for each input of a network.
func randomInputs(g *nn.Graph, n int) [][]float32 {
	var all [][]float32
	for _, in := range g.Inputs() {
		all = append(all, randomImages(in.Shape, n))
	}
	return all
}

// answers makes room for what the network answers to n samples, with targets to hold it against: random ones as the
// subject's data has them, else a class for each sample, or for each pixel of an output that is a map. It also returns the loss.
func (s *Subject) answers(g *nn.Graph, n int) (part.Loss, *part.Batch, error) {
	targets := s.data.Targets
	if targets == nil {
		targets = labelled(g.Outputs())
	}
	loss, err := s.lossOf(g.Outputs(), targets)
	if err != nil {
		return nil, nil, fmt.Errorf("a step of %s is not measured, since its loss does not fit: %w", s.name, err)
	}
	b := &part.Batch{Len: n}
	for _, out := range g.Outputs() {
		b.Outputs = append(b.Outputs, part.Output{Shape: out.Shape.WithN(0), Grad: make([]float32, n*out.Shape.WithN(1).Len())})
	}
	for k, t := range targets {
		if t.Numbers {
			b.Targets = append(b.Targets, part.Target{Numbers: randomImages(tensor.Shape{H: 1, W: 1, C: t.Size()}, n)})
		} else {
			classes := t.Classes
			if classes < 0 { // only the files tell
				classes = g.Outputs()[min(k, len(b.Outputs)-1)].Shape.WithN(1).Len() / t.Size()
			}
			b.Targets = append(b.Targets, part.Target{Labels: randomLabels(classes, n*t.Size())})
		}
	}
	return loss, b, nil
}

// labelled are targets as outputs are trained with: as many classes as there are values, for each pixel of a map.
func labelled(outputs []nn.Port) []part.TargetSpec {
	var list []part.TargetSpec
	for _, out := range outputs {
		t := part.TargetSpec{Name: out.Label, Classes: out.Shape.C}
		if out.Shape.H*out.Shape.W > 1 {
			t.Shape = tensor.Shape{H: out.Shape.H, W: out.Shape.W, C: 1}
		}
		list = append(list, t)
	}
	return list
}

// lossOf is the subject's loss, or where it has none cross-entropy of every output that it fits.
func (s *Subject) lossOf(outputs []nn.Port, targets []part.TargetSpec) (part.Loss, error) {
	if s.loss != nil {
		return s.loss, part.Fits(s.loss, outputs, targets)
	}
	call := program.Call{Kind: program.LossKind, Type: "CrossEntropyLoss"}
	sig, ok := s.lab.Catalog.Signature(call.Kind, call.Type)
	if !ok {
		return nil, fmt.Errorf("this program has no %s %q", call.Kind, call.Type)
	}
	call.Args = reflect.ValueOf(sig.Args()).Elem().Interface()
	var fitting []program.Judge
	var why error
	for _, out := range outputs {
		j := program.Judge{Call: call}
		if len(outputs) > 1 {
			j.Output = out.Label
		}
		one, _, err := part.NewLosses(s.lab.Catalog, []program.Judge{j})
		if err == nil {
			err = part.Fits(one, outputs, targets)
		}
		if err != nil {
			why = cmp.Or(why, err)
			continue
		}
		fitting = append(fitting, j)
	}
	if len(fitting) == 0 {
		return nil, why
	}
	all, _, err := part.NewLosses(s.lab.Catalog, fitting)
	if err == nil {
		err = part.Fits(all, outputs, targets) // which also lets each of them find its output
	}
	return all, err
}

// randomImages are n images with roughly normally distributed values, always the same for the same shape.
func randomImages(in tensor.Shape, n int) []float32 {
	r := part.NewRand(7, uint64(in.H), uint64(in.C))
	x := make([]float32, n*in.WithN(1).Len())
	for i := range x {
		v := r.Uint64() // four numbers of 16 bits: their sum has the variance 4/12
		sum := float64(v&0xffff + v>>16&0xffff + v>>32&0xffff + v>>48)
		x[i] = float32((sum/65536 - 2) * 1.7320508)
	}
	return x
}

// randomLabels are n labels.
func randomLabels(classes, n int) []int32 {
	r := part.NewRand(11, uint64(classes))
	labels := make([]int32, n)
	for i := range labels {
		labels[i] = int32(r.Intn(classes))
	}
	return labels
}

// trains reports whether a form is measured in training, infers whether it is measured in inference.
func trains(form string) bool { return form != Int8 }
func infers(form string) bool { return form == Float || form == Int8 }

// Wanted are the forms that were asked for, in the order in which they come.
func (s *Subject) Wanted(what []string) ([]string, error) {
	have := s.forms()
	if len(what) == 0 {
		return have, nil
	}
	for _, w := range what {
		if !slices.Contains(have, w) {
			return nil, unknown("-what: %q cannot be measured of %s%s; there are %v", w, s.name, console.DidYouMean(w, have, ""), have)
		}
	}
	return what, nil
}
