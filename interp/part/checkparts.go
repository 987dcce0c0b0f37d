package part

import (
	"errors"
	"fmt"
	"slices"
)

// CheckMetric returns an error if a metric has no usable names, or another number of values than of names.
func CheckMetric(m Metric) error {
	names, err := Ask("Names", m.Names)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return errors.New("it has no Names: each value that it measures needs one")
	}
	for i, name := range names {
		switch {
		case !Identifier(name):
			return fmt.Errorf("it measures %q: a name has letters, digits and _ only, since expressions refer to it", name)
		case name == "loss":
			return errors.New(`it measures "loss", which is the name of the training's own loss`)
		case slices.Contains(names[:i], name):
			return fmt.Errorf("it has the name %q twice", name)
		}
	}
	if err := reset(m); err != nil {
		return err
	}
	values, err := Ask("Values", m.Values)
	if err != nil || len(values) == 0 { // some have none before the first Update
		return nil
	}
	return CheckValues(names, values)
}

func reset(m Metric) (err error) {
	defer Guard(&err, "Reset")
	m.Reset()
	return nil
}

// CheckValues returns an error if a metric has another number of values than of names.
func CheckValues(names []string, values []float64) error {
	if len(values) != len(names) {
		return fmt.Errorf("it has %s, but %s", Count(len(names), "name"), Count(len(values), "value"))
	}
	return nil
}

// CheckOptimizer returns an error if the names of an optimizer's slots cannot be used. They are part of the names of tensors
// in a checkpoint.
func CheckOptimizer(o Optimizer) error {
	slots, err := Ask("Slots", o.Slots)
	if err != nil {
		return err
	}
	if _, err := Ask("LR", o.LR); err != nil {
		return err
	}
	for i, name := range slots {
		switch {
		case !Identifier(name):
			return fmt.Errorf("it has a slot %q: the name of a slot has letters, digits and _ only", name)
		case slices.Contains(slots[:i], name):
			return fmt.Errorf("it has the slot %q twice", name)
		}
	}
	return nil
}

// CheckCallback returns an error if a value has none of the hooks of callbacks.
func CheckCallback(c Callback) error {
	switch c.(type) {
	case Firer, Starter, StepEnder, EpochEnder, Ender, Shadower, Validator, Checkpointer, Recorder:
		return nil
	}
	return fmt.Errorf("it has none of the hooks of a callback (Fire, Start, StepEnd, EpochEnd, End, …). If they are declared for *%[1]T, its constructor must return a pointer", c)
}
