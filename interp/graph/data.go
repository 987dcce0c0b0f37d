package graph

import (
	"slices"

	"qpipe/interp/part"
	"qpipe/lang/program"
)

// Feed is what is known of a data set after its transforms.
type Feed struct {
	Set  *program.Dataset
	Part part.Dataset
	Spec part.Spec
}

// Data are the feeds of a stage, nil where it has none and after a mistake.
type Data struct{ Train, Val *Feed }

// Images is how many images the data of a stage have, -1 where that is not known.
type Images struct{ Train, Val int }

// Alike reports whether one network can take the images of both.
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

// shares reports whether the two are known to have images in common.
func (d Data) shares() bool {
	s, ok := d.Train.Part.(part.Sharer)
	return ok && d.Train.Set != d.Val.Set && s.Shares(d.Val.Part)
}

// pairs yields the stages with both feeds, each pair of data sets once.
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

// works is the feed that the stage's network works on: what it learns from, or is validated on
// where it learns nothing.
func (s *Stage) works() *Feed {
	if s.steps() {
		return s.Data.Train
	}
	return s.Data.Val
}
