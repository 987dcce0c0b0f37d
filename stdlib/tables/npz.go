package tables

import (
	"cmp"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"

	"qpipe/interp/part"
	"qpipe/ops/tensor"
	"qpipe/stdlib/datasets/subset"
)

// ArrayArgs are the arguments that NPZ and NPY have in common.
type ArrayArgs struct {
	Root       string   `arg:"root" doc:"Folder with the file or files."`
	Split      string   `arg:"split,optional" oneof:"train validation val test" doc:"Which samples; it names the arrays, unless images and labels do."`
	Layout     string   `arg:"layout,optional" oneof:"NHWC NCHW" doc:"The order of the images' axes. Arrays of two axes have one channel; those of one axis are vectors."`
	Shape      []int    `arg:"shape,optional" doc:"Height, width and channels of a sample; only needed to validate where the files are not there."`
	Ignore     int      `arg:"ignore,optional" doc:"The label that counts for nothing, in a mask usually 255."`
	ClassNames []string `arg:"class_names,optional" doc:"Names of the classes, label 0 first. Without it the largest label says how many there are."`
	ValSamples int      `arg:"val_samples,optional" doc:"How many of the training samples are held out for validation: the last ones. Training and validation data with equal val_samples and seed share no sample."`
	Seed       int      `arg:"seed,optional" doc:"Shuffles the samples before val_samples, offset and max_samples choose among them; 0 leaves them as they are."`
	Offset     int      `arg:"offset,optional" doc:"How many of the split's first samples are left out."`
	MaxSamples int      `arg:"max_samples,optional" doc:"How many samples are used, after offset; 0 uses all."`
}

// NPZArgs are the arguments of NPZ.
type NPZArgs struct {
	File   string `arg:"file" doc:"Name of the archive in the root."`
	Images string `arg:"images,optional" doc:"Name of the array of images or vectors; without it x_train, x_val or x_test."`
	Labels string `arg:"labels,optional" doc:"Name of the array of labels or masks; without it y_train, y_val or y_test."`
	ArrayArgs
}

// NPYArgs are the arguments of NPY.
type NPYArgs struct {
	Images string `arg:"images,optional" doc:"File of the images or vectors in the root; without it x_train.npy, x_val.npy or x_test.npy."`
	Labels string `arg:"labels,optional" doc:"File of the labels or masks; without it y_train.npy, y_val.npy or y_test.npy."`
	ArrayArgs
}

// ArrayDefaults returns the defaults of NPZ and NPY.
func ArrayDefaults() ArrayArgs { return ArrayArgs{Split: "train", Layout: "NHWC", Ignore: -1} }

// Validate implements the language's check after decoding.
func (a ArrayArgs) Validate() error {
	switch {
	case a.Root == "":
		return part.Bad("root", `is empty; name the folder with the file ("." is the pipeline's own)`)
	case len(a.Shape) != 0 && len(a.Shape) != 3:
		return part.Bad("shape", "%s; it has height, width and channels", part.Count(len(a.Shape), "value"))
	case len(a.Shape) > 0 && slices.Min(a.Shape) < 1:
		return part.Bad("shape", "%v; each must be at least 1", a.Shape)
	}
	if len(a.ClassNames) > 0 {
		if err := subset.ValidNames(a.ClassNames, len(a.ClassNames)); err != nil {
			return err
		}
	}
	return a.subset().Validate(-1)
}

func (a ArrayArgs) subset() subset.Subset {
	return subset.Subset{Split: a.Split, Seed: a.Seed, Held: a.ValSamples, Offset: a.Offset, Most: a.MaxSamples}
}

// source is the ending of the arrays' names.
func (a ArrayArgs) source() string {
	switch {
	case a.Split == "test":
		return "test"
	case subset.Validation(a.Split) && a.ValSamples == 0:
		return "val"
	}
	return "train"
}

// Validate implements the language's check after decoding.
func (a NPZArgs) Validate() error {
	if !fs.ValidPath(path.Clean(a.File)) || a.File == "" {
		return part.Bad("file", "%q is not the name of a file in the root", a.File)
	}
	return a.ArrayArgs.Validate()
}

// Validate implements the language's check after decoding.
func (a NPYArgs) Validate() error {
	for attr, name := range map[string]string{"images": a.Images, "labels": a.Labels} {
		if name != "" && !fs.ValidPath(path.Clean(name)) {
			return part.Bad(attr, "%q is not the name of a file in the root", name)
		}
	}
	return a.ArrayArgs.Validate()
}

