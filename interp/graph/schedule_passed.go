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
			Doc:     "A full recovery begins behind the steps that are done, so a callback whose points all lie there never acts.",
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
			Summary: "a callback may not act at some points of its schedule, since a stage continues behind them",
			Doc:     "The points before the step at which a full recovery begins are passed over. Where the best checkpoint was written only the run will know.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				for _, x := range p.passed(s) {
					if x.known && !x.left {
						continue
					}
					d := s.warning(x.warning(), x.c.Origin, x.c.Origin.At("when"))
					if !x.known {
						d.Summary = fmt.Sprintf("%s may not act at %q: at which step %s writes its best checkpoint, where the stage continues, only the run will know", x.c.Type, x.c.When.Text, s.Past.Whence)
					}
					report(d)
				}
			}
		},
	}
}

// passed is a callback with points before the step that its stage begins at.
type passed struct {
	c     *program.Callback
	step  int // at which the stage begins; at most that where it is not known
	known bool
	left  bool // points lie behind it too
}

// warning is what the run says of it.
func (x passed) warning() stage.Warning {
	return stage.SchedulePassed(x.c.Type, x.c.When, x.step, x.left)
}

// passed lists a stage's callbacks with points before the step that it begins at. Of one that the
// other stage has too those have been acted upon there.
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

// somePassed is what the run says of a stage with a callback that acts at some of its points only.
func (p *Plan) somePassed(s *Stage) (stage.Warning, bool) {
	for _, x := range p.passed(s) {
		if x.known && x.left {
			return x.warning(), true
		}
	}
	return stage.Warning{}, false
}
