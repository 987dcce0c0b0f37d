// Package concat has the data set that is made of others: their samples one after the other, some of them several times.
package concat

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"qpipe/interp/part"
)

// Args are the arguments of Concat.
type Args struct {
	Datasets []part.Source `arg:"datasets" doc:"The data sets, such as [dataset.a, dataset.b]. They have images of one kind and the same classes, and no transforms: those stand in this data set."`
	Repeat   []int         `arg:"repeat,optional" doc:"How many times the samples of each data set are there. Empty: once."`
	Balance  bool          `arg:"balance,optional" doc:"Whether samples of rarer classes are repeated, so that all classes are equally frequent. All labels are read when the data is opened."`
}

// most is how many times the samples of a data set may be there.
const most = 10_000

// Validate implements the language's check after decoding.
func (a Args) Validate() error {
	switch {
	case len(a.Datasets) == 0:
		return part.Bad("datasets", "there is none")
	case len(a.Repeat) > 0 && len(a.Repeat) != len(a.Datasets):
		return part.Bad("repeat", "%s for %s; give one for each", part.Count(len(a.Repeat), "number"), part.Count(len(a.Datasets), "data set"))
	}
	for _, n := range a.Repeat {
		if n < 1 || n > most {
			return part.Bad("repeat", "%d times; it must be 1 to %d", n, most)
		}
	}
	return nil
}

// times is how many times the samples of data set k are there.
func (a Args) times(k int) int {
	if len(a.Repeat) == 0 {
		return 1
	}
	return a.Repeat[k]
}

type concat struct {
	Args
	sets []part.Dataset
}

// New returns the data set that has the samples of others.
func New(a Args) (part.Dataset, error) { return &concat{Args: a}, a.Validate() }

// Assemble implements part.Assembler: it makes the data sets.
func (c *concat) Assemble(catalog part.Catalog) error {
	for _, s := range c.Datasets {
		switch {
		case s.Set == nil:
			return part.Bad("datasets", "dataset.%s cannot be in it", s.Name)
		case len(s.Set.Transforms) > 0:
			return part.Bad("datasets", "dataset.%s has transforms: put them into this data set, where they change the samples of all", s.Name)
		}
		d, err := part.New[part.Dataset](catalog, s.Set.Call)
		if err != nil {
			return part.Bad("datasets", "dataset.%s: %w", s.Name, err)
		}
		c.sets = append(c.sets, d)
	}
	return nil
}

// Spec implements part.Dataset.
func (c *concat) Spec() part.Spec {
	specs := make([]part.Spec, len(c.sets))
	for k, d := range c.sets {
		specs[k] = d.Spec()
	}
	s, _ := c.joined(specs) // Peek and Open report what is wrong
	return s
}

// Peek implements part.Peeker.
func (c *concat) Peek(fsys func(root string) fs.FS) (part.Spec, error) {
	specs := make([]part.Spec, len(c.sets))
	for k, d := range c.sets {
		var err error
		if specs[k], err = part.Peeked(d, fsys); err != nil {
			return specs[k], part.Bad("datasets", "dataset.%s: %w", c.Datasets[k].Name, err)
		}
	}
	return c.joined(specs)
}

// joined returns what describes all data sets.
func (c *concat) joined(specs []part.Spec) (part.Spec, error) {
	all := specs[0]
	all.Inputs, all.Targets, all.Len = slices.Clone(all.Inputs), slices.Clone(all.Targets), 0
	for k, s := range specs {
		if err := join(&all, s); err != nil {
			return all, part.Bad("datasets", "dataset.%s and dataset.%s: %w", c.Datasets[0].Name, c.Datasets[k].Name, err)
		}
		switch {
		case s.Len < 0 || all.Len < 0:
			all.Len = -1
		default:
			all.Len += s.Len * c.times(k)
		}
	}
	if c.Balance {
		all.Len = -1
		if len(all.Targets) != 1 || all.Targets[0].Numbers || all.Targets[0].Size() != 1 || all.Targets[0].Open() {
			return all, part.Bad("balance", "it needs samples with one label, and these have %s", all.TargetText())
		}
	}
	return all, nil
}

// join adds to a description what is known of the same things in another one, or says why both are not of one kind.
func join(all *part.Spec, s part.Spec) error {
	if len(s.Inputs) != len(all.Inputs) || len(s.Targets) != len(all.Targets) {
		return fmt.Errorf("one has %s and %s, the other %s and %s", all.InputText(), all.TargetText(), s.InputText(), s.TargetText())
	}
	for k, in := range s.Inputs {
		to := &all.Inputs[k]
		if in.Shape != to.Shape || in.Numbers != to.Numbers {
			return fmt.Errorf("one has images of %v, the other of %v", *to, in)
		}
		if !slices.Equal(in.Mean, to.Mean) || !slices.Equal(in.Std, to.Std) {
			return errors.New("their pixels become numbers in two ways")
		}
		to.Shortest = min(to.Shortest, in.Shortest)
	}
	for k, t := range s.Targets {
		to := &all.Targets[k]
		if err := sameClasses(to, t); err != nil {
			return err
		}
		to.Ignores = to.Ignores || t.Ignores
	}
	return nil
}

// sameClasses returns an error if labels of both targets mean different things. What is known of only one is taken from there.
func sameClasses(to *part.TargetSpec, t part.TargetSpec) error {
	if !to.Like(t) {
		return fmt.Errorf("one has %v, the other %v", *to, t)
	}
	for i := range min(len(to.Names), len(t.Names)) {
		if to.Names[i] != t.Names[i] {
			return fmt.Errorf("label %d is %q in one, and %q in the other", i, to.Names[i], t.Names[i])
		}
	}
	if to.Classes < 0 {
		to.Classes = t.Classes
	}
	if len(to.Names) == 0 {
		to.Names = t.Names
	}
	return nil
}

// Files implements part.Dataset: the files are those of the data sets.
func (c *concat) Files() (string, []string) { return "", nil }

// HeldBytes implements part.Holder.
func (c *concat) HeldBytes() int64 {
	sum := int64(0)
	for k, d := range c.sets {
		sum += part.Held(d)
		if n := d.Spec().Len; n > 0 {
			sum += 8 * int64(n) * int64(c.times(k)) // where each sample is
		}
	}
	return sum
}

// SampleBytes implements part.Reader.
func (c *concat) SampleBytes(fsys func(root string) fs.FS) (most int64) {
	for _, d := range c.sets {
		most = max(most, part.SampleBytes(d, fsys))
	}
	return most
}

// Shares implements part.Sharer.
func (c *concat) Shares(other part.Dataset) bool {
	return slices.ContainsFunc(c.sets, func(d part.Dataset) bool { return part.Share(d, other) })
}
