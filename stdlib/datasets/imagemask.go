package datasets

import (
	"bufio"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"qpipe/interp/part"
	"qpipe/interp/picture"
	"qpipe/ops/tensor"
	"qpipe/stdlib/datasets/subset"
)

// ImageMaskArgs are the arguments of ImageMask.
type ImageMaskArgs struct {
	Root       string   `arg:"root" doc:"Folder with the images and masks, or with the folders train, val (or validation) and test, which have them."`
	Split      string   `arg:"split,optional" oneof:"train validation val test" doc:"train is the folder train, or all of the root if it has none, without the images held out by val_samples; validation (or val) is those or, with val_samples = 0, the folder val; test is the folder test."`
	Images     string   `arg:"images,optional" doc:"Folder of the images in that of the split."`
	Masks      string   `arg:"masks,optional" doc:"Folder of the masks, which have the names of their images but for the ending: PNG with a palette, or grey."`
	List       string   `arg:"list,optional" doc:"A text file in the root with a name on each line, without ending: only these images are used."`
	NumClasses int      `arg:"num_classes" doc:"Number of classes: a mask has the numbers 0 to num_classes - 1, or those of values."`
	Values     []int    `arg:"values,optional" doc:"The number in the masks for each class, label 0 first, if it is not the label: [0, 255]."`
	Ignore     int      `arg:"ignore,optional" doc:"The number in the masks of pixels that count for nothing; -1 for none."`
	ClassNames []string `arg:"class_names,optional" doc:"Names of the classes, label 0 first."`
	FileArgs
}

// ImageMaskDefaults returns ImageMask's defaults.
func ImageMaskDefaults() ImageMaskArgs {
	return ImageMaskArgs{Split: "train", Images: "images", Masks: "masks", Ignore: 255, FileArgs: fileDefaults()}
}

// Validate implements the language's check after decoding.
func (a ImageMaskArgs) Validate() error {
	switch {
	case a.Root == "":
		return part.Bad("root", `is empty; name the folder with the images ("." is the pipeline's own)`)
	case !fs.ValidPath(path.Clean(a.Images)):
		return part.Bad("images", "%q is not the name of a folder", a.Images)
	case !fs.ValidPath(path.Clean(a.Masks)):
		return part.Bad("masks", "%q is not the name of a folder", a.Masks)
	case a.List != "" && !fs.ValidPath(path.Clean(a.List)):
		return part.Bad("list", "%q is not the name of a file in the root", a.List)
	case a.NumClasses < 2 || a.NumClasses > 1<<16:
		return part.Bad("num_classes", "%d; it must be 2 to %d", a.NumClasses, 1<<16)
	case len(a.Values) > 0 && len(a.Values) != a.NumClasses:
		return part.Bad("values", "%s for %s; give one for each", part.Count(len(a.Values), "value"), part.Count(a.NumClasses, "class"))
	case a.Ignore < -1 || a.Ignore >= 1<<16:
		return part.Bad("ignore", "%d; it must be -1 to %d", a.Ignore, 1<<16-1)
	}
	for i, v := range a.Values {
		if v < 0 || v >= 1<<16 || v == a.Ignore || slices.Contains(a.Values[:i], v) {
			return part.Bad("values", "%d; each is another number from 0 to %d, and none is that of ignore, %d", v, 1<<16-1, a.Ignore)
		}
	}
	if err := a.validate(a.Split); err != nil {
		return err
	}
	return subset.ValidNames(a.ClassNames, a.NumClasses)
}

type imageMask struct{ ImageMaskArgs }

// NewImageMask returns the data set of images with masks.
func NewImageMask(a ImageMaskArgs) (part.Dataset, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return imageMask{a}, nil
}

func (m imageMask) source() string { return m.sourceOf(m.Split) }

// Spec implements part.Dataset.
func (m imageMask) Spec() part.Spec { return m.spec(m.of(m.Split).Size(-1)) }

func (m imageMask) spec(n int) part.Spec {
	s := classified(tensor.Shape{C: m.Channels}, m.NumClasses, m.ClassNames, n)
	s.Targets[0].Shape, s.Targets[0].Ignores = tensor.Shape{C: 1}, m.Ignore >= 0
	return s
}

// Files implements part.Dataset: there are too many for patterns, see Listed.
func (m imageMask) Files() (string, []string) { return m.Root, nil }

// Listed implements part.Lister. Data that is not there has no files.
func (m imageMask) Listed(fsys func(root string) fs.FS) (together string, names []string, err error) {
	in := fsys(m.Root)
	if _, err := fs.Stat(in, "."); err != nil {
		return "", nil, nil
	}
	images, masks, err := m.pairs(in)
	if err != nil {
		return "", nil, fmt.Errorf("in %s: %w", m.Root, err)
	}
	names = slices.Concat(images, masks)
	if m.List != "" {
		names = append(names, path.Clean(m.List))
	}
	slices.Sort(names)
	return path.Join(m.source(), m.Images, m.Masks, m.List), slices.Compact(names), nil
}

// Shares implements part.Sharer.
func (m imageMask) Shares(other part.Dataset) bool {
	o, ok := other.(imageMask)
	return ok && m.Root == o.Root && m.Images == o.Images && m.List == o.List && m.source() == o.source() && m.of(m.Split).Shares(o.of(o.Split), -1)
}

