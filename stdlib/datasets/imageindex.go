package datasets

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"qpipe/interp/part"
	"qpipe/interp/picture"
	"qpipe/stdlib/datasets/subset"
)

// imageIndex lists the files of a split with their labels.
type imageIndex struct {
	files   []string
	labels  []int32
	classes int
	names   []string // of the classes; nil if the labels are numbers
}

// index lists the files of the split that the images come from.
func (f imageFolder) index(in fs.FS) (*imageIndex, error) {
	if f.List != "" {
		return f.listed(in)
	}
	l, err := f.layout(in)
	if err != nil {
		return nil, err
	}
	x := &imageIndex{names: l.classes, classes: len(l.classes)}
	for _, folder := range l.folders {
		label := slices.Index(l.classes, folder)
		if label < 0 {
			return nil, fmt.Errorf("the folder %s is none of the %s (%s)", path.Join(l.base, folder), part.Count(len(l.classes), "class"), few(l.classes))
		}
		files, err := part.Tree(in, path.Join(l.base, folder))
		if err != nil {
			return nil, err
		}
		before := len(x.files)
		for _, name := range files {
			if picture.Named(name) {
				x.files, x.labels = append(x.files, name), append(x.labels, int32(label))
			}
		}
		if len(x.files) == before {
			return nil, fmt.Errorf("the folder %s has no image (JPEG, PNG, WebP, BMP or GIF): remove it, or put its images into it", path.Join(l.base, folder))
		}
	}
	if len(x.files) == 0 {
		return nil, fmt.Errorf("there is no folder with images in %s: each class has one", path.Join(f.Root, l.base))
	}
	return x, nil
}

// few lists some names.
func few(names []string) string {
	if len(names) > 8 {
		return strings.Join(names[:8], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// layout says where the folders of classes are.
type layout struct {
	base    string   // the folder that they are in
	folders []string // their names
	classes []string // the names of all classes
}

// layout looks for the folder of the split. The classes are those of the training images, so that a class that another
// split lacks does not move the labels of the others.
func (f imageFolder) layout(in fs.FS) (layout, error) {
	_, top, err := part.List(in, ".")
	if err != nil {
		return layout{}, fmt.Errorf("the folder cannot be read: %w; root names the folder with the images", err)
	}
	l := layout{}
	if l.base, err = f.base(f.Root, f.source(), top); err != nil {
		return l, err
	}
	if l.folders, err = foldersOf(in, l.base, top); err != nil {
		return l, err
	}
	switch l.classes = l.folders; {
	case len(f.ClassNames) > 0:
		l.classes = f.ClassNames
	case l.base != "." && l.base != "train" && slices.Contains(top, "train"):
		l.classes, err = foldersOf(in, "train", top)
	}
	return l, err
}

func foldersOf(in fs.FS, base string, top []string) ([]string, error) {
	if base == "." {
		return top, nil
	}
	_, folders, err := part.List(in, base)
	return folders, err
}

// listed reads the list.
func (f imageFolder) listed(in fs.FS) (*imageIndex, error) {
	file, err := in.Open(path.Clean(f.List))
	if err != nil {
		return nil, part.Bad("list", "%w", err)
	}
	defer func() { _ = file.Close() }() // only read
	rows := imageList{source: f.source()}
	if err := rows.read(file); err != nil {
		return nil, part.Bad("list", "%s: %w", f.List, err)
	}
	x := &imageIndex{files: rows.files}
	if len(x.files) == 0 {
		return nil, part.Bad("list", "%s has no row of the split %s", f.List, f.source())
	}
	var bad int
	if x.labels, x.classes, x.names, bad = subset.Labels(rows.labels, rows.all, f.ClassNames); bad >= 0 {
		return nil, part.Bad("class_names", "the label %q of %s is none of them", rows.labels[bad], rows.files[bad])
	}
	return x, nil
}

// imageList has the rows of a list.
type imageList struct {
	source        string
	files, labels []string // those of the split
	all           []string // the labels of all splits, each once
}

// read reads a CSV file whose first row names the columns.
func (l *imageList) read(r io.Reader) error {
	c := csv.NewReader(r)
	c.ReuseRecord, c.TrimLeadingSpace = true, true
	head, err := c.Read()
	if err != nil {
		return fmt.Errorf("its first row cannot be read: %w", err)
	}
	column := func(name string) int {
		return slices.IndexFunc(head, func(s string) bool {
			return strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(s, "\ufeff")), name)
		})
	}
	file, label, split := column("file"), column("label"), column("split")
	if file < 0 || label < 0 {
		return fmt.Errorf("its first row has to name the columns file and label, and has %q", head)
	}
	if split < 0 && l.source != "train" {
		return fmt.Errorf("it has no column split, so that all of its rows are for training")
	}
	known := map[string]bool{}
	for {
		row, err := c.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if !known[row[label]] {
			known[row[label]] = true
			l.all = append(l.all, strings.Clone(row[label]))
		}
		if split >= 0 && !sameSplit(row[split], l.source) {
			continue
		}
		name := path.Clean(row[file])
		if line, _ := c.FieldPos(file); !fs.ValidPath(name) || name == "." {
			return fmt.Errorf("line %d has the file %q, which is not in the root", line, row[file])
		}
		l.files, l.labels = append(l.files, strings.Clone(name)), append(l.labels, strings.Clone(row[label]))
	}
}

func sameSplit(written, source string) bool {
	return written == source || subset.Validation(written) && source == "validation"
}
