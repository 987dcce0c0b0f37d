package graph

import (
	"fmt"

	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func schedulePassed() Rule {
	return Rule{
		About: diag.About{
			Name: "schedule-passed", Code: diag.SchedulePassed,
			Summary: "a point of a schedule lies before the step at which the stage continues",
			Doc:     "A full recovery begins after the steps that are already done. A callback whose points all lie before that never acts.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				for _, x := range p.passed(s) {
					if x.known && !x.left {
						report(s.warning(x.warning(), x.c.Origin, x.c.Origin.At("when")))
					}
				}
			}
		},
	}
}

func pointsPassed() Rule {
	return Rule{
		About: diag.About{
			Name: "points-passed", Code: diag.SchedulePassed, Severity: diag.Warning,
			Summary: "a callback may not act at some points of its schedule, because the stage continues after them",
			Doc:     "Points before the step at which a full recovery begins are skipped. At which step a best checkpoint is written is known only during the run.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				for _, x := range p.passed(s) {
					if x.known && !x.left {
						continue
					}
					d := s.warning(x.warning(), x.c.Origin, x.c.Origin.At("when"))
					if !x.known {
						d.Summary = fmt.Sprintf("%s may not act at %q: the stage continues from the best checkpoint of %s, and at which step that is written is known only during the run", x.c.Type, x.c.When.Text, s.Past.Whence)
					}
					report(d)
				}
			}
		},
	}
}

// passed is a callback with points before the step at which its stage begins.
type passed struct {
	c     *program.Callback
	step  int  // the step at which the stage begins, or the latest possible one
	known bool // step is exact
	left  bool // there are points after that step, too
}

// warning returns the warning that the run would give for the callback.
func (x passed) warning() stage.Warning {
	return stage.SchedulePassed(x.c.Type, x.c.When, x.step, x.left)
}

// passed lists a stage's callbacks with points before the step at which it begins. It leaves out
// a callback that the other stage has, too: there it has acted at these points.
func (p *Plan) passed(s *Stage) []passed {
	if s.Past == nil || !p.counts(s) {
		return nil
	}
	step, known := s.Past.Step, true
	if step < 0 {
		if s.Past.Load.Up == nil {
			return nil
		}
		step, known = s.Past.Load.Up.Length.Steps, false
	}
	var out []passed
	for i := range s.Callbacks {
		c := &s.Callbacks[i]
		if c.When == nil || s.Past.Acted(s, i) {
			continue
		}
		if gone, left := c.When.Passed(step, s.Length); gone {
			out = append(out, passed{c, step, known, left})
		}
	}
	return out
}

// somePassed returns the warning that the run would give for a callback that acts only at some of its points.
func (p *Plan) somePassed(s *Stage) (stage.Warning, bool) {
	for _, x := range p.passed(s) {
		if x.known && x.left {
			return x.warning(), true
		}
	}
	return stage.Warning{}, false
}
