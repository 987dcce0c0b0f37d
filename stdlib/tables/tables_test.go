package tables

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"qpipe/interp/part"
	"qpipe/ops/tensor"
)

// opened opens a data set and reads all of its samples.
func opened(set part.Dataset, err error, in fs.FS) ([]part.Sample, part.Spec, error) {
	if err != nil {
		return nil, part.Spec{}, err
	}
	samples, err := set.Open(func(string) fs.FS { return in })
	if err != nil {
		return nil, part.Spec{}, err
	}
	spec := samples.(part.Teller).Spec()
	var list []part.Sample
	x := part.NewSample(spec)
	for i := range samples.Len() {
		if err := samples.Sample(i, x); err != nil {
			return nil, spec, err
		}
		if err := spec.Check(x); err != nil {
			return nil, spec, err
		}
		list = append(list, part.Sample{
			Images:  []part.Image{{Pix: slices.Clone(x.Images[0].Pix), Numbers: slices.Clone(x.Images[0].Numbers)}},
			Targets: []part.Target{{Labels: slices.Clone(x.Targets[0].Labels)}},
		})
	}
	return list, spec, spec.Validate()
}

func npz(file, images, labels string, change func(a *NPZArgs)) NPZArgs {
	a := NPZArgs{File: file, Images: images, Labels: labels, ArrayArgs: ArrayDefaults()}
	a.Root = "x"
	if change != nil {
		change(&a)
	}
	return a
}

// TestArrays: arrays that NumPy has written, of every type, order and layout, give the numbers that testdata/gen.py has put into
// them; peeking tells the shape that opening does.
func TestArrays(t *testing.T) {
	in := os.DirFS("testdata")
	type kase struct {
		file, images, labels string
		change               func(a *NPZArgs)
	}
	planes := func(a *NPZArgs) { a.Layout = "NCHW" }
	cases := []kase{
		{"arrays.npz", "bytes", "y32", nil},
		{"arrays.npz", "bytes", "column", nil},
		{"arrays.npz", "bytes", "floats", nil},
		{"arrays.npz", "planes", "y", planes},
		{"arrays.npz", "planes4", "y", planes},
		{"arrays.npz", "grey", "y", nil},
		{"arrays.npz", "vector", "y", nil},
		{"arrays.npz", "bytes", "mask", func(a *NPZArgs) { a.Ignore = 255 }},
		{"arrays.npz", "planes", "mask1", func(a *NPZArgs) { a.Ignore = 255; planes(a) }},
		{"packed.npz", "bytes", "y", nil},
		{"packed.npz", "tf4", "mask", func(a *NPZArgs) { a.Ignore = 255 }},
	}
	for typ := range strings.FieldsSeq("u2 i1 i2 i4 u4 i8 u8 f2 f4 f8 bf4 bf8 bi2 bu2") {
		cases = append(cases, kase{"arrays.npz", "t" + typ, "y", nil})
	}
	for _, c := range cases {
		name := fmt.Sprintf("%s, %s, %s", c.file, c.images, c.labels)
		set, err := NewNPZ(npz(c.file, c.images, c.labels, c.change))
		list, spec, err := opened(set, err, in)
		if err != nil || len(list) != 6 {
			t.Errorf("%s: %d samples, %v", name, len(list), err)
			continue
		}
		shape := spec.Inputs[0].Shape
		if peeked, err := part.Peeked(set, func(string) fs.FS { return in }); err != nil || peeked.Inputs[0].Shape != shape || peeked.Inputs[0].Numbers != spec.Inputs[0].Numbers || peeked.Targets[0].Shape != spec.Targets[0].Shape {
			t.Errorf("%s: peeking tells %v, %v", name, peeked, err)
		}
		step := 1
		if shape.C == 1 {
			step = 3 // the first channel only
		}
		for i, s := range list {
			m, labels := s.Images[0], s.Targets[0].Labels
			if len(m.Pix)+len(m.Numbers) != shape.WithN(1).Len() {
				t.Fatalf("%s: %d values of %v", name, len(m.Pix)+len(m.Numbers), shape)
			}
			for k := range m.Pix {
				if want := (i*7 + k*step) % 100; int(m.Pix[k]) != want {
					t.Fatalf("%s: value %d of sample %d is %d, want %d", name, k, i, m.Pix[k], want)
				}
			}
			for k := range m.Numbers {
				if want := (i*7 + k) % 100; m.Numbers[k] != float32(want) {
					t.Fatalf("%s: value %d of sample %d is %v, want %d", name, k, i, m.Numbers[k], want)
				}
			}
			if len(labels) == 1 {
				if int(labels[0]) != i*2%5 || spec.Targets[0].Classes != 5 {
					t.Fatalf("%s: sample %d has the label %d of %d", name, i, labels[0], spec.Targets[0].Classes)
				}
				continue
			}
			for k, label := range labels {
				want := int32((i*7 + k*3) % 100 % 4)
				if i == 0 && k == 0 {
					want = part.Ignored
				}
				if label != want || spec.Targets[0].Classes != 4 {
					t.Fatalf("%s: pixel %d of sample %d has the label %d of %d, want %d", name, k, i, label, spec.Targets[0].Classes, want)
				}
			}
		}
	}
}

