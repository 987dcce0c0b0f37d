package part

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"qpipe/ops/tensor"
)

// Spec describes a data set without reading it. A sample has inputs, which the network gets, and targets, which are
// the right answers: usually one image and one label.
type Spec struct {
	Inputs  []InputSpec  // at least one
	Targets []TargetSpec // none for data without labels
	Len     int          // number of samples; -1: known only when the data is read
}

// InputSpec describes one input of a sample: an image of bytes, or a map or vector of float32 numbers.
//
// Mean and Std say how the network's input x is computed; each has one value for all channels, or one for each. For
// bytes, x = (byte/255 - Mean)/Std; the defaults are 0.5 and 0.5, which gives byte/127.5 - 1. For numbers,
// x = (number - Mean)/Std; the defaults are 0 and 1, which changes nothing.
//
// Images of sizes of their own have H = W = 0. A transform gives them one size: a network needs that. What is known of
// them is Shortest, which Resize sets.
type InputSpec struct {
	Name      string       // "" if it is the only one
	Shape     tensor.Shape // of one sample, N = 0
	Shortest  int          // of images of sizes of their own: no side has fewer pixels; 0 if unknown
	Numbers   bool         // the values are in Image.Numbers, not in Image.Pix
	Mean, Std []float32
	Steps     []Step // what transforms have done to the image's size
}

// TargetSpec describes one target of a sample: a class, a class for each pixel (a mask), or numbers. The mask of an image
// of a size of its own has H = W = 0, too, and C = 1.
type TargetSpec struct {
	Name    string       // "" if it is the only one
	Shape   tensor.Shape // of the labels or numbers of one sample, N = 0; the zero value means a single one
	Numbers bool         // the values are in Target.Numbers, not in Target.Labels
	Classes int          // labels are 0 to Classes-1; -1: known only when the data is read
	Ignores bool         // a label may also be Ignored
	Names   []string     // names of the classes by label, nil if they have none
	Mixed   bool         // batches have shares of two labels: see Target.Other
}

// Ignored is the label of a pixel that losses and metrics leave out.
const Ignored = -1

// Open reports whether the images have sizes of their own, so that the network's input is not known yet.
func (in InputSpec) Open() bool {
	return !in.Numbers && in.Shape.H == 0 && in.Shape.W == 0 && in.Shape.C > 0
}

// Open reports whether the masks have the sizes of images of sizes of their own.
func (t TargetSpec) Open() bool { return !t.Numbers && t.Shape.WithN(0) == (tensor.Shape{C: 1}) }

// Open reports whether a transform has still to give the images one size.
func (s Spec) Open() bool {
	return slices.ContainsFunc(s.Inputs, InputSpec.Open) || slices.ContainsFunc(s.Targets, TargetSpec.Open)
}

// Size returns the number of labels or numbers of one sample.
func (t TargetSpec) Size() int {
	if t.Shape == (tensor.Shape{}) {
		return 1
	}
	return t.Shape.WithN(1).Len()
}

// Like reports whether the same output of a network can be compared with both targets.
func (t TargetSpec) Like(o TargetSpec) bool {
	classes := t.Classes == o.Classes || t.Classes < 0 || o.Classes < 0
	return t.Shape.WithN(0) == o.Shape.WithN(0) && t.Numbers == o.Numbers && classes
}

// String describes a target: "10 classes", "21 classes for each of 224×224 pixels", "4 numbers".
func (t TargetSpec) String() string {
	switch {
	case t.Numbers:
		return Count(t.Size(), "number")
	case t.Open():
		return t.classes() + " for each pixel"
	case t.Map():
		return fmt.Sprintf("%s for each of %d×%d pixels", t.classes(), t.Shape.H, t.Shape.W)
	case t.Size() > 1:
		return fmt.Sprintf("%s of %s", Count(t.Size(), "label"), t.classes())
	}
	return t.classes()
}

// classes is the number of classes in words.
func (t TargetSpec) classes() string {
	if t.Classes < 0 {
		return "classes that only the files tell"
	}
	return Count(t.Classes, "class")
}

// String returns the input's shape, followed by "numbers" if it is not an image of bytes.
func (in InputSpec) String() string {
	switch {
	case in.Numbers:
		return fmt.Sprintf("%v numbers", in.Shape.WithN(0))
	case in.Open():
		return fmt.Sprintf("%s in any size", Count(in.Shape.C, "channel"))
	}
	return in.Shape.WithN(0).String()
}

