package concat

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/part"
	"qpipe/lang/program"
	"qpipe/ops/tensor"
)

// set is a data set whose images are single numbers: Base + the index, with the labels of Labels.
type set struct {
	Base   int      `arg:"base,optional"`
	Labels []int    `arg:"labels,optional"`
	Names  []string `arg:"names,optional"`
	Side   int      `arg:"side,optional"`
	Late   bool     `arg:"late,optional"` // the classes are known only when the data is open
}

func (s set) Spec() part.Spec {
	classes := 3
	if s.Late {
		classes = -1
	}
	return part.Spec{
		Inputs:  []part.InputSpec{{Shape: tensor.Shape{H: s.Side, W: 1, C: 1}}},
		Targets: []part.TargetSpec{{Classes: classes, Names: s.Names}}, Len: len(s.Labels),
	}
}
func (set) Files() (string, []string) { return "", nil }
func (s set) HeldBytes() int64        { return 100 }
func (s set) Shares(o part.Dataset) bool {
	other, ok := o.(set)
	return ok && s.Base == other.Base
}

func (s set) Open(func(string) fs.FS) (part.Samples, error) {
	if len(s.Labels) == 0 {
		return nil, errors.New("its file is gone")
	}
	return opening{s}, nil
}

type opening struct{ set }

func (o opening) Len() int { return len(o.Labels) }
func (o opening) Spec() part.Spec {
	s := o.set.Spec()
	s.Targets[0].Classes = 3
	return s
}

func (o opening) Skipped() []string {
	if o.Late {
		return []string{"a.png: broken"}
	}
	return nil
}

func (o opening) Sample(i int, s *part.Sample) error {
	if o.Labels[i] < 0 {
		return errors.New("it is broken")
	}
	s.Images[0] = part.Image{H: o.Side, W: 1, C: 1, Pix: []uint8{uint8(o.Base + i)}}
	s.Targets[0].Label(o.Labels[i])
	return nil
}

func catalog() part.Catalog {
	return part.Catalog{
		part.DatasetPart("Set", "", set{Side: 1}, func(s set) (part.Dataset, error) { return s, nil }),
		part.DatasetPart("Concat", "", Args{}, New),
	}
}

func call(typ string, args any) program.Call {
	return program.Call{Kind: program.DatasetKind, Type: typ, Args: args}
}

// of makes the data set of others, which are called a, b, c.
func of(change func(*Args), sets ...set) (part.Dataset, error) {
	a := Args{}
	for i, s := range sets {
		s.Side = max(s.Side, 1)
		name := string(rune('a' + i))
		a.Datasets = append(a.Datasets, part.Source{Name: name, Set: &program.Dataset{Call: call("Set", s), Name: name}})
	}
	if change != nil {
		change(&a)
	}
	return part.New[part.Dataset](catalog(), call("Concat", a))
}

// read returns all samples, as number and label.
func read(t *testing.T, d part.Dataset) (list []string, s part.Samples) {
	t.Helper()
	s, err := d.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	spec := s.(part.Teller).Spec()
	x := part.NewSample(spec)
	for i := range s.Len() {
		if err := s.Sample(i, x); err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprint(x.Images[0].Pix[0], ":", x.Targets[0].Labels[0]))
	}
	if spec.Len != len(list) {
		t.Errorf("it describes %d samples, and has %d", spec.Len, len(list))
	}
	return list, s
}

// TestConcat: the samples are those of the data sets, in their order, as many times as repeat says; with balance every class is there as
// often as the most frequent one, and no sample more than once oftener than another one of its class.
func TestConcat(t *testing.T) {
	a, b := set{Base: 10, Labels: []int{0, 0, 0, 1}}, set{Base: 20, Labels: []int{2, 0, 1}}
	d, err := of(func(a *Args) { a.Repeat = []int{1, 2} }, a, b)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := read(t, d)
	if want := "10:0 11:0 12:0 13:1 20:2 21:0 22:1 20:2 21:0 22:1"; strings.Join(got, " ") != want || d.Spec().Len != 10 {
		t.Errorf("%v of %d", got, d.Spec().Len)
	}
	d, err = of(func(a *Args) { a.Balance = true }, a, b)
	if err != nil {
		t.Fatal(err)
	}
	got, _ = read(t, d)
	times, classes := map[string]int{}, map[string]int{}
	for _, s := range got {
		_, label, _ := strings.Cut(s, ":")
		times[s]++
		classes[label]++
	}
	if want := map[string]int{"0": 4, "1": 4, "2": 4}; fmt.Sprint(classes) != fmt.Sprint(want) || d.Spec().Len != -1 {
		t.Errorf("the classes are there %v times", classes)
	}
	if times["13:1"] != 2 || times["22:1"] != 2 || times["20:2"] != 4 || times["10:0"] != 1 {
		t.Errorf("%v", times)
	}
}

