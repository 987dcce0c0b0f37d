package datasets

import (
	"errors"
	"fmt"
	"io/fs"

	"qpipe/interp/part"
	"qpipe/ops/tensor"
	"qpipe/stdlib/datasets/subset"
)

// MNISTArgs are the arguments of MNIST.
type MNISTArgs struct {
	Root       string   `arg:"root" doc:"Folder with the IDX files, plain or packed by gzip, whatever their endings."`
	Split      string   `arg:"split,optional" oneof:"train validation val test" doc:"train is train-*-ubyte (60000 images) without those held out by val_samples, validation (or val) is those, test is t10k-*-ubyte (10000)."`
	ValSamples int      `arg:"val_samples,optional" doc:"How many of the training images are held out for validation: the last ones. Training and validation data with equal val_samples and seed share no image."`
	Seed       int      `arg:"seed,optional" doc:"Shuffles the files' images before val_samples, offset and max_samples choose among them; 0 leaves them as they are."`
	Offset     int      `arg:"offset,optional" doc:"How many of the split's first images are left out."`
	MaxSamples int      `arg:"max_samples,optional" doc:"How many images are used, after offset; 0 uses all."`
	ClassNames []string `arg:"class_names,optional" doc:"Names of the ten classes, label 0 first, for the files of models; without it the digits."`
}

// MNISTDefaults returns MNIST's defaults.
func MNISTDefaults() MNISTArgs { return MNISTArgs{Split: "train"} }

// Validate implements the language's check after decoding.
func (a MNISTArgs) Validate() error {
	if a.Root == "" {
		return part.Bad("root", `is empty; name the folder with the IDX files ("." is the pipeline's own)`)
	}
	if subset.Validation(a.Split) && a.ValSamples == 0 {
		return part.Bad("split", "MNIST has no validation images of its own; say with val_samples how many of the training images are held out, here and in the training data")
	}
	if err := a.subset().Validate(a.count()); err != nil {
		return err
	}
	return subset.ValidNames(a.ClassNames, 10)
}

func (a MNISTArgs) subset() subset.Subset {
	return subset.Subset{Split: a.Split, Seed: a.Seed, Held: a.ValSamples, Offset: a.Offset, Most: a.MaxSamples}
}

// count is the number of images in MNIST's own files of the split.
func (a MNISTArgs) count() int {
	if a.Split == "test" {
		return 10_000
	}
	return 60_000
}

type mnist struct{ MNISTArgs }

// NewMNIST returns the data set of handwritten digits (LeCun, Cortes, Burges),
// 28×28 grey, ten classes. Fashion-MNIST (Xiao et al. 2017) has the same files
// and sizes and is read by naming its folder.
func NewMNIST(a MNISTArgs) (part.Dataset, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return mnist{a}, nil
}

// names are the files of the split.
func (m mnist) names() (images, labels string) {
	prefix := "train"
	if m.Split == "test" {
		prefix = "t10k"
	}
	return prefix + "-images-idx3-ubyte", prefix + "-labels-idx1-ubyte"
}

// Spec implements part.Dataset.
func (m mnist) Spec() part.Spec {
	return classified(tensor.Shape{H: 28, W: 28, C: 1}, 10, namesOr(m.ClassNames, digitNames()), m.subset().Size(m.count()))
}

// Files implements part.Dataset.
func (m mnist) Files() (string, []string) {
	images, labels := m.names()
	return m.Root, append(spellings(images), spellings(labels)...)
}

// Shares implements part.Sharer.
func (m mnist) Shares(other part.Dataset) bool {
	o, ok := other.(mnist)
	return ok && m.Root == o.Root && m.count() == o.count() && m.subset().Shares(o.subset(), m.count())
}

// HeldBytes implements part.Holder: the images, and which of them are in the set.
func (m mnist) HeldBytes() int64 {
	n := m.subset().Limit()
	if m.MaxSamples == 0 {
		n = m.count()
	}
	return int64(n)*(28*28+1) + 8*int64(m.subset().Size(m.count()))
}

// Open implements part.Dataset.
func (m mnist) Open(fsys func(root string) fs.FS) (part.Samples, error) {
	s, err := m.read(fsys(m.Root))
	if err != nil {
		return nil, fmt.Errorf("in %s: %w", m.Root, err)
	}
	return s, nil
}

const whereMNIST = "the four files of MNIST are at https://github.com/cvdfoundation/mnist, those of Fashion-MNIST at https://github.com/zalandoresearch/fashion-mnist; put them, packed or not, into this folder"

func (m mnist) read(fsys fs.FS) (part.Samples, error) {
	imageName, labelName := m.names()
	images, err := readIDX(fsys, imageName, idxImages, m.subset().Limit())
	if err != nil {
		return nil, wayOut(err)
	}
	labels, err := readIDX(fsys, labelName, idxLabels, m.subset().Limit())
	if err != nil {
		return nil, wayOut(err)
	}
	if err := m.fits(images, labels); err != nil {
		return nil, err
	}
	return m.subset().Of(&grey{h: 28, w: 28, pix: images.data, labels: labels.data}, images.dims[0])
}

// fits checks that the two files fit each other and what Spec announced.
func (m mnist) fits(images, labels *idx) error {
	if h, w := images.dims[1], images.dims[2]; h != 28 || w != 28 {
		return fmt.Errorf("%s: its images are %d×%d, those of MNIST 28×28", images.name, h, w)
	}
	if n, k := images.dims[0], labels.dims[0]; n != k {
		return fmt.Errorf("%s has %s, but %s has %s; the two do not belong together", images.name, part.Count(n, "image"), labels.name, part.Count(k, "label"))
	}
	s := m.subset()
	from, to, err := s.Bounds(images.dims[0])
	if err != nil {
		return fmt.Errorf("%s: %w", images.name, err)
	}
	if n, want := to-from, s.Size(m.count()); n != want {
		return part.Bad("max_samples", "%s has %s, but this split of MNIST has %d; for other data in the same format set max_samples = %d", images.name, part.Count(images.dims[0], "image"), m.count(), n)
	}
	for i, l := range labels.data {
		if l > 9 {
			return fmt.Errorf("%s: label %d of image %d is not one of the ten classes 0 to 9", labels.name, l, i)
		}
	}
	return nil
}

// wayOut adds where to get the files, if one is missing or damaged.
func wayOut(err error) error {
	var missing *missingError
	var kind *kindError
	if errors.As(err, &kind) {
		return err
	}
	if errors.As(err, &missing) {
		return fmt.Errorf("%w; %s", err, whereMNIST)
	}
	return fmt.Errorf("%w; fetch the file again (%s)", err, whereMNIST)
}

// grey is a data set of grey images in memory.
type grey struct {
	h, w        int
	pix, labels []byte
}

// Len implements part.Samples.
func (g *grey) Len() int { return len(g.labels) }

// Sample implements part.Samples.
func (g *grey) Sample(i int, s *part.Sample) error {
	n, dst := g.h*g.w, &s.Images[0]
	dst.H, dst.W, dst.C = g.h, g.w, 1
	dst.Pix = append(dst.Pix[:0], g.pix[i*n:(i+1)*n]...)
	s.Targets[0].Label(int(g.labels[i]))
	return nil
}