// Map reports whether the target has a value for each pixel of an image.
func (t TargetSpec) Map() bool { return t.Shape.H*t.Shape.W > 1 || t.Open() }

// Image is one input of a sample. Its values are in the order HWC.
type Image struct {
	H, W, C int
	Pix     []uint8   // a byte for each pixel and channel
	Numbers []float32 // used instead of Pix if InputSpec.Numbers is set
}

// Target is the right answer for one output: for a single sample, or for all samples of a batch, one after the other.
type Target struct {
	H, W    int // of a map, so that transforms can move it together with the image; otherwise 0
	Labels  []int32
	Numbers []float32 // used instead of Labels if TargetSpec.Numbers is set

	// Other and Shares are set for batches if TargetSpec.Mixed is: sample i has the label Labels[i] by the share
	// Shares[i], and Other[i] by the rest.
	Other  []int32
	Shares []float32
}

// Label sets the target to a single label.
func (t *Target) Label(label int) { t.Labels = append(t.Labels[:0], int32(label)) }

// Sample is one element of a data set. Its slices are used again for the next sample.
type Sample struct {
	Images  []Image  // one for each of Spec.Inputs
	Targets []Target // one for each of Spec.Targets
	Room    *Room    // what data sets and transforms keep for the next sample
}

// NewSample returns a sample with as many inputs and targets as the data set has.
func NewSample(s Spec) *Sample {
	return &Sample{Images: make([]Image, len(s.Inputs)), Targets: make([]Target, len(s.Targets)), Room: &Room{}}
}

// Room is memory that a goroutine uses again for each of its samples.
type Room struct{ kept []any }

// Kept returns the room's only T, which is new the first time. It has what the last sample has left in it.
func Kept[T any](r *Room) *T {
	if r == nil {
		return new(T)
	}
	for _, k := range r.kept {
		if t, ok := k.(*T); ok {
			return t
		}
	}
	t := new(T)
	r.kept = append(r.kept, t)
	return t
}

// Dataset is a source of samples.
type Dataset interface {
	Spec() Spec
	// Open reads what it needs. fsys returns the file system of a folder that an argument names. If a file is
	// damaged or missing, the error names the file and what was expected.
	Open(fsys func(root string) fs.FS) (Samples, error)
	// Files names the files that the data comes from; the stage's hash depends on their contents. A built-in
	// data set has none. Names are patterns as for fs.Glob. A pattern may match no file: reporting what is missing
	// is the task of Open.
	Files() (root string, names []string)
}

// Lister is a Dataset of so many files that they are named one by one: Listed returns the names of those in the root that
// the data comes from, or may come from, and what they are called together. Files then returns no names.
type Lister interface {
	Listed(fsys func(root string) fs.FS) (together string, names []string, err error)
}

// Listed returns the names of a data set's files, and what they are called together, if it names them one by one.
func Listed(d Dataset, fsys func(root string) fs.FS) (together string, names []string, err error) {
	defer Guard(&err, "Listed")
	if l, ok := d.(Lister); ok {
		return l.Listed(fsys)
	}
	return "", nil, nil
}

// Peeker is a Dataset that knows more when its files are there: Peek describes it by the names of folders, the heads of
// files, and no more than can be read at once. qpipe validate asks it; data that is not there is no mistake, unless nothing
// can be said without it.
type Peeker interface {
	Peek(fsys func(root string) fs.FS) (Spec, error)
}

// Peeked describes a data set, by its files as well if it can.
func Peeked(d Dataset, fsys func(root string) fs.FS) (s Spec, err error) {
	defer Guard(&err, "Peek")
	if p, ok := d.(Peeker); ok {
		return p.Peek(fsys)
	}
	return Ask("Spec", d.Spec)
}

// Teller is an opened data set that knows what its Dataset could not: its classes, and what it leaves out.
type Teller interface {
	Spec() Spec
	// Skipped is what is left out because it cannot be read, and why.
	Skipped() []string
}

// Sharer is a Dataset that knows, without reading, whether it has samples in common with another one.
type Sharer interface {
	Shares(other Dataset) bool
}

// Reader is a Dataset that needs memory to read a sample, such as that of an image that is decoded. SampleBytes returns how many bytes
// that is for a large sample, by the heads of some files; 0 if unknown. Each goroutine that reads has so much.
type Reader interface {
	SampleBytes(fsys func(root string) fs.FS) int64
}

