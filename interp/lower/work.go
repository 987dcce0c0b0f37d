package lower

import (
	"fmt"

	"qpipe/interp/graph"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// maxWork bounds the work of lowering a pipeline, so that no text keeps validate busy for long. The unit is
// about a microsecond: one look at a node. The bound is enough for some hundred stages with the
// largest networks, or for thousands of overrides.
const maxWork = 1 << 20

// affords adds the estimated work of lowering a stage with this network, and reports whether
// the sum is still within the bound.
func (l *lowerer) affords(s *graph.Stage, built *nn.Graph) bool {
	each := 12
	if !l.seen[built] { // building the network takes longest
		l.seen[built] = true
		each += 16
	}
	if s.Convert != nil {
		each += 4 * len(s.Convert.Converters)
		if q := s.Convert.QConfig; q != nil && l.qconfigs[configuredKey{q, built}] == nil {
			for _, o := range (&configured{block: q, own: s.Convert.Own}).overrides {
				each += 4 + effort(o.Selector)
			}
		}
	}
	for i := range s.Callbacks {
		each++
		for _, sel := range s.Callbacks[i].Modules {
			each += 2 * effort(sel)
		}
	}
	if l.work += each * len(built.Modules()); l.work <= maxWork {
		return true
	}
	l.fail(diag.Diagnostic{
		Code: diag.TooMuchWork, Subject: s.Origin.Header, Address: s.Origin.Address, Unfinished: true,
		Summary: fmt.Sprintf("the stages up to %q have too many nodes, converters and selectors all together", s.Name),
		Detail:  "The stages after it are not checked. Split the pipeline into several.",
	})
	return false
}

// effort estimates the work of matching a selector with one name.
func effort(s program.Selector) int {
	n := 1
	for _, seg := range s.Segments {
		for _, alt := range seg.Alts {
			n += len(alt)
		}
	}
	return n
}