// TestNPY: two files, whose names follow from the split.
func TestNPY(t *testing.T) {
	a := NPYArgs{ArrayArgs: ArrayDefaults()}
	a.Root, a.MaxSamples, a.ClassNames = "x", 4, []string{"a", "b", "c", "d", "e"}
	set, err := NewNPY(a)
	list, spec, err := opened(set, err, os.DirFS("testdata"))
	if err != nil || len(list) != 4 || list[3].Images[0].Pix[0] != 21 || spec.Targets[0].Names[4] != "e" {
		t.Fatalf("%d samples, %v, %v", len(list), spec, err)
	}
	if _, names := set.Files(); !slices.Equal(names, []string{"x_train.npy", "y_train.npy"}) {
		t.Errorf("%v", names)
	}
}

// TestArrayMistakes: what is wrong is said, and at which argument.
func TestArrayMistakes(t *testing.T) {
	whole, err := os.ReadFile("testdata/x_train.npy")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ images, labels, want string }{
		{"turned", "y", "numpy.ascontiguousarray"},
		{"objects", "y", "objects of Python"},
		{"none", "y", "arrays.npz has no array none; it has bytes, column"},
		{"few", "y", "labels: y has 6 labels for the 3 samples of few"},
		{"bytes", "half", "y has the label"},
		{"bytes", "vector", "a label is one number for a sample, or one for each pixel"},
		{"bytes", "mask", "class_names: mask has the label 255"},
	} {
		a := npz("arrays.npz", c.images, c.labels, func(a *NPZArgs) { a.ClassNames = []string{"a", "b", "c", "d", "e"} })
		set, err := NewNPZ(a)
		if _, _, err = opened(set, err, os.DirFS("testdata")); err == nil || !strings.Contains(err.Error(), strings.Replace(c.want, "y has the label", "half has the label 0.5 for sample 0", 1)) {
			t.Errorf("%v; want %s", err, c.want)
		}
	}
	for _, c := range []struct {
		data []byte
		want string
	}{
		{whole[:50], "cut off in its head"},
		{whole[:len(whole)-1], "is cut off: it should have 360 bytes of numbers, and has 359"},
		{[]byte("PK\x03\x04"), "is no array"},
		{[]byte(strings.Replace(string(whole), "(6, 4, 5, 3)", "(6, 0, 5, 3)", 1)), "is empty"},
		{[]byte(strings.Replace(string(whole), "(6, 4, 5, 3), ", "(600000000000,)", 1)), "an extent of 600000000000"},
		{[]byte(strings.Replace(string(whole), "|u1", "|S1", 1)), "not numbers"},
	} {
		a := NPYArgs{ArrayArgs: ArrayDefaults()}
		a.Root = "x"
		set, err := NewNPY(a)
		labels, _ := os.ReadFile("testdata/y_train.npy")
		if _, _, err = opened(set, err, fstest.MapFS{"x_train.npy": {Data: c.data}, "y_train.npy": {Data: labels}}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; want %s", err, c.want)
		}
	}
	for _, c := range []struct {
		shape []int
		want  string
	}{{nil, "write shape = [height, width, channels]"}, {[]int{4, 5, 3}, "<nil>"}} {
		set, err := NewNPZ(npz("none.npz", "", "", func(a *NPZArgs) { a.Shape = c.shape }))
		if err != nil {
			t.Fatal(err)
		}
		s, err := part.Peeked(set, func(string) fs.FS { return fstest.MapFS{} })
		if !strings.Contains(fmt.Sprint(err), c.want) || err == nil && s.Inputs[0].Shape != (tensor.Shape{H: 4, W: 5, C: 3}) {
			t.Errorf("%v: %v, %v", c.shape, s, err)
		}
	}
}