// SampleBytes returns how many bytes a goroutine needs to read a sample, 0 if unknown.
func SampleBytes(d Dataset, fsys func(root string) fs.FS) int64 {
	if r, ok := d.(Reader); ok {
		return r.SampleBytes(fsys)
	}
	return 0
}

// Share reports whether one of two data sets knows that they have samples in common.
func Share(a, b Dataset) bool {
	s, ok := a.(Sharer)
	t, also := b.(Sharer)
	return ok && s.Shares(b) || also && t.Shares(a)
}

// Holder is a Dataset that keeps all samples in memory once it is opened. HeldBytes
// returns how many bytes they need, 0 if that is known only after reading the files.
type Holder interface{ HeldBytes() int64 }

// Held returns how many bytes an opened data set keeps in memory, 0 if unknown.
func Held(d Dataset) int64 {
	if h, ok := d.(Holder); ok {
		return h.HeldBytes()
	}
	return 0
}

// Samples is an opened data set. Sample writes sample i into s. It may be called from several goroutines, each with an
// s of its own.
type Samples interface {
	Len() int
	Sample(i int, s *Sample) error
}

// Transform changes a sample in place. Apply may use no other randomness than r, which depends on seed, epoch and
// index alone; it may be called from several goroutines. Spec returns the description of the transformed data; it may
// change in, which is a copy.
type Transform interface {
	Spec(in Spec) (Spec, error)
	Apply(s *Sample, r *Rand)
}

// Mixer is a Transform that mixes the samples of a training's batches with each other, after all samples were transformed one by
// one. Mix may use no other randomness than r, which depends on seed, epoch and the number of the batch alone. It reports whether it has
// changed anything: then no other one mixes the batch.
type Mixer interface {
	Transform
	Mix(m *Mixture, r *Rand) bool
}

// Mixture is a batch that is to be mixed: Len samples, at least two, one after the other.
type Mixture struct {
	Len     int
	Shapes  []tensor.Shape // of one sample of each input, N = 0
	Inputs  [][]float32    // the network's inputs
	Targets []Target       // with Other and Shares, which say that nothing is mixed yet
}

// Transformed returns the description of data after a transform.
func Transformed(s Spec, t Transform) (out Spec, err error) {
	defer Guard(&err, "Spec")
	if _, ok := t.(Mixer); !ok && slices.ContainsFunc(s.Targets, func(t TargetSpec) bool { return t.Mixed }) {
		return s, errors.New("it stands behind a transform that mixes batches, which acts after all others: put that last")
	}
	n, was := s.Len, s.Inputs
	s.Inputs, s.Targets = slices.Clone(s.Inputs), slices.Clone(s.Targets)
	s, err = t.Spec(s)
	for k := range min(len(was), len(s.Inputs)) {
		if in := &s.Inputs[k]; in.Shape != was[k].Shape && len(in.Steps) == len(was[k].Steps) {
			in.Steps = Then(in.Steps, Step{Op: other})
		}
	}
	if err == nil && s.Len != n {
		err = fmt.Errorf("it changes the number of samples from %d to %d: a transform changes samples one by one", n, s.Len)
	}
	if err != nil {
		return s, err
	}
	return s, s.Validate()
}

// Labels returns the number of labels and numbers in all targets of one sample.
func (s Spec) Labels() int {
	n := 0
	for _, t := range s.Targets {
		if n += t.Size(); t.Mixed {
			n += 2 * t.Size()
		}
	}
	return n
}

// Shapes returns the shapes of the inputs, with N = 0.
func (s Spec) Shapes() []tensor.Shape {
	var list []tensor.Shape
	for _, in := range s.Inputs {
		list = append(list, in.Shape.WithN(0))
	}
	return list
}

// ClassNames returns the names of the classes for each target, nil if no target has names.
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

// named returns what messages call an input or a target: its kind and name, or alone if there is only one of them.
func named(alone, kind, name string, of int) string {
	if of < 2 {
		return alone
	}
	return fmt.Sprintf("%s %q", kind, name)
}

// InputText describes the inputs, with their names if there are several.
func (s Spec) InputText() string {
	return texts(s.Inputs, func(in InputSpec) string { return in.Name })
}

// TargetText describes the targets, with their names if there are several.
func (s Spec) TargetText() string {
	if len(s.Targets) == 0 {
		return "no target"
	}
	return texts(s.Targets, func(t TargetSpec) string { return t.Name })
}

// texts lists things, each with its name if there are several.
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
