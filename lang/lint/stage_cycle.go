package lint

import (
	"fmt"
	"slices"
	"strings"

	"qpipe/lang/diag"
)

func stageCycle() Rule {
	return Rule{
		About: diag.About{
			Name: "stage-cycle", Code: "QP231",
			Summary: "stages depend on each other in a circle",
			Doc:     "Stages that wait for each other can never run. Each circle is shown whole, once.",
		},
		Check: func(p *Pipeline, report diag.Reporter) {
			w := cycles{Pipeline: p, report: report, at: map[string]int{}, done: map[string]bool{}}
			for _, s := range p.Stages {
				if !w.done[s.Name] && !s.Broken {
					w.visit(s)
				}
			}
		},
	}
}

// cycles is a walk along the stages' references.
type cycles struct {
	*Pipeline
	report diag.Reporter
	path   []Ref    // the references walked: path[i] leads out of the i-th stage
	names  []string // the stages on the path
	at     map[string]int
	done   map[string]bool
	found  int
	last   *diag.Diagnostic // that was reported
}

func (w *cycles) visit(s *Stage) {
	w.at[s.Name] = len(w.names)
	w.names = append(w.names, s.Name)
	for _, r := range s.Refs {
		next := w.stage(r.Stage)
		if next == nil || w.done[r.Stage] || r.Stage == s.Name && strings.Contains(r.Address, ".assert[") {
			continue // a stage may judge itself when it is done
		}
		w.path = append(w.path, r)
		if i, on := w.at[r.Stage]; on {
			w.circle(w.names[i:], w.path[i:])
		} else {
			w.visit(next)
		}
		w.path = w.path[:len(w.path)-1]
	}
	w.names = w.names[:len(w.names)-1]
	delete(w.at, s.Name)
	w.done[s.Name] = true
}

// The circles that are shown, and the stages that are named of one. There can be as many as
// references, each as long as there are stages.
const (
	mostCycles = diag.Most
	mostLinks  = 20
)

func (w *cycles) circle(names []string, path []Ref) {
	if w.found++; w.found > mostCycles {
		w.last.Unfinished = true
		return
	}
	last := path[len(path)-1]
	p := place{address: last.Address, subject: last.Range}
	if len(path) == 1 {
		w.last = found(p, "A stage can read only what another stage has left. An assert may look at the stage's own metrics.",
			"stage %q waits for itself", names[0])
		w.report(w.last)
		return
	}
	shown := slices.Clone(names[:min(len(names), mostLinks)])
	if n := len(names) - len(shown); n > 0 {
		shown = append(shown, fmt.Sprintf("… (%d more)", n))
	}
	w.last = found(p, "One of them must not need another's result. To continue a stage's own training, use resume_optimizer.",
		"stages wait for each other in a circle: %s", strings.Join(append(shown, names[0]), " → "))
	for i, r := range path[:min(len(path)-1, mostLinks)] {
		w.last.Related = append(w.last.Related, diag.Related{Message: fmt.Sprintf("%s waits for %s here", names[i], r.Stage), Range: r.Range})
	}
	w.report(w.last)
}
