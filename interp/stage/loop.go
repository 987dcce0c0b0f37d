package stage

import (
	"errors"

	"qpipe/interp/part"
)

// loop is the [part.Loop] of a run: what callbacks can ask it to do.
type loop struct{ run *run }

func (l loop) Absorb(modules []string, recompute bool) error { return l.run.absorb(modules, recompute) }

func (l loop) Freeze(modules []string) error { return l.run.freeze(modules) }

func (l loop) Metrics() []part.Metric { return l.run.Metrics }

func (l loop) Validate() error {
	if l.run.Val == nil {
		return errors.New("the stage has no val_data")
	}
	return l.run.validate()
}

func (l loop) Validated() bool { return l.run.validated() }

func (l loop) Save(name string) error { return l.run.save(name) }

func (l loop) Note() error { return l.run.note() }

func (l loop) Remove(name string) error {
	if l.run.Keeper == nil {
		return nil
	}
	return l.run.Keeper.Remove(name)
}