// arrays is the data set of two arrays.
type arrays struct {
	ArrayArgs
	archive, images, labels string
}

// NewNPZ returns the data set of two arrays in an archive, as numpy.savez writes it.
func NewNPZ(a NPZArgs) (part.Dataset, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	s := a.source()
	return arrays{a.ArrayArgs, path.Clean(a.File), cmp.Or(a.Images, "x_"+s), cmp.Or(a.Labels, "y_"+s)}, nil
}

// NewNPY returns the data set of two arrays in files of their own, as numpy.save writes them.
func NewNPY(a NPYArgs) (part.Dataset, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	s := a.source()
	return arrays{a.ArrayArgs, "", path.Clean(cmp.Or(a.Images, "x_"+s+".npy")), path.Clean(cmp.Or(a.Labels, "y_"+s+".npy"))}, nil
}

// Files implements part.Dataset.
func (a arrays) Files() (string, []string) {
	if a.archive != "" {
		return a.Root, []string{a.archive}
	}
	return a.Root, []string{a.images, a.labels}
}

// Spec implements part.Dataset.
func (a arrays) Spec() part.Spec {
	shape := tensor.Shape{}
	if len(a.Shape) == 3 {
		shape = tensor.Shape{H: a.Shape[0], W: a.Shape[1], C: a.Shape[2]}
	}
	return a.spec(shape, false, tensor.Shape{}, -1, a.subset().Size(-1))
}

func (a arrays) spec(image tensor.Shape, numbers bool, mask tensor.Shape, classes, n int) part.Spec {
	if len(a.ClassNames) > 0 {
		classes = len(a.ClassNames)
	}
	return part.Spec{
		Inputs:  []part.InputSpec{{Shape: image, Numbers: numbers}},
		Targets: []part.TargetSpec{{Shape: mask, Classes: classes, Names: a.ClassNames, Ignores: true}},
		Len:     n,
	}
}

// Peek implements part.Peeker: the heads of the arrays tell the shape.
func (a arrays) Peek(fsys func(root string) fs.FS) (part.Spec, error) {
	x := source{fsys(a.Root), a.archive}
	images, err := x.head(a.images)
	if err != nil {
		if len(a.Shape) == 0 {
			return part.Spec{}, part.Bad("root", "the shape of the samples is not known, since in %s %w; put the file there, or write shape = [height, width, channels]", a.Root, err)
		}
		return a.Spec(), nil
	}
	labels, err := x.head(a.labels)
	if err != nil {
		return a.Spec(), nil
	}
	mask, err := a.fit(images, labels)
	if err != nil {
		return part.Spec{}, err
	}
	return a.spec(images.image(a.Layout), !images.byteValues(), mask, -1, a.subset().Size(-1)), nil
}

// fit returns the shape of a mask, the zero Shape for labels of whole samples, or what of the arrays does not go together.
func (a arrays) fit(images, labels *header) (mask tensor.Shape, err error) {
	image := images.image(a.Layout)
	if len(a.Shape) == 3 && image != (tensor.Shape{H: a.Shape[0], W: a.Shape[1], C: a.Shape[2]}) {
		return mask, part.Bad("shape", "%v, but a sample of %s is %v", a.Shape, a.images, image)
	}
	of := labels.shape[1:]
	switch {
	case images.samples() != labels.samples():
		return mask, part.Bad("labels", "%s has %s for the %s of %s", a.labels, part.Count(labels.samples(), "label"), part.Count(images.samples(), "sample"), a.images)
	case images.samples() == 0 || images.each() == 0:
		return mask, part.Bad("images", "%s is empty", a.images)
	case labels.each() == 1:
		return mask, nil
	case len(of) == 3 && of[0] == 1:
		of = of[1:]
	case len(of) == 3 && of[2] == 1:
		of = of[:2]
	}
	if len(of) != 2 || of[0] != image.H || of[1] != image.W {
		return mask, part.Bad("labels", "%s has labels of the shape %v: a label is one number for a sample, or one for each pixel of an image of %v", a.labels, labels.shape[1:], image)
	}
	return tensor.Shape{H: image.H, W: image.W, C: 1}, nil
}

// samples is the number of samples of an array.
func (h *header) samples() int { return h.shape[0] }

// Shares implements part.Sharer.
func (a arrays) Shares(other part.Dataset) bool {
	o, ok := other.(arrays)
	return ok && a.Root == o.Root && a.archive == o.archive && a.images == o.images && a.subset().Shares(o.subset(), -1)
}

