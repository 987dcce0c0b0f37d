package callbacks

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"qpipe/interp/part"
)

// CheckpointArgs are the arguments of Checkpoint.
type CheckpointArgs struct {
	Monitor       string `arg:"monitor,optional" doc:"The metric that decides which checkpoint is the best: one of the validation's metrics, or loss (the mean over the epoch's training images). Empty keeps no best."`
	Mode          string `arg:"mode,optional" oneof:"auto max min" doc:"Whether the largest or the smallest value is the best. auto follows the metric: the smallest loss, the largest accuracy. The other direction is an error."`
	Interval      int    `arg:"interval,optional" doc:"Keep a numbered checkpoint (epoch-0004) after every so many epochs; 0 keeps none."`
	IntervalSteps int    `arg:"interval_steps,optional" doc:"Keep a numbered checkpoint (step-00001200), and update last, after every so many steps; 0 is never."`
	Keep          int    `arg:"keep,optional" doc:"How many numbered checkpoints of each kind are kept, the newest ones; 0 keeps all."`
}

// The names of numbered checkpoints.
const (
	epochName = "epoch-%04d"
	stepName  = "step-%08d"
)

// mostKept is the largest number of numbered checkpoints that may be kept.
const mostKept = 1_000_000

// CheckpointDefaults returns Checkpoint's defaults.
func CheckpointDefaults() CheckpointArgs { return CheckpointArgs{Monitor: "accuracy", Mode: "auto"} }

// Validate implements the language's check after decoding.
func (a CheckpointArgs) Validate() error {
	if err := intervals(a.Interval, a.IntervalSteps); err != nil {
		return err
	}
	switch {
	case a.Keep < 0 || a.Keep > mostKept:
		return part.Bad("keep", "%d checkpoints; it must be 0 to %d", a.Keep, mostKept)
	case a.Keep > 0 && a.Interval == 0 && a.IntervalSteps == 0:
		return part.Bad("keep", "counts numbered checkpoints, and there are none: set interval or interval_steps")
	}
	return nil
}

// KeepsBest implements the language's question to callbacks that write checkpoints.
func (a CheckpointArgs) KeepsBest() bool { return a.Monitor != "" }

// Numbers implements the language's question to callbacks that write numbered checkpoints.
func (a CheckpointArgs) Numbers(name string, of part.Length) bool {
	for _, k := range []struct {
		format     string
		every, end int
	}{{epochName, a.Interval, of.Epochs}, {stepName, a.IntervalSteps, of.Steps}} {
		var n int
		if _, err := fmt.Sscanf(name, k.format, &n); err != nil || fmt.Sprintf(k.format, n) != name {
			continue
		}
		return k.every > 0 && n > 0 && n%k.every == 0 && (k.end <= 0 || n <= k.end)
	}
	return false
}

// Monitors implements the language's question to callbacks that watch a metric.
func (a CheckpointArgs) Monitors() string { return a.Monitor }

// Direction implements the language's question to callbacks that watch a metric.
func (a CheckpointArgs) Direction() string {
	if a.Mode == "auto" {
		return ""
	}
	return a.Mode
}

type checkpointer struct {
	CheckpointArgs
	best  map[string]float64 // the best value under the monitor's name, empty at first
	saved bool               // a numbered one since the run was started or continued
}

// NewCheckpoint returns the callback that writes "last" after every epoch, "best" when the monitored metric is better
// than ever before, and numbered checkpoints at its intervals. The best value is part of every checkpoint, so that a
// resumed run does not forget it.
func NewCheckpoint(a CheckpointArgs) (part.Callback, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return &checkpointer{CheckpointArgs: a, best: map[string]float64{}}, nil
}

// GovernsCheckpoints implements part.Checkpointer.
func (*checkpointer) GovernsCheckpoints() {}

// Priority implements part.Prioritized: after everything that changes the model.
func (*checkpointer) Priority() int { return 90 }

// State implements part.Stateful.
func (c *checkpointer) State() map[string]float64 { return maps.Clone(c.best) }

// SetState implements part.Stateful.
func (c *checkpointer) SetState(s map[string]float64) { c.best = maps.Clone(s) }

// StepEnd implements part.StepEnder.
func (c *checkpointer) StepEnd(s *part.State) error {
	if s.Validated() && c.Monitor != "loss" {
		if err := c.judge(s); err != nil {
			return err
		}
	}
	if c.IntervalSteps == 0 || s.Step%c.IntervalSteps != 0 {
		return nil
	}
	if err := c.numbered(s, stepName, s.Step, c.IntervalSteps); err != nil {
		return err
	}
	return s.Save("last")
}

// EpochEnd implements part.EpochEnder. "last" is written last, so that what it records about the best and the numbered
// ones is true.
func (c *checkpointer) EpochEnd(s *part.State) error {
	if s.Validated() || c.Monitor == "loss" {
		if err := c.judge(s); err != nil {
			return err
		}
	}
	if c.Interval > 0 && s.Epoch%c.Interval == 0 {
		if err := c.numbered(s, epochName, s.Epoch, c.Interval); err != nil {
			return err
		}
	}
	return s.Save("last")
}

// Start implements part.Starter. If a run was interrupted after it wrote a numbered checkpoint and before it removed
// the oldest one, this removes it.
func (c *checkpointer) Start(s *part.State) error {
	return errors.Join(c.prune(s, stepName, s.Step, c.IntervalSteps), c.prune(s, epochName, s.Epoch, c.Interval))
}

// End implements part.Ender. If the loss is monitored and no epoch has ended in this stage, the best weights are the
// current ones. Nothing has started if no step was left to train.
func (c *checkpointer) End(s *part.State) error {
	if !c.saved {
		if err := c.Start(s); err != nil {
			return err
		}
	}
	if c.Monitor != "loss" || len(c.best) > 0 {
		return nil
	}
	return s.Save("best")
}

// judge saves "best" if the monitored metric of the current weights is better than ever before. A stage without
// validation has no best.
func (c *checkpointer) judge(s *part.State) error {
	if c.Monitor == "" {
		return nil
	}
	v, ok := s.Metrics[c.Monitor]
	if !ok && c.Monitor == "loss" {
		return nil // no step was left to train
	}
	if !ok {
		names := slices.Sorted(maps.Keys(s.Metrics))
		return part.Bad("monitor", "there is no metric %q; there are: %s", c.Monitor, strings.Join(names, ", "))
	}
	old, seen := c.best[c.Monitor]
	better := !seen || v > old
	if c.Mode == "min" || c.Mode != "max" && s.SmallerIsBetter(c.Monitor) {
		better = !seen || v < old
	}
	if v != v || !better {
		return nil
	}
	c.best = map[string]float64{c.Monitor: v}
	return s.Save("best")
}

// numbered saves the checkpoint of point n and removes the oldest one if there are too many.
func (c *checkpointer) numbered(s *part.State, format string, n, interval int) error {
	if err := s.Save(fmt.Sprintf(format, n)); err != nil {
		return err
	}
	c.saved = true
	return c.prune(s, format, n, interval)
}

// prune removes the checkpoint that is one too many at point n.
func (c *checkpointer) prune(s *part.State, format string, n, interval int) error {
	if interval == 0 || c.Keep == 0 {
		return nil
	}
	if old := n - n%interval - c.Keep*interval; old > 0 {
		return s.Remove(fmt.Sprintf(format, old))
	}
	return nil
}
