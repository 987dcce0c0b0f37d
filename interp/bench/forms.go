package bench

import (
	"fmt"

	"qpipe/interp/console"
	"qpipe/interp/stage"
	"qpipe/ops/engine"
	"qpipe/ops/nn"
)

// The forms that are measured besides the qat modes.
const (
	Float = "float"
	Int8  = "int8"
)

// forms lists what can be measured of a subject.
func (s *Subject) forms() []string {
	if s.build == nil {
		return []string{Int8}
	}
	forms := []string{Float}
	for _, m := range s.modes {
		forms = append(forms, string(m))
	}
	return append(forms, Int8)
}

// graph makes the subject's network in a form: "float", a qat mode or "int8".
func (s *Subject) graph(form string, pool *engine.Workers) (*nn.Graph, error) {
	if form == Int8 {
		return s.quantized(pool)
	}
	if s.build == nil {
		return nil, unknown("%s is an int8 model, or one half-way to it: -what int8 is all that can be measured of it", s.name)
	}
	if form == string(nn.FuseBN) { // nothing normalizes afterwards, so the folded weights must fit
		g, err := s.warmed(pool)
		if err != nil {
			return nil, err
		}
		return g, s.prepare(g, nn.QAT, nn.FuseBN)
	}
	g, err := s.build(false)
	if err != nil || form == Float {
		return g, err
	}
	return g, s.prepare(g, nn.QAT, nn.Mode(form))
}

func (s *Subject) prepare(g *nn.Graph, f nn.Form, m nn.Mode) error {
	if err := g.SetTarget(s.target); err != nil {
		return err
	}
	for _, e := range g.SetQConfig(s.qconfig) {
		return e
	}
	return g.Prepare(f, m)
}

// warmBatch is the number of images from which BatchNorms and quant nodes get their statistics.
const warmBatch = 8

// warmed builds the float network, with BNs that have seen images.
func (s *Subject) warmed(pool *engine.Workers) (*nn.Graph, error) {
	g, err := s.build(true)
	if err != nil {
		return nil, err
	}
	return g, s.see(g, engine.Train, pool)
}

// fits refuses a batch that does not fit into the machine's memory.
func (s *Subject) fits(g *nn.Graph, batch int, ph engine.Phase, pool *engine.Workers) error {
	memory := func(batch int) int64 {
		model := g.Bytes()
		if ph == engine.Train {
			model *= 2 // with the optimizer's state
		}
		values := 0
		for _, in := range g.Inputs() {
			values += in.Shape.WithN(1).Len()
		}
		return model + 4*int64(batch)*int64(values) + engine.Need(g, batch, engine.Use{Phase: ph, Set: s.lab.Kernels, Workers: pool.Size()})
	}
	need := memory(batch)
	if s.lab.Memory <= 0 || need <= s.lab.Memory {
		return nil
	}
	way := "not even one image at a time fits"
	if fits := stage.LargestBatch(batch, s.lab.Memory, memory); fits > 0 {
		way = fmt.Sprintf("the largest -batch that fits is %d", fits)
	}
	return fmt.Errorf("a batch of %d needs about %s of memory, and this machine has %s: %s", batch, console.Size(need), console.Size(s.lab.Memory), way)
}

// see shows the network a batch of images.
func (s *Subject) see(g *nn.Graph, p engine.Phase, pool *engine.Workers) error {
	e, err := engine.Compile(g, warmBatch, p == engine.Train, s.lab.Kernels, pool)
	if err == nil {
		e.ForwardAll(randomInputs(g, warmBatch), warmBatch, p)
	}
	return err
}

// quantized builds the int8 model as a pipeline would: a float network whose BNs have seen images, ranges from a
// calibration, conversion.
func (s *Subject) quantized(pool *engine.Workers) (*nn.Graph, error) {
	if s.int8 != nil {
		return s.int8, nil
	}
	g, err := s.warmed(pool)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(g, nn.Calibration, nn.FuseBN); err != nil {
		return nil, err
	}
	if err := s.see(g, engine.Calibrate, pool); err != nil {
		return nil, err
	}
	if err := g.Prepare(nn.QAT, nn.FuseBN); err != nil {
		return nil, err
	}
	return g.Convert()
}