// Open implements part.Dataset.
func (a arrays) Open(fsys func(root string) fs.FS) (part.Samples, error) {
	s, err := a.open(source{fsys(a.Root), a.archive})
	if err != nil {
		return nil, fmt.Errorf("in %s: %w", a.Root, err)
	}
	return s, nil
}

func (a arrays) open(x source) (*arraySamples, error) {
	s := &arraySamples{args: a}
	var err error
	if s.images, err = x.array(a.images); err != nil {
		return nil, err
	}
	if s.labels, err = x.array(a.labels); err != nil {
		return nil, err
	}
	if s.mask, err = a.fit(s.images.header, s.labels.header); err != nil {
		return nil, err
	}
	if s.order, err = a.subset().Choose(s.images.samples()); err != nil {
		return nil, err
	}
	return s, s.count()
}

// arraySamples are the samples of two arrays.
type arraySamples struct {
	args           arrays
	images, labels *array
	mask           tensor.Shape // of a mask; the zero Shape for a label
	order          []int
	classes        int
}

// room is the memory for the numbers of a sample.
type room struct{ images, labels []byte }

// Len implements part.Samples.
func (s *arraySamples) Len() int { return len(s.order) }

// Spec implements part.Teller.
func (s *arraySamples) Spec() part.Spec {
	return s.args.spec(s.images.image(s.args.Layout), !s.images.byteValues(), s.mask, s.classes, len(s.order))
}

// Skipped implements part.Teller.
func (s *arraySamples) Skipped() []string { return nil }

// count reads all labels, and finds out how many classes there are.
func (s *arraySamples) count() error {
	var t part.Target
	var r room
	for i := range s.labels.samples() {
		if err := s.label(i, &t, &r); err != nil {
			return err
		}
		s.classes = max(s.classes, int(slices.Max(t.Labels))+1)
	}
	if n := len(s.args.ClassNames); n > 0 && n < s.classes {
		return part.Bad("class_names", "%s has the label %d, and there are %s", s.args.labels, s.classes-1, part.Count(n, "name"))
	}
	s.classes = max(s.classes, 1)
	return nil
}

// label reads the labels of sample i of the arrays.
func (s *arraySamples) label(i int, t *part.Target, r *room) (err error) {
	if r.labels, err = s.labels.read(i, r.labels); err != nil {
		return err
	}
	t.Labels = t.Labels[:0]
	for p := 0; p < len(r.labels); p += s.labels.size {
		v := s.labels.number(r.labels[p:])
		switch {
		case v == float64(s.args.Ignore):
			t.Labels = append(t.Labels, part.Ignored)
		case v >= 0 && v < 1<<20 && v == math.Trunc(v):
			t.Labels = append(t.Labels, int32(v))
		default:
			return fmt.Errorf("%s has the label %v for sample %d: a label is a whole number from 0 on; ignore names one that counts for nothing", s.args.labels, v, i)
		}
	}
	t.H, t.W = s.mask.H, s.mask.W
	return nil
}

// Sample implements part.Samples.
func (s *arraySamples) Sample(i int, x *part.Sample) (err error) {
	i = s.order[i]
	r := part.Kept[room](x.Room)
	if r.images, err = s.images.read(i, r.images); err != nil {
		return err
	}
	m, shape := &x.Images[0], s.images.image(s.args.Layout)
	m.H, m.W, m.C = shape.H, shape.W, shape.C
	planes := s.args.Layout == "NCHW" && len(s.images.shape) == 4
	if s.images.byteValues() {
		m.Pix = arranged(m.Pix, len(r.images), shape, planes, func(k int) uint8 { return r.images[k] })
	} else {
		size := s.images.size
		m.Numbers = arranged(m.Numbers, len(r.images)/size, shape, planes, func(k int) float32 { return float32(s.images.number(r.images[k*size:])) })
	}
	return s.label(i, &x.Targets[0], r)
}

// arranged writes n values in the order HWC; planes says that they come channel by channel.
func arranged[T any](to []T, n int, s tensor.Shape, planes bool, value func(k int) T) []T {
	to = slices.Grow(to[:0], n)[:n]
	if !planes {
		for k := range to {
			to[k] = value(k)
		}
		return to
	}
	pixels := s.H * s.W
	for c := range s.C {
		for p := range pixels {
			to[p*s.C+c] = value(c*pixels + p)
		}
	}
	return to
}
