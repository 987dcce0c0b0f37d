package part

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// Validate returns an error if the description is incomplete or contradicts itself.
func (s Spec) Validate() error {
	if len(s.Inputs) == 0 {
		return errors.New("the data set has no input")
	}
	if s.Len < -1 {
		return fmt.Errorf("it declares %d samples: the number is -1 if it is not known yet", s.Len)
	}
	var inputs, targets []string
	for _, in := range s.Inputs {
		if err := in.validate(named("the image", "input", in.Name, len(s.Inputs))); err != nil {
			return err
		}
		inputs = append(inputs, in.Name)
	}
	for _, t := range s.Targets {
		if err := t.validate(named("the target", "target", t.Name, len(s.Targets))); err != nil {
			return err
		}
		targets = append(targets, t.Name)
	}
	if err := distinct("inputs", inputs); err != nil {
		return err
	}
	return distinct("targets", targets)
}

// validate returns an error if the input cannot be read as described. it begins the message.
func (in InputSpec) validate(it string) error {
	shape := in.Shape
	if in.Open() {
		shape.H, shape.W = max(in.Shortest, 1), max(in.Shortest, 1)
	}
	if err := extents(shape); err != nil {
		return fmt.Errorf("%s %w", it, err)
	}
	mean, std, err := in.MeanStd()
	if err != nil {
		return err
	}
	for c := range mean {
		switch {
		case !finite(mean[c]):
			return fmt.Errorf("%s has the mean %v in channel %d", it, mean[c], c)
		case !finite(std[c]) || std[c] <= 0:
			return fmt.Errorf("%s has the std %v in channel %d: it must be positive", it, std[c], c)
		}
	}
	return nil
}

// validate returns an error if the target cannot be read as described. it begins the message.
func (t TargetSpec) validate(it string) error {
	if t.Shape != (tensor.Shape{}) && !t.Open() {
		if err := extents(t.Shape); err != nil {
			return fmt.Errorf("%s %w", it, err)
		}
	}
	switch {
	case !t.Numbers && (t.Classes == 0 || t.Classes < -1):
		return fmt.Errorf("%s has labels, but no classes", it)
	case len(t.Names) > 0 && t.Classes > 0 && len(t.Names) != t.Classes:
		return fmt.Errorf("%s has %s, but %s", it, Count(t.Classes, "class"), Count(len(t.Names), "name"))
	}
	return nil
}

// extents returns an error if a shape of one sample is empty or too large.
func extents(s tensor.Shape) error {
	switch {
	case s.H < 1 || s.W < 1 || s.C < 1:
		return fmt.Errorf("is empty: %v", s.WithN(0))
	case max(s.H, s.W, s.C) > layer.MaxExtent || layer.Volume(s.H, s.W, s.C) > layer.MaxElements:
		return fmt.Errorf("is too large: %v", s.WithN(0))
	}
	return nil
}

// Sized returns an error if images keep sizes of their own: a network takes images of one size.
func (s Spec) Sized() error {
	if !s.Open() {
		return nil
	}
	return errors.New(`its images have sizes of their own, and a network takes images of one size: give them one with a transform, as transform "Resize" { size = [224, 224] }, or RandomResizedCrop, RandomCrop or CenterCrop`)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// distinct returns an error if several inputs or targets do not each have an identifier of their own as name.
func distinct(things string, names []string) error {
	if len(names) < 2 {
		return nil
	}
	for i, name := range names {
		switch {
		case !Identifier(name):
			return fmt.Errorf("one of the %s has the name %q: with several, each needs a name of letters, digits and _", things, name)
		case slices.Contains(names[:i], name):
			return fmt.Errorf("two %s have the name %q", things, name)
		}
	}
	return nil
}

// Identifier reports whether a name can be written in a pipeline, as in stage.NAME.metrics.NAME, and be part of the name of a
// file: it consists of letters, digits, _ and -, and does not begin with a digit or -.
func Identifier(name string) bool {
	for i, r := range name {
		switch {
		case r == '_' || unicode.IsLetter(r):
		case i > 0 && (r == '-' || unicode.IsDigit(r)):
		default:
			return false
		}
	}
	return name != "" && len(name) <= 100
}

// Check returns an error if a sample is not what the Spec describes.
func (s Spec) Check(x *Sample) error {
	switch {
	case len(x.Images) != len(s.Inputs):
		return fmt.Errorf("it has %s, but the data set declares %d", Count(len(x.Images), "image"), len(s.Inputs))
	case len(x.Targets) != len(s.Targets):
		return fmt.Errorf("it has %s, but the data set declares %d", Count(len(x.Targets), "target"), len(s.Targets))
	}
	for k, in := range s.Inputs {
		m := &x.Images[k]
		if in.Open() && m.H > 0 && m.W > 0 {
			in.Shape.H, in.Shape.W = m.H, m.W
		}
		n := in.Shape.WithN(1).Len()
		have, unit := len(m.Pix), "byte"
		if in.Numbers {
			have, unit = len(m.Numbers), "number"
		}
		if m.H != in.Shape.H || m.W != in.Shape.W || m.C != in.Shape.C || have != n {
			return fmt.Errorf("%s is %d×%d×%d (%s), but the data set declares %v", named("it", "input", in.Name, len(s.Inputs)), m.H, m.W, m.C, Count(have, unit), in.Shape)
		}
		if in.Numbers && !tensor.Finite(m.Numbers) {
			return fmt.Errorf("%s has a number that is not finite", named("it", "input", in.Name, len(s.Inputs)))
		}
	}
	for k, t := range s.Targets {
		if t.Open() {
			t.Shape.H, t.Shape.W = x.Images[0].H, x.Images[0].W
		}
		if err := t.check(&x.Targets[k], named("its", "its", t.Name, len(s.Targets))); err != nil {
			return err
		}
	}
	return nil
}

// check returns an error if a target is not what the TargetSpec describes. its begins the message.
func (t TargetSpec) check(x *Target, its string) error {
	have, unit := len(x.Labels), "label"
	if t.Numbers {
		have, unit = len(x.Numbers), "number"
	}
	switch {
	case have != t.Size() || t.Map() && (x.H != t.Shape.H || x.W != t.Shape.W):
		return fmt.Errorf("%s target has %s, but the data set declares %d (%d×%d×%d)", its, Count(have, unit), t.Size(), t.Shape.H, t.Shape.W, t.Shape.C)
	case t.Numbers && !tensor.Finite(x.Numbers):
		return fmt.Errorf("%s target has a number that is not finite", its)
	}
	for _, label := range x.Labels {
		known := label >= 0 && (int(label) < t.Classes || t.Classes < 0) || t.Ignores && label == Ignored
		if !known && !t.Numbers {
			return fmt.Errorf("%s label is %d, but the data set declares 0 to %d", its, label, t.Classes-1)
		}
	}
	return nil
}
