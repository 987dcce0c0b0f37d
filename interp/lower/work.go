package lower

import (
	"fmt"

	"qpipe/interp/graph"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// maxWork is how many looks at nodes a pipeline may cost, of about a microsecond each: some
// hundred stages of the largest networks, or thousands of overrides.
const maxWork = 1 << 20

// affords takes what it costs to follow a network through the stage, and reports whether
// that is within the pipeline's bounds.
func (l *lowerer) affords(s *graph.Stage, built *nn.Graph) bool {
	each := 12
	if !l.seen[built] { // building it has taken the longest
		l.seen[built] = true
		each += 16
	}
	if s.Convert != nil {
		each += 4 * len(s.Convert.Converters)
		if q := s.Convert.QConfig; q != nil && !l.resolved(q, built) {
			for i := range q.Overrides {
				each += 4 + effort(q.Overrides[i].Selector)
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
		Detail:  "The stages behind it are not looked at. Make several pipelines of it.",
	})
	return false
}

// resolved reports whether the nodes of a network have been given their configurations.
func (l *lowerer) resolved(b *program.QConfig, built *nn.Graph) bool {
	q := l.qconfigs[b]
	if q == nil {
		return false
	}
	_, done := q.done[built]
	return done
}

// effort is how long a selector looks at a name.
func effort(s program.Selector) int {
	n := 1
	for _, seg := range s.Segments {
		for _, alt := range seg.Alts {
			n += len(alt)
		}
	}
	return n
}
