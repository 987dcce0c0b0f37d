package console

import (
	"fmt"
	"slices"
	"strings"

	"qpipe/interp/event"
	"qpipe/lang/diag"
)

// narrator turns events into lines of text.
type narrator struct {
	paint  Painter
	stages map[string]*extent
}

// newNarrator returns a narrator that paints so.
func newNarrator(paint Painter) *narrator {
	return &narrator{paint: paint, stages: map[string]*extent{}}
}

// extent is what a stage said of its length when it began.
type extent struct{ epochs, perEpoch int }

func (n *narrator) extent(stage string) extent {
	if e := n.stages[stage]; e != nil {
		return *e
	}
	return extent{}
}

// line returns the event as a line, "" where it is not worth one.
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
	switch e.Kind {
	case event.Start:
		return n.start(e)
	case event.Epoch:
		return n.epoch(e)
	case event.Validation:
		return n.validation(e)
	case event.Absorb:
		return n.paint.yellow("absorbed") + n.receipt(e)
	case event.Freeze:
		return fmt.Sprintf("step %d: froze BN of %s", e.Step, Names(e.Data["modules"]))
	case event.Resume:
		return n.resume(e)
	case event.Interrupt:
		return n.paint.yellow("interrupted") + fmt.Sprintf(" after step %d", e.Step)
	case event.End:
		return n.paint.Green("done") + Metrics(e.Data["metrics"]) + "  " + Seconds(number(e.Data["seconds"]))
	case event.Skip:
		return n.paint.Dim(text(e.Data["message"]))
	case event.Failed:
		return n.paint.Red("failed: ") + text(e.Data["message"])
	case event.Fallback, event.Warning:
		return n.paint.yellow(text(e.Data["message"]))
	case event.Model:
		if text(e.Data["storage"]) == "" {
			return "" // an int8 model, as the table says
		}
		return text(e.Data["message"])
	case event.Run, event.Load, event.Restore, event.Proof, event.NotRun:
		return text(e.Data["message"])
	default:
		return ""
	}
}

func (n *narrator) start(e event.Event) string {
	total, per := int(number(e.Data["total_steps"])), int(number(e.Data["steps_per_epoch"]))
	x := &extent{perEpoch: per}
	if per > 0 {
		x.epochs = (total + per - 1) / per
	}
	n.stages[e.Stage] = x
	var parts []string
	if total > 0 {
		parts = append(parts, Count(total, "step"))
	}
	if x.epochs > 1 {
		parts[0] += " in " + Count(x.epochs, "epoch")
	}
	if images := int(number(e.Data["train_images"])); images > 0 {
		parts = append(parts, Count(images, "training image"))
	}
	if images := int(number(e.Data["val_images"])); images > 0 {
		parts = append(parts, Count(images, "validation image"))
	}
	return strings.Join(parts, ", ")
}

// validation is worth a line in the middle of an epoch; at its end the epoch's
// own line has the figures.
func (n *narrator) validation(e event.Event) string {
	x := n.extent(e.Stage)
	if x.perEpoch == 0 || e.Step%x.perEpoch == 0 {
		return ""
	}
	return fmt.Sprintf("step %d validation", e.Step) + Metrics(e.Data["metrics"])
}

func (n *narrator) epoch(e event.Event) string {
	if _, trains := e.Data["loss"]; !trains {
		return ""
	}
	s := fmt.Sprintf("epoch %d", e.Epoch)
	if x := n.extent(e.Stage); x.epochs > 0 {
		s += fmt.Sprintf("/%d", x.epochs)
	}
	s += fmt.Sprintf("  loss %.4f  lr %.4g", number(e.Data["loss"]), number(e.Data["lr"]))
	s += Metrics(e.Data["metrics"])
	if rate := number(e.Data["images_per_second"]); rate > 0 {
		s += "  " + Short(rate) + " images/s"
	}
	return s
}

// receipt is what an absorption leaves behind.
func (n *narrator) receipt(e event.Event) string {
	s := fmt.Sprintf(" %s at epoch %d, step %d (%s, scale %s): output changes by at most %.3g",
		text(e.Data["module"]), e.Epoch, e.Step, text(e.Data["qat_mode"]), Kept(text(e.Data["weight_scale"])), number(e.Data["max_change"]))
	if steps := number(e.Data["max_steps"]); steps > 0 {
		size := fmt.Sprintf("%.3g", steps)
		if s += ", " + size + " step"; size != "1" {
			s += "s"
		}
	}
	if all := number(e.Data["integers"]); all > 0 {
		changed, verb := number(e.Data["changed"]), "change"
		if changed == 1 {
			verb = "changes"
		}
		s += fmt.Sprintf("; %.0f of %s %s", changed, diag.Count(int64(all), "integer"), verb)
		if changed > 0 {
			s += fmt.Sprintf(" (%.3g %%)", 100*changed/all)
		}
	}
	return s
}

// Kept says what has become of a weight's scale.
func Kept(scale string) string {
	if scale == "recompute" {
		return "recomputed"
	}
	return "kept"
}

func (n *narrator) resume(e event.Event) string {
	what := "everything"
	if text(e.Data["scenario"]) == "optimizer" {
		what = "weights, optimizer and learning rate"
	}
	if left, ok := e.Data["steps_left"].(int); ok && left == 0 {
		return fmt.Sprintf("%s %s of epoch %s, step %s; no step is left to train", n.paint.yellow("resumed"), what,
			text(e.Data["checkpoint_epoch"]), text(e.Data["checkpoint_step"]))
	}
	return fmt.Sprintf("%s %s of epoch %s, step %s; going on at epoch %d, step %d", n.paint.yellow("resumed"), what,
		text(e.Data["checkpoint_epoch"]), text(e.Data["checkpoint_step"]), e.Epoch, e.Step)
}

// Metrics prints a map of metrics in the order of their names, "loss" left out.
func Metrics(v any) string {
	m := floats(v)
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
