package tables

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"qpipe/interp/part"
	"qpipe/ops/tensor"
	"qpipe/stdlib/datasets/subset"
)

// CSVArgs are the arguments of CSV.
type CSVArgs struct {
	Root       string   `arg:"root" doc:"Folder with the file."`
	File       string   `arg:"file" doc:"Name of the file in the root."`
	Label      string   `arg:"label,optional" doc:"The column of the label: its name in the first row, or its number, from 1 on; -1 is the last. The others are the numbers of the sample."`
	Header     string   `arg:"header,optional" oneof:"auto yes no" doc:"Whether the first row has the names of the columns; auto looks whether all of its cells but the label are numbers."`
	Separator  string   `arg:"separator,optional" doc:"What is between two cells."`
	Shape      []int    `arg:"shape" doc:"Height, width and channels of the numbers of a sample, in this order; [1, 1, n] for n numbers that are no image."`
	ClassNames []string `arg:"class_names,optional" doc:"The classes, label 0 first; without it labels that are numbers are taken as they are, and others are sorted."`
	Split      string   `arg:"split,optional" oneof:"train validation val" doc:"train is all rows without those held out by val_samples, validation (or val) is those."`
	ValSamples int      `arg:"val_samples,optional" doc:"How many of the rows are held out for validation: the last ones. Training and validation data with equal val_samples and seed share no row."`
	Seed       int      `arg:"seed,optional" doc:"Shuffles the rows before val_samples, offset and max_samples choose among them; 0 leaves them as they are."`
	Offset     int      `arg:"offset,optional" doc:"How many of the split's first rows are left out."`
	MaxSamples int      `arg:"max_samples,optional" doc:"How many rows are used, after offset; 0 uses all."`
}

// CSVDefaults returns CSV's defaults.
func CSVDefaults() CSVArgs {
	return CSVArgs{Label: "-1", Header: "auto", Separator: ",", Split: "train"}
}

// Validate implements the language's check after decoding.
func (a CSVArgs) Validate() error {
	r, n := utf8.DecodeRuneInString(a.Separator)
	switch {
	case a.Root == "":
		return part.Bad("root", `is empty; name the folder with the file ("." is the pipeline's own)`)
	case !fs.ValidPath(path.Clean(a.File)) || a.File == "":
		return part.Bad("file", "%q is not the name of a file in the root", a.File)
	case len(a.Shape) != 3 || slices.Min(a.Shape) < 1 || slices.Max(a.Shape) > 1<<20:
		return part.Bad("shape", "%v; it has height, width and channels", a.Shape)
	case a.Label == "" || a.Label == "0":
		return part.Bad("label", "%q is no column; the first one is 1", a.Label)
	case n != len(a.Separator) || n == 0 || r == '"' || r == '\r' || r == '\n' || r == utf8.RuneError:
		return part.Bad("separator", `%q; it is one character, such as "," or ";" or "\t"`, a.Separator)
	}
	if len(a.ClassNames) > 0 {
		if err := subset.ValidNames(a.ClassNames, len(a.ClassNames)); err != nil {
			return err
		}
	}
	if subset.Validation(a.Split) && a.ValSamples == 0 {
		return part.Bad("split", "a table has no validation rows of its own; say with val_samples how many of its rows are held out, here and in the training data")
	}
	return a.subset().Validate(-1)
}

func (a CSVArgs) subset() subset.Subset {
	return subset.Subset{Split: a.Split, Seed: a.Seed, Held: a.ValSamples, Offset: a.Offset, Most: a.MaxSamples}
}

func (a CSVArgs) shape() tensor.Shape {
	return tensor.Shape{H: a.Shape[0], W: a.Shape[1], C: a.Shape[2]}
}

type table struct{ CSVArgs }

// NewCSV returns the data set of a table with a row for each sample: numbers, and a label.
func NewCSV(a CSVArgs) (part.Dataset, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return table{a}, nil
}

// Spec implements part.Dataset.
func (t table) Spec() part.Spec {
	classes := -1
	if len(t.ClassNames) > 0 {
		classes = len(t.ClassNames)
	}
	return t.spec(t.ClassNames, classes, t.subset().Size(-1))
}

func (t table) spec(names []string, classes, n int) part.Spec {
	return part.Spec{
		Inputs:  []part.InputSpec{{Shape: t.shape(), Numbers: true}},
		Targets: []part.TargetSpec{{Classes: classes, Names: names}},
		Len:     n,
	}
}

// Files implements part.Dataset.
func (t table) Files() (string, []string) { return t.Root, []string{path.Clean(t.File)} }

