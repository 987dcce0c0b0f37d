package console

import (
	"fmt"
	"slices"
	"strings"

	"qpipe/interp/event"
)

// narrator turns events into lines of text.
type narrator struct {
	paint  Painter
	stages map[string]*extent
}

// newNarrator returns a narrator with these colours.
func newNarrator(paint Painter) *narrator {
	return &narrator{paint: paint, stages: map[string]*extent{}}
}

// extent is a stage's length, as its start event gave it.
type extent struct{ epochs, perEpoch int }

func (n *narrator) extent(stage string) extent {
	if e := n.stages[stage]; e != nil {
		return *e
	}
	return extent{}
}

// line returns the event as a line, or "" for an event that is not shown.
func (n *narrator) line(e event.Event) string {
	say := n.sentence(e)
	if say == "" {
		return ""
	}
	if e.Stage == "" {
		return say
	}
	return n.paint.Bold(e.Stage+":") + " " + say
}

func (n *narrator) sentence(e event.Event) string {
	switch d := e.Data.(type) {
	case event.Start:
		return n.start(e.Stage, d)
	case event.Epoch:
		return n.epoch(e, d)
	case event.Validation:
		return n.validation(e, d)
	case event.Absorb:
		return n.paint.yellow("absorbed") + n.receipt(e, d)
	case event.Freeze:
		return fmt.Sprintf("step %d: froze BN of %s", e.Step, strings.Join(d.Modules, ", "))
	case event.Resume:
		return n.resume(e, d)
	case event.Interrupt:
		return n.paint.yellow("interrupted") + fmt.Sprintf(" after step %d", e.Step)
	case event.End:
		return n.paint.Green("done") + Metrics(d.Metrics.Floats()) + "  " + Seconds(float64(d.Seconds))
	default:
		return n.message(d)
	}
}

// message is the sentence that comes with an event of the run, "" if it is not shown.
func (n *narrator) message(d event.Data) string {
	switch d := d.(type) {
	case event.Skip:
		return n.paint.Dim(Printable(d.Message))
	case event.Failed:
		return n.paint.Red("failed: ") + Printable(d.Message)
	case event.Fallback:
		return n.paint.yellow(Printable(d.Message))
	case event.Warning:
		return n.paint.yellow(Printable(d.Message))
	case event.Model:
		if d.Storage == "" {
			return "" // an int8 model, as the table says
		}
		return Printable(d.Message)
	case event.Run:
		return Printable(d.Message)
	case event.Export:
		return Printable(d.Message)
	case event.Load:
		return Printable(d.Message)
	case event.Restore:
		return Printable(d.Message)
	case event.Proof:
		return Printable(d.Message)
	case event.NotRun:
		return Printable(d.Message)
	default:
		return ""
	}
}

func (n *narrator) start(stage string, d event.Start) string {
	total, per := d.TotalSteps, d.StepsPerEpoch
	x := &extent{perEpoch: per}
	if per > 0 {
		x.epochs = (total + per - 1) / per
	}
	n.stages[stage] = x
	var parts []string
	if total > 0 {
		parts = append(parts, Count(total, "step"))
	}
	if x.epochs > 1 {
		parts[0] += " in " + Count(x.epochs, "epoch")
	}
	if d.TrainImages > 0 {
		parts = append(parts, Count(d.TrainImages, "training image"))
	}
	if d.ValImages > 0 {
		parts = append(parts, Count(d.ValImages, "validation image"))
	}
	return strings.Join(parts, ", ")
}

// validation shows a line only in the middle of an epoch; at the end the epoch's own line has the figures.
func (n *narrator) validation(e event.Event, d event.Validation) string {
	x := n.extent(e.Stage)
	if x.perEpoch == 0 || e.Step%x.perEpoch == 0 {
		return ""
	}
	return fmt.Sprintf("step %d validation", e.Step) + Metrics(d.Metrics.Floats())
}

func (n *narrator) epoch(e event.Event, d event.Epoch) string {
	if d.Loss == nil { // nothing is trained
		return ""
	}
	s := fmt.Sprintf("epoch %d", e.Epoch)
	if x := n.extent(e.Stage); x.epochs > 0 {
		s += fmt.Sprintf("/%d", x.epochs)
	}
	s += fmt.Sprintf("  loss %.4f  lr %.4g", *d.Loss, value(d.LR))
	s += Metrics(d.Metrics.Floats())
	if d.Rate > 0 {
		s += "  " + Short(float64(d.Rate)) + " images/s"
	}
	return s
}

// receipt is the line about an absorption.
func (n *narrator) receipt(e event.Event, d event.Absorb) string {
	s := fmt.Sprintf(" %s at epoch %d, step %d (%s, scale %s): output changes by at most %.3g",
		Printable(d.Module), e.Epoch, e.Step, Printable(d.QATMode), Kept(d.WeightScale), d.MaxChange)
	if d.MaxSteps > 0 {
		size := fmt.Sprintf("%.3g", d.MaxSteps)
		if s += ", " + size + " step"; size != "1" {
			s += "s"
		}
	}
	if d.Integers > 0 {
		verb := "change"
		if d.Changed == 1 {
			verb = "changes"
		}
		s += fmt.Sprintf("; %d of %s %s", d.Changed, Count(d.Integers, "integer"), verb)
		if d.Changed > 0 {
			s += fmt.Sprintf(" (%.3g %%)", 100*float64(d.Changed)/float64(d.Integers))
		}
	}
	return s
}

// Kept says whether a weight's scale was kept or recomputed.
func Kept(scale string) string {
	if scale == "recompute" {
		return "recomputed"
	}
	return "kept"
}

func (n *narrator) resume(e event.Event, d event.Resume) string {
	what := "everything"
	if d.Scenario == "optimizer" {
		what = "weights, optimizer and learning rate"
	}
	from := fmt.Sprintf("%s %s of epoch %d, step %d", n.paint.yellow("resumed"), what, d.CheckpointEpoch, d.CheckpointStep)
	if d.StepsLeft == 0 {
		return from + "; no step is left to train"
	}
	return fmt.Sprintf("%s; going on at epoch %d, step %d", from, e.Epoch, e.Step)
}

// Metrics prints a map of metrics in the order of their names, "loss" left out.
func Metrics(m map[string]float64) string {
	names := make([]string, 0, len(m))
	for name := range m {
		if name != "loss" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	s := ""
	for _, name := range names {
		s += fmt.Sprintf("  %s %s", name, metric(m[name]))
	}
	return s
}