// TestConcatKnows: what only one data set knows holds for all; what is left out is named with its data set, and so is a sample that cannot be
// read; memory and common samples are those of the parts; data sets of data sets work alike.
func TestConcatKnows(t *testing.T) {
	names := []string{"cat", "dog", "cow"}
	d, err := of(nil, set{Base: 1, Labels: []int{0}, Late: true}, set{Base: 2, Labels: []int{1, -1}, Names: names})
	if err != nil {
		t.Fatal(err)
	}
	if s := d.Spec(); s.Targets[0].Classes != 3 || !slices.Equal(s.Targets[0].Names, names) {
		t.Errorf("%+v", s.Targets)
	}
	s, err := d.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	if skipped := s.(part.Teller).Skipped(); !slices.Equal(skipped, []string{"dataset.a: a.png: broken"}) {
		t.Errorf("left out: %v", skipped)
	}
	if err := s.Sample(2, part.NewSample(d.Spec())); err == nil || !strings.Contains(err.Error(), "dataset.b, image 1") {
		t.Errorf("a broken sample: %v", err)
	}
	if held := part.Held(d); held != 200+8*3 {
		t.Errorf("%d bytes", held)
	}
	if !part.Share(set{Base: 2}, d) || !part.Share(d, set{Base: 1}) || part.Share(d, set{Base: 3}) {
		t.Error("common samples")
	}
	inner := program.Dataset{Name: "inner", Call: call("Concat", Args{Datasets: []part.Source{{Name: "a", Set: &program.Dataset{Call: call("Set", set{Base: 5, Side: 1, Labels: []int{2}})}}}})}
	d, err = of(func(a *Args) { a.Datasets = append(a.Datasets, part.Source{Name: "inner", Set: &inner}) }, set{Base: 7, Labels: []int{0}})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := read(t, d); strings.Join(got, " ") != "7:0 5:2" {
		t.Errorf("%v", got)
	}
}

// TestConcatRefuses: data sets that do not go together are refused, with their names and what differs.
func TestConcatRefuses(t *testing.T) {
	a := set{Labels: []int{0}, Names: []string{"cat", "dog", "cow"}}
	for _, c := range []struct {
		want, attr string
		change     func(*Args)
		other      set
	}{
		{`dataset.a and dataset.b: label 1 is "dog" in one, and "hen" in the other`, "datasets", nil, set{Labels: []int{0}, Names: []string{"cat", "hen", "cow"}}},
		{"dataset.a and dataset.b: one has images of", "datasets", nil, set{Labels: []int{0}, Side: 2}},
		{"2 numbers", "repeat", func(a *Args) { a.Repeat, a.Datasets = []int{1, 2}, a.Datasets[:1] }, a},
		{"0 times", "repeat", func(a *Args) { a.Repeat = []int{1, 0} }, a},
		{"there is none", "datasets", func(a *Args) { a.Datasets = nil }, a},
		{"dataset.b has transforms", "datasets", func(a *Args) { a.Datasets[1].Set.Transforms = []program.Call{{}} }, a},
		{"dataset.b cannot be in it", "datasets", func(a *Args) { a.Datasets[1].Set = nil }, a},
	} {
		d, err := of(c.change, a, c.other)
		if err == nil {
			_, err = part.Peeked(d, nil)
		}
		var arg *part.ArgError
		if !errors.As(err, &arg) || arg.Attr != c.attr || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %s at %s: %v", c.want, c.attr, err)
		}
	}
	d, err := of(nil, a, set{})
	if err == nil {
		_, err = d.Open(nil)
	}
	if err == nil || !strings.Contains(err.Error(), "dataset.b: its file is gone") {
		t.Errorf("a data set that cannot be opened: %v", err)
	}
}
