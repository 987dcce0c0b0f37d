package part

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"qpipe/ops/tensor"
)

// Spec is what is known of a data set without reading it. A sample is what the network takes at a time, and what it
// should answer: one image and one label in the usual case.
type Spec struct {
	Inputs  []InputSpec  // at least one
	Targets []TargetSpec // none of data without labels
	Len     int          // samples; -1: known only when the data is read
}

// InputSpec is one input of a sample: an image of bytes, or a map or vector of numbers.
//
// Mean and Std (per channel, or one value) say how it becomes the network's input. Pixels have units of 1/255:
// x = (pixel/255 - Mean)/Std; without values both are 0.5, and that is pixel/127.5 - 1. Numbers have units of their own:
// x = (number - Mean)/Std; without values they stay as they are.
type InputSpec struct {
	Name      string       // "" where there is no other
	Shape     tensor.Shape // N = 0
	Numbers   bool         // Image.Numbers holds it, not Image.Pix
	Mean, Std []float32
}

// TargetSpec is one target of a sample: a class, a class for each pixel (a mask), or numbers.
type TargetSpec struct {
	Name    string       // "" where there is no other
	Shape   tensor.Shape // how many labels or numbers there are, N = 0; the zero value means one
	Numbers bool         // Target.Numbers holds them, not Target.Labels
	Classes int          // labels are 0 to Classes-1
	Ignores bool         // a label may be Ignored
	Names   []string     // of the classes by label, nil where they have none
}

// Ignored is the label of a pixel that counts for nothing.
const Ignored = -1

// Size is the number of labels or numbers of a sample.
func (t TargetSpec) Size() int {
	if t.Shape == (tensor.Shape{}) {
		return 1
	}
	return t.Shape.WithN(1).Len()
}

// Like reports whether one network can answer both.
func (t TargetSpec) Like(o TargetSpec) bool {
	return t.Shape.WithN(0) == o.Shape.WithN(0) && t.Numbers == o.Numbers && t.Classes == o.Classes
}

// String says what a target is: "10 classes", "21 classes for each of 224×224 pixels", "4 numbers".
func (t TargetSpec) String() string {
	switch {
	case t.Numbers:
		return Count(t.Size(), "number")
	case t.Map():
		return fmt.Sprintf("%s for each of %d×%d pixels", Count(t.Classes, "class"), t.Shape.H, t.Shape.W)
	case t.Size() > 1:
		return fmt.Sprintf("%s of %s", Count(t.Size(), "label"), Count(t.Classes, "class"))
	}
	return Count(t.Classes, "class")
}

// String says what an input is: its shape, and that it is numbers where it is no image of bytes.
func (in InputSpec) String() string {
	if in.Numbers {
		return fmt.Sprintf("%v numbers", in.Shape.WithN(0))
	}
	return in.Shape.WithN(0).String()
}

// Map reports whether there is something for each pixel of an image.
func (t TargetSpec) Map() bool { return t.Shape.H*t.Shape.W > 1 }

// Image is one input of a sample, HWC.
type Image struct {
	H, W, C int
	Pix     []uint8   // a byte a channel
	Numbers []float32 // in the place of Pix, where the InputSpec says so
}

// Target is what the network should answer: of a sample, or of the samples of a batch, one behind the other.
type Target struct {
	H, W    int // of a map, so that transforms can move it with the image; else 0
	Labels  []int32
	Numbers []float32 // in the place of Labels, where the TargetSpec says so
}

// Label makes it a single label.
func (t *Target) Label(label int) { t.Labels = append(t.Labels[:0], int32(label)) }

// Sample is an element of a data set. Its slices are room that is used again for the next one.
type Sample struct {
	Images  []Image  // one for each of Spec.Inputs
	Targets []Target // one for each of Spec.Targets
}

// NewSample makes room for the samples of a data set.
func NewSample(s Spec) *Sample {
	return &Sample{Images: make([]Image, len(s.Inputs)), Targets: make([]Target, len(s.Targets))}
}

// Dataset is a source of samples.
type Dataset interface {
	Spec() Spec
	// Open reads what it needs; fsys opens a folder that the arguments name. Damaged or missing
	// files are errors that name the file and what was expected.
	Open(fsys func(root string) fs.FS) (Samples, error)
	// Files names the files that the data comes from, for the stage's hash: none for a built-in set. Names are
	// patterns as for fs.Glob; one that no file matches is no mistake (Open says what is missing).
	Files() (root string, names []string)
}

// Sharer is a Dataset that can tell, without reading, whether it and another one have samples in common.
type Sharer interface {
	Shares(other Dataset) bool
}

// Holder is a Dataset whose samples lie in memory once it is opened. HeldBytes says how
// much they take, 0 where only the files tell.
type Holder interface{ HeldBytes() int64 }

// Held is what an opened data set takes, as far as it is known.
func Held(d Dataset) int64 {
	if h, ok := d.(Holder); ok {
		return h.HeldBytes()
	}
	return 0
}

