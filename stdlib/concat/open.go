package concat

import (
	"fmt"
	"io/fs"

	"qpipe/interp/part"
)

// opened are the opened data sets.
type opened struct {
	names []string
	sets  []part.Samples
	spec  part.Spec
	index []place
}

// place is where a sample is: in which data set, and where there.
type place struct{ set, at int32 }

// Open implements part.Dataset.
func (c *concat) Open(fsys func(root string) fs.FS) (part.Samples, error) {
	o := &opened{}
	var specs []part.Spec
	for k, d := range c.sets {
		name := "dataset." + c.Datasets[k].Name
		s, err := d.Open(fsys)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		spec := d.Spec()
		if t, ok := s.(part.Teller); ok {
			spec = t.Spec()
		}
		spec.Len = s.Len()
		o.names, o.sets, specs = append(o.names, name), append(o.sets, s), append(specs, spec)
		for range c.times(k) {
			for i := range s.Len() {
				o.index = append(o.index, place{int32(k), int32(i)})
			}
		}
		if len(o.index) > part.MostImages {
			return nil, part.Bad("repeat", "there would be more than %d samples", part.MostImages)
		}
	}
	var err error
	if o.spec, err = c.joined(specs); err == nil && c.Balance {
		err = o.balance()
	}
	o.spec.Len = len(o.index)
	return o, err
}

// Spec implements part.Teller.
func (o *opened) Spec() part.Spec { return o.spec }

// Skipped implements part.Teller.
func (o *opened) Skipped() (all []string) {
	for k, s := range o.sets {
		if t, ok := s.(part.Teller); ok {
			for _, name := range t.Skipped() {
				all = append(all, o.names[k]+": "+name)
			}
		}
	}
	return all
}

// Len implements part.Samples.
func (o *opened) Len() int { return len(o.index) }

// Sample implements part.Samples.
func (o *opened) Sample(i int, s *part.Sample) error {
	p := o.index[i]
	if err := o.sets[p.set].Sample(int(p.at), s); err != nil {
		return fmt.Errorf("%s, image %d: %w", o.names[p.set], p.at, err)
	}
	return nil
}

// balance repeats samples of rarer classes until every class is as frequent as the most frequent one: first all of them once more, as
// often as that goes, then the first of them. What is repeated stands at the end.
func (o *opened) balance() error {
	byClass, s := map[int32][]place{}, part.NewSample(o.spec)
	for i, p := range o.index {
		if err := o.Sample(i, s); err != nil {
			return err
		}
		label := s.Targets[0].Labels[0]
		byClass[label] = append(byClass[label], p)
	}
	largest := 0
	for _, list := range byClass {
		largest = max(largest, len(list))
	}
	for label := range int32(max(o.spec.Targets[0].Classes, 0)) {
		list := byClass[label]
		for n := len(list); n > 0 && n < largest; n++ {
			o.index = append(o.index, list[n%len(list)])
		}
	}
	return nil
}