// Shares implements part.Sharer.
func (t table) Shares(other part.Dataset) bool {
	o, ok := other.(table)
	return ok && t.Root == o.Root && path.Clean(t.File) == path.Clean(o.File) && t.subset().Shares(o.subset(), -1)
}

// Open implements part.Dataset.
func (t table) Open(fsys func(root string) fs.FS) (part.Samples, error) {
	f, err := fsys(t.Root).Open(path.Clean(t.File))
	if err != nil {
		return nil, fmt.Errorf("in %s: %w", t.Root, err)
	}
	defer func() { _ = f.Close() }() // only read
	r := &rows{table: t}
	if err := r.read(f); err != nil {
		return nil, fmt.Errorf("in %s: %s: %w", t.Root, t.File, err)
	}
	r.order, err = t.subset().Choose(len(r.labels))
	return r, err
}

// rows are the rows of a table.
type rows struct {
	table
	numbers []float32
	labels  []int32
	names   []string
	classes int
	order   []int
}

// Len implements part.Samples.
func (r *rows) Len() int { return len(r.order) }

// Spec implements part.Teller.
func (r *rows) Spec() part.Spec { return r.spec(r.names, r.classes, len(r.order)) }

// Skipped implements part.Teller.
func (r *rows) Skipped() []string { return nil }

// Sample implements part.Samples.
func (r *rows) Sample(i int, s *part.Sample) error {
	m, shape := &s.Images[0], r.shape()
	n := shape.WithN(1).Len()
	m.H, m.W, m.C = shape.H, shape.W, shape.C
	m.Numbers = append(m.Numbers[:0], r.numbers[r.order[i]*n:][:n]...)
	s.Targets[0].Label(int(r.labels[r.order[i]]))
	return nil
}

// read reads the table.
func (r *rows) read(from io.Reader) error {
	in := bufio.NewReader(from)
	if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = in.Discard(3)
	}
	c := csv.NewReader(in)
	c.Comma, _ = utf8.DecodeRuneInString(r.Separator)
	c.ReuseRecord, c.TrimLeadingSpace = true, true
	var labels []string
	column := -1
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if column < 0 {
			head := r.head(row)
			if column, err = r.column(row, head); err != nil {
				return err
			}
			if head {
				continue
			}
		}
		if err := r.row(c, row, column); err != nil {
			return err
		}
		labels = append(labels, strings.Clone(strings.TrimSpace(row[column])))
	}
	if len(labels) == 0 {
		return errors.New("it has no row")
	}
	return r.label(labels)
}

// head reports whether the first row has the names of the columns.
func (r *rows) head(row []string) bool {
	if r.Header != "auto" {
		return r.Header == "yes"
	}
	words := 0
	for _, cell := range row {
		if _, err := strconv.ParseFloat(strings.TrimSpace(cell), 32); err != nil {
			words++
		}
	}
	return words > 1 || words == 1 && len(row) == 1
}

// column returns the index of the label's column.
func (r *rows) column(row []string, head bool) (int, error) {
	if want := r.shape().WithN(1).Len() + 1; len(row) != want {
		return 0, part.Bad("shape", "%s has %s, and %v with a label are %d", r.File, part.Count(len(row), "column"), r.Shape, want)
	}
	if n, err := strconv.Atoi(r.Label); err == nil {
		if n < 0 {
			n += len(row) + 1
		}
		if n < 1 || n > len(row) {
			return 0, part.Bad("label", "%s has no column %s; it has %d", r.File, r.Label, len(row))
		}
		return n - 1, nil
	}
	if i := slices.IndexFunc(row, func(cell string) bool { return strings.TrimSpace(cell) == r.Label }); i >= 0 && head {
		return i, nil
	}
	return 0, part.Bad("label", "the first row of %s has no column %q", r.File, r.Label)
}

// row adds the numbers of a row.
func (r *rows) row(c *csv.Reader, row []string, label int) error {
	for i, cell := range row {
		if i == label {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(cell), 32)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			line, column := c.FieldPos(i)
			return fmt.Errorf("line %d, column %d: %q is not a number", line, column, cell)
		}
		r.numbers = append(r.numbers, float32(v))
	}
	return nil
}

// label turns the labels of all rows into numbers.
func (r *rows) label(labels []string) error {
	all := slices.Compact(slices.Sorted(slices.Values(labels)))
	var bad int
	if r.labels, r.classes, r.names, bad = subset.Labels(labels, all, r.ClassNames); bad >= 0 {
		return part.Bad("class_names", "the label %q of row %d is none of them", labels[bad], bad+1)
	}
	return nil
}