// Samples is an opened data set. Sample may be called from several goroutines, each with a sample of its own, which it
// fills.
type Samples interface {
	Len() int
	Sample(i int, s *Sample) error
}

// Transform changes a sample in place with the randomness of r alone, which is a
// function of (seed, epoch, index). Apply may be called from several goroutines. Spec says what it makes of the data;
// in is a copy that it may change.
type Transform interface {
	Spec(in Spec) (Spec, error)
	Apply(s *Sample, r *Rand)
}

// Transformed is what a transform makes of data.
func Transformed(s Spec, t Transform) (Spec, error) {
	s.Inputs, s.Targets = slices.Clone(s.Inputs), slices.Clone(s.Targets)
	return t.Spec(s)
}

// Labels is the number of labels and numbers of a sample, of all targets.
func (s Spec) Labels() int {
	n := 0
	for _, t := range s.Targets {
		n += t.Size()
	}
	return n
}

// Shapes are the shapes of the inputs, N = 0.
func (s Spec) Shapes() []tensor.Shape {
	var list []tensor.Shape
	for _, in := range s.Inputs {
		list = append(list, in.Shape.WithN(0))
	}
	return list
}

// ClassNames are the names of the classes by target, nil where no target has any.
func (s Spec) ClassNames() [][]string {
	var list [][]string
	for _, t := range s.Targets {
		list = append(list, t.Names)
	}
	if !slices.ContainsFunc(list, func(names []string) bool { return names != nil }) {
		return nil
	}
	return list
}

// named is what messages call one of several inputs, targets or outputs: alone where there is one.
func named(alone, kind, name string, of int) string {
	if of < 2 {
		return alone
	}
	return fmt.Sprintf("%s %q", kind, name)
}

// InputText says what the inputs are, with their names where there are several.
func (s Spec) InputText() string {
	return texts(s.Inputs, func(in InputSpec) string { return in.Name })
}

// TargetText says what the targets are, with their names where there are several.
func (s Spec) TargetText() string {
	return texts(s.Targets, func(t TargetSpec) string { return t.Name })
}

func texts[T fmt.Stringer](list []T, name func(T) string) string {
	var out []string
	for _, x := range list {
		if len(list) > 1 {
			out = append(out, fmt.Sprintf("%q %v", name(x), x))
		} else {
			out = append(out, x.String())
		}
	}
	return strings.Join(out, ", ")
}

// Validate refuses a description that says too little.
func (s Spec) Validate() error {
	if len(s.Inputs) == 0 {
		return errors.New("the data set has no input")
	}
	for _, in := range s.Inputs {
		if in.Shape.WithN(1).Len() < 1 {
			return fmt.Errorf("%s is empty: %v", named("the image", "input", in.Name, len(s.Inputs)), in.Shape.WithN(0))
		}
	}
	for _, t := range s.Targets {
		if !t.Numbers && t.Classes < 1 {
			return fmt.Errorf("%s has labels of no class", named("the target", "target", t.Name, len(s.Targets)))
		}
	}
	return nil
}

// Check holds a sample against what the Spec promises.
func (s Spec) Check(x *Sample) error {
	for k, in := range s.Inputs {
		m, n := &x.Images[k], in.Shape.WithN(1).Len()
		have, unit := len(m.Pix), "byte"
		if in.Numbers {
			have, unit = len(m.Numbers), "number"
		}
		if m.H != in.Shape.H || m.W != in.Shape.W || m.C != in.Shape.C || have != n {
			return fmt.Errorf("%s is %d×%d×%d (%s), the data set says %v", named("it", "input", in.Name, len(s.Inputs)), m.H, m.W, m.C, Count(have, unit), in.Shape)
		}
		if in.Numbers && !tensor.Finite(m.Numbers) {
			return fmt.Errorf("%s has a number that is not finite", named("it", "input", in.Name, len(s.Inputs)))
		}
	}
	for k, t := range s.Targets {
		if err := t.check(&x.Targets[k], named("its", "its", t.Name, len(s.Targets))); err != nil {
			return err
		}
	}
	return nil
}

// check holds a target against what the TargetSpec promises.
func (t TargetSpec) check(x *Target, its string) error {
	have, unit := len(x.Labels), "label"
	if t.Numbers {
		have, unit = len(x.Numbers), "number"
	}
	switch {
	case have != t.Size() || t.Map() && (x.H != t.Shape.H || x.W != t.Shape.W):
		return fmt.Errorf("%s target has %s, the data set says %d (%d×%d×%d)", its, Count(have, unit), t.Size(), t.Shape.H, t.Shape.W, t.Shape.C)
	case t.Numbers && !tensor.Finite(x.Numbers):
		return fmt.Errorf("%s target has a number that is not finite", its)
	}
	for _, label := range x.Labels {
		known := label >= 0 && int(label) < t.Classes || t.Ignores && label == Ignored
		if !known && !t.Numbers {
			return fmt.Errorf("%s label is %d, the data set says 0 to %d", its, label, t.Classes-1)
		}
	}
	return nil
}