// pairs lists the images of the split and their masks.
func (m imageMask) pairs(in fs.FS) (images, masks []string, err error) {
	_, top, err := part.List(in, ".")
	if err != nil {
		return nil, nil, fmt.Errorf("the folder cannot be read: %w; root names the folder with the images", err)
	}
	base, err := m.base(m.Root, m.source(), top)
	if err != nil {
		return nil, nil, err
	}
	byName := func(attr, dir string) (map[string]string, []string, error) {
		dir = path.Join(base, dir)
		files, err := part.Tree(in, dir)
		if err != nil {
			return nil, nil, part.Bad(attr, "the folder %s cannot be read: %w", dir, err)
		}
		found, names := map[string]string{}, []string(nil)
		for _, f := range files {
			if picture.Named(f) {
				name := strings.TrimPrefix(strings.TrimSuffix(f, path.Ext(f)), dir+"/")
				found[name], names = f, append(names, name)
			}
		}
		return found, names, nil
	}
	pictures, names, err := byName("images", m.Images)
	if err != nil {
		return nil, nil, err
	}
	labels, _, err := byName("masks", m.Masks)
	if err == nil && m.List != "" {
		names, err = m.listed(in)
	}
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		image, mask := pictures[name], labels[name]
		switch {
		case image == "":
			return nil, nil, part.Bad("list", "there is no image %s in %s", name, path.Join(base, m.Images))
		case mask == "":
			return nil, nil, part.Bad("masks", "there is no mask of %s in %s", image, path.Join(base, m.Masks))
		}
		images, masks = append(images, image), append(masks, mask)
	}
	if len(images) == 0 {
		return nil, nil, part.Bad("images", "there is no image in %s", path.Join(base, m.Images))
	}
	return images, masks, nil
}

// listed reads the list of names.
func (m imageMask) listed(in fs.FS) (names []string, err error) {
	f, err := in.Open(path.Clean(m.List))
	if err != nil {
		return nil, part.Bad("list", "%w", err)
	}
	defer func() { _ = f.Close() }() // only read
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name := strings.TrimSpace(lines.Text()); name != "" {
			names = append(names, name)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, part.Bad("list", "%s: %w", m.List, err)
	}
	return names, nil
}

// Open implements part.Dataset.
func (m imageMask) Open(fsys func(root string) fs.FS) (part.Samples, error) {
	s := &maskFiles{folder: fsys(m.Root), args: m, labels: map[int32]int32{}}
	var err error
	if s.images, s.masks, err = m.pairs(s.folder); err == nil {
		for label := range m.NumClasses {
			v := label
			if len(m.Values) > 0 {
				v = m.Values[label]
			}
			s.labels[int32(v)] = int32(label)
		}
		s.labels[int32(m.Ignore)] = part.Ignored
		s.order, s.skipped, err = m.chosen(m.Split, len(s.images), s.read)
	}
	if err != nil {
		return nil, fmt.Errorf("in %s: %w", m.Root, err)
	}
	return s, nil
}

// maskFiles are image files with masks.
type maskFiles struct {
	folder        fs.FS
	args          imageMask
	images, masks []string
	labels        map[int32]int32 // by the number in a mask
	order         []int
	skipped       []string
}

// Len implements part.Samples.
func (s *maskFiles) Len() int { return len(s.order) }

// Spec implements part.Teller.
func (s *maskFiles) Spec() part.Spec { return s.args.spec(len(s.order)) }

// Skipped implements part.Teller.
func (s *maskFiles) Skipped() []string { return s.skipped }

// Sample implements part.Samples.
func (s *maskFiles) Sample(i int, x *part.Sample) error {
	if err := s.read(s.order[i], part.Kept[imageReader](x.Room), x); err != nil {
		return fmt.Errorf("%w%s", err, hint)
	}
	return nil
}

// read reads an image and its mask.
func (s *maskFiles) read(i int, r *imageReader, x *part.Sample) error {
	if err := r.file(s.folder, s.images[i], s.args.FileArgs, &x.Images[0]); err != nil {
		return err
	}
	name, t := s.masks[i], &x.Targets[0]
	if err := r.load(s.folder, name, s.args.most()); err != nil {
		return fmt.Errorf("%s cannot be read: %w", name, err)
	}
	var err error
	if t.Labels, t.H, t.W, err = r.decoder.Labels(r.data, t.Labels[:0]); err != nil {
		return fmt.Errorf("%s %w", name, recognized(err, r.data))
	}
	if m := x.Images[0]; m.H != t.H || m.W != t.W {
		return fmt.Errorf("%s has %d×%d pixels, and its mask %s %d×%d", s.images[i], m.H, m.W, name, t.H, t.W)
	}
	last, as := int32(-1), int32(0) // neighbours are often alike
	for p, v := range t.Labels {
		if v != last {
			label, known := s.labels[v]
			if !known {
				return fmt.Errorf("%s has the number %d at row %d, column %d, which is that of no class", name, v, p/t.W, p%t.W)
			}
			last, as = v, label
		}
		t.Labels[p] = as
	}
	return nil
}
