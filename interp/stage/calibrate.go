package stage

import (
	"fmt"

	"qpipe/interp/feed"
	"qpipe/ops/engine"
)

// calibrator does the steps of `calibrator {}`: it shows the network the batches
// that training with the same seed would begin with, transforms and all, and
// lets its quant nodes find their ranges.
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
	const full = true // a short batch would weigh as much as a full one
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

// step shows the network one batch.
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