func csvArgs(change func(a *CSVArgs)) CSVArgs {
	a := CSVDefaults()
	a.Root, a.File, a.Shape = "x", "t.csv", []int{1, 2, 1}
	if change != nil {
		change(&a)
	}
	return a
}

func TestCSV(t *testing.T) {
	for _, c := range []struct {
		text, want string
		change     func(a *CSVArgs)
	}{
		{"1,2,0\n3,4,2\n", "1 2:0 3 4:2 of 3", nil},
		{"a,b,label\n1,2,owl\n 3, 4e1,ant\n", "1 2:1 3 40:0 of 2", nil},
		{"1,2,owl\n3,4,ant\n", "1 2:1 3 4:0 of 2", nil},
		{"\ufeffkind;a;b\r\n\"1\";-1;2\r\n0;3;4", "-1 2:1 3 4:0 of 2", func(a *CSVArgs) { a.Separator, a.Label = ";", "kind" }},
		{"1\t7\t2\n3\t1\t4\n", "1 2:7 3 4:1 of 8", func(a *CSVArgs) { a.Separator, a.Label = "\t", "2" }},
		{"1,2,owl\n3,4,ant\n", "1 2:0 3 4:2 of 3", func(a *CSVArgs) { a.ClassNames = []string{"owl", "bee", "ant"} }},
		{"1,2,0\n3,4,2\n", "1 2:0 3 4:2 of 4", func(a *CSVArgs) { a.ClassNames = []string{"owl", "bee", "ant", "eel"} }},
		{"1,2,2\n3,4,0\n", "1 2:0 3 4:1 of 3", func(a *CSVArgs) { a.ClassNames = []string{"2", "0", "1"} }},
		{"1,2,3\n4,5,6\n", "4 5:6 of 7", func(a *CSVArgs) { a.Header = "yes" }},
		{"1,2,0\n3,4,1\n5,6,2\n", "5 6:2 of 3", func(a *CSVArgs) { a.Split, a.ValSamples = "val", 1 }},
	} {
		set, err := NewCSV(csvArgs(c.change))
		list, spec, err := opened(set, err, fstest.MapFS{"t.csv": {Data: []byte(c.text)}})
		var got []string
		for _, s := range list {
			got = append(got, fmt.Sprintf("%v %v:%d", s.Images[0].Numbers[0], s.Images[0].Numbers[1], s.Targets[0].Labels[0]))
		}
		if text := fmt.Sprintf("%s of %d", strings.Join(got, " "), max(spec.Targets[0].Classes, 0)); err != nil || text != c.want {
			t.Errorf("%q: %q, %v; want %q", c.text, text, err, c.want)
		}
	}
}

func TestCSVMistakes(t *testing.T) {
	for _, c := range []struct {
		text, want string
		change     func(a *CSVArgs)
	}{
		{"", "it has no row", nil},
		{"1,2\n", "shape: t.csv has 2 columns, and [1 2 1] with a label are 3", nil},
		{"1,2,0\n1,2\n", "wrong number of fields", nil},
		{"1,2,0\n1,x,0\n", `line 2, column 3: "x" is not a number`, nil},
		{"1,2,0\n1,nan,0\n", `line 2, column 3: "nan" is not a number`, nil},
		{"a,b,c\n1,2,0\n", `the first row of t.csv has no column "d"`, func(a *CSVArgs) { a.Label = "d" }},
		{"1,2,0\n", "t.csv has no column 9; it has 3", func(a *CSVArgs) { a.Label = "9" }},
		{"1,2,x\n", `class_names: the label "x" of row 1 is none of them`, func(a *CSVArgs) { a.ClassNames = []string{"y"} }},
		{"1,2,x\n", "split: a table has no validation rows", func(a *CSVArgs) { a.Split = "val" }},
		{"1,2,x\n", "separator", func(a *CSVArgs) { a.Separator = ", " }},
	} {
		set, err := NewCSV(csvArgs(c.change))
		if _, _, err = opened(set, err, fstest.MapFS{"t.csv": {Data: []byte(c.text)}}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v; want %s", c.text, err, c.want)
		}
	}
}
