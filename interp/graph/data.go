package graph

import (
	"slices"

	"qpipe/interp/part"
	"qpipe/lang/program"
)

// Feed describes a data set with its transforms.
type Feed struct {
	Set  *program.Dataset
	Part part.Dataset
	Spec part.Spec // after the transforms
}

// Data has the feeds of a stage. One is nil if the stage has no such data, or if it contains a mistake.
type Data struct{ Train, Val *Feed }

// Images has the numbers of images of a stage, -1 if unknown.
type Images struct{ Train, Val int }

// Alike reports whether one network can take the training and the validation data.
func (d Data) Alike() bool {
	return d.Train == nil || d.Val == nil || d.sameInputs() && d.sameTargets()
}

func (d Data) sameInputs() bool {
	return slices.EqualFunc(d.Train.Spec.Inputs, d.Val.Spec.Inputs, func(a, b part.InputSpec) bool {
		return a.Shape.WithN(0) == b.Shape.WithN(0) && a.Numbers == b.Numbers
	})
}

func (d Data) sameTargets() bool {
	return slices.EqualFunc(d.Train.Spec.Targets, d.Val.Spec.Targets, part.TargetSpec.Like)
}

func (d Data) sameValues() bool {
	return slices.EqualFunc(d.Train.Spec.Inputs, d.Val.Spec.Inputs, func(a, b part.InputSpec) bool {
		return slices.Equal(a.Mean, b.Mean) && slices.Equal(a.Std, b.Std)
	})
}

// shares reports whether the training and the validation data are known to have images in common.
func (d Data) shares() bool {
	return d.Train.Set != d.Val.Set && part.Share(d.Train.Part, d.Val.Part)
}

// pairs yields the stages with training and validation data. If several stages have the
// same pair of data sets, it yields only the first.
func (p *Plan) pairs(yield func(*Stage) bool) {
	seen := map[[2]*program.Dataset]bool{}
	for _, s := range p.Stages {
		if s.Data.Train == nil || s.Data.Val == nil {
			continue
		}
		pair := [2]*program.Dataset{s.Data.Train.Set, s.Data.Val.Set}
		if !seen[pair] && !yield(s) {
			return
		}
		seen[pair] = true
	}
}

// works returns the feed that the stage's network is built for: the training data of a stage
// that trains or calibrates, or else the validation data.
func (s *Stage) works() *Feed {
	if s.steps() {
		return s.Data.Train
	}
	return s.Data.Val
}
