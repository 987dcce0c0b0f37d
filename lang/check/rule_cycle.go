package check

import (
	"fmt"
	"slices"
	"strings"

	"qpipe/lang/diag"
)

// ruleStageCycle: stages that wait for each other can never run. Each circle is
// shown whole, once.
func (c *checker) ruleStageCycle() {
	state := map[string]int{} // 0 new, 1 on the path, 2 done
	var path []ref            // the references walked: path[i] leads out of the i-th stage
	var names []string
	var visit func(s *stage)
	visit = func(s *stage) {
		state[s.Name] = 1
		names = append(names, s.Name)
		for _, r := range s.refs {
			next := c.stageNamed(r.Stage)
			if next == nil || r.Stage == s.Name && strings.Contains(r.address, ".assert[") {
				continue // a stage may judge itself when it is done
			}
			path = append(path, r)
			switch state[r.Stage] {
			case 0:
				visit(next)
			case 1:
				i := slices.Index(names, r.Stage)
				c.reportCycle(names[i:], path[i:])
			}
			path = path[:len(path)-1]
		}
		names = names[:len(names)-1]
		state[s.Name] = 2
	}
	for _, s := range c.stages {
		if state[s.Name] == 0 && !s.broken {
			visit(s)
		}
	}
}

func (c *checker) reportCycle(names []string, path []ref) {
	last := path[len(path)-1]
	p := at{address: last.address, subject: last.Range}
	if len(path) == 1 {
		c.errorf(diag.StageCycle, p, "A stage can read only what another stage has left. An assert may look at the stage's own metrics.",
			"stage %q waits for itself", names[0])
		return
	}
	d := c.errorf(diag.StageCycle, p, "One of them must not need another's result. To continue a stage's own training, use resume_optimizer.",
		"stages wait for each other in a circle: %s", strings.Join(append(slices.Clone(names), names[0]), " → "))
	for i, r := range path[:len(path)-1] {
		d.Related = append(d.Related, diag.Related{Message: fmt.Sprintf("%s waits for %s here", names[i], r.Stage), Range: r.Range})
	}
}
