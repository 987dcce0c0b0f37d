package stage

import (
	"fmt"

	"qpipe/interp/feed"
	"qpipe/ops/engine"
)

// calibrator runs the steps of `calibrator {}`. It feeds the network the same batches
// as the first steps of a training with this seed, transforms included, and the
// network's quant nodes observe their ranges.
type calibrator struct {
	run    *run
	net    engine.Compiled
	loader *feed.Loader
}

func newCalibrator(r *run) (*calibrator, error) {
	c := &calibrator{run: r}
	if err := c.rebuild(); err != nil {
		return nil, err
	}
	const full = true // only full batches: observers would give a short one the same weight
	var err error
	c.loader, err = r.Train.Load(feed.Order{
		Seed: uint64(r.seed), Shuffle: true,
		Batch: r.batch, PerEpoch: r.Train.Steps(r.batch, full),
		From: r.state.Step, To: r.state.Length.Steps,
	}, r.readers())
	return c, err
}

func (c *calibrator) rebuild() (err error) {
	r := c.run
	c.net, err = r.engine().Compile(r.Model, r.batch, false)
	return err
}

func (c *calibrator) slots() *slots { return nil }

func (c *calibrator) release() { c.net = nil }

func (c *calibrator) close() {
	if c.loader != nil {
		c.loader.Close()
	}
}

// step calibrates on one batch.
func (c *calibrator) step() error {
	r := c.run
	r.meter.begin(r.now())
	b, err := c.loader.Next()
	if err != nil {
		return err
	}
	n := len(b.Index)
	c.net.ForwardAll(b.Inputs(), n, engine.Calibrate)
	if node, what, bad := c.net.NotFinite(); bad {
		return &Failure{Module: node, Err: fmt.Errorf("%s is not finite", what)}
	}
	r.meter.end(r.now(), n)
	r.progress("calibrate", r.batch, 0)
	return nil
}
