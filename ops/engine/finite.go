package engine

import "qpipe/ops/tensor"

// NotFinite names the first node (in order) with a parameter, gradient or scale that is not finite, and what it is:
// a tensor's name, "gradient of" one, "activation range", "weight scale" or "output".
func (e *Net) NotFinite() (node, what string, bad bool) {
	if e.version != e.graph.Version() || len(e.faults) != len(e.cells) {
		e.watch()
	}
	e.workers.Run(len(e.cells), e.faultTask)
	for i, what := range e.faults {
		if what != "" {
			return e.cells[i].Name, what, true
		}
	}
	return "", "", false
}

// watch collects the tensors that are looked at.
func (e *Net) watch() {
	if e.version != e.graph.Version() {
		e.build()
	}
	for _, c := range e.cells {
		c.slots = c.Slots()
	}
	e.faults, e.faultTask = make([]string, len(e.cells)), e.lookForFault
}

func (e *Net) lookForFault(i, _ int) {
	c := e.cells[i]
	e.faults[i] = ""
	if q := &c.Quant; q.Ready() && !tensor.Finite([]float32{q.Min, q.Max}) {
		e.faults[i] = "activation range"
		return
	}
	for k := range c.slots {
		if what := c.slots[k].NotFinite(e.training, e.set.Finite); what != "" {
			e.faults[i] = what
			return
		}
	}
}
