package program

import (
	"fmt"

	"qpipe/lang/diag"
)

// Unit is what a schedule counts in.
type Unit uint8

// The units.
const (
	Epoch Unit = iota
	Step
)

// String returns "epoch" or "step".
func (u Unit) String() string {
	if u == Step {
		return "step"
	}
	return "epoch"
}

// Schedule is a parsed `when`. Points are 0-based and name the moment before
// the epoch or step of that number: "epoch 4" acts when four epochs have been
// completed, before the next step.
//
// A schedule with Start or End set fires once, before the first step or after
// the last one. Otherwise it fires at From, and if Every is positive at every
// Every-th point after it, up to and including To (no bound if To is negative).
type Schedule struct {
	Text       string
	Range      diag.Range
	Start, End bool
	Unit       Unit
	From       int
	Every      int // 0: only at From
	To         int // the last point allowed; -1: none
}

// Length is the extent of a training run. StepsPerEpoch is -1 if the size of the data is not known yet.
type Length struct {
	Epochs, Steps, StepsPerEpoch int
}

// Due reports whether the schedule fires before step number step (0-based,
// counted over the whole stage), which opens epoch number epoch if opens is set.
// Start and End schedules are never due at a step.
func (s *Schedule) Due(epoch, step int, opens bool) bool {
	if s.Start || s.End {
		return false
	}
	at := step
	if s.Unit == Epoch {
		if !opens {
			return false
		}
		at = epoch
	}
	if at < s.From || (s.To >= 0 && at > s.To) {
		return false
	}
	return at == s.From || (s.Every > 0 && (at-s.From)%s.Every == 0)
}

// Passed reports whether a point of the schedule is before the step at which a run of length l begins, and whether a
// later one remains. In a run that begins at step 0 nothing has passed.
func (s *Schedule) Passed(step int, l Length) (passed, left bool) {
	if s.Start || s.End {
		return false, true
	}
	at, n := step, l.Steps
	if s.Unit == Epoch {
		if l.StepsPerEpoch <= 0 {
			return false, true
		}
		at, n = (step+l.StepsPerEpoch-1)/l.StepsPerEpoch, l.Epochs
	}
	next := s.From
	if at > s.From {
		if s.Every <= 0 {
			return true, false
		}
		next += (at - s.From + s.Every - 1) / s.Every * s.Every
	}
	return at > s.From, (s.To < 0 || next <= s.To) && (n <= 0 || next < n)
}

// Late reports whether the schedule's first point is at or after the end of a run of length l, so that it would never
// fire, and returns the last point that would. It is false if the length is not known.
func (s *Schedule) Late(l Length) (last string, late bool) {
	if s.Start || s.End {
		return "", false
	}
	n := l.Epochs
	if s.Unit == Step {
		n = l.Steps
	}
	if n <= 0 || s.From < n {
		return "", false
	}
	return fmt.Sprintf("%s %d", s.Unit, n-1), true
}
