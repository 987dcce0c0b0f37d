package part

import (
	"slices"
	"strings"

	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// chooser lets a loss or a metric see one output of several and one target, as its block says.
type chooser struct {
	name           string // of the loss or metric
	output, target string // "" for the output: all outputs and targets
	at             struct{ output, target int }
	batch          Batch // what it sees
}

// choose finds the output and the target, and returns what the judge sees of them.
func (c *chooser) choose(outputs []nn.Port, targets []TargetSpec) ([]nn.Port, []TargetSpec, error) {
	c.at.output, c.at.target = 0, 0
	labels, names := labels(outputs), make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.Name
	}
	if c.output != "" || len(outputs) == 1 {
		if c.output != "" {
			if c.at.output = slices.Index(labels, c.output); c.at.output < 0 {
				return nil, nil, Bad("output", "the network has no output %q. %s", c.output, diag.DidYouMean(c.output, labels, "outputs"))
			}
		}
		outputs = outputs[c.at.output:][:1]
	}
	switch {
	case len(outputs) > 1 && c.target != "":
		return nil, nil, Bad("target", "the network has several outputs: say which one belongs to it. %s", diag.DidYouMean("", labels, "outputs"))
	case c.target != "":
		if c.at.target = slices.Index(names, c.target); c.at.target < 0 {
			return nil, nil, Bad("target", "the data has no target %q. %s", c.target, diag.DidYouMean(c.target, slices.DeleteFunc(names, func(n string) bool { return n == "" }), "targets of the data"))
		}
	case c.output == "":
		return outputs, targets, nil
	case slices.Contains(names, c.output):
		c.at.target = slices.Index(names, c.output)
	case len(targets) == len(labels):
		c.at.target = c.at.output
	case len(targets) != 1:
		return nil, nil, Bad("output", "the network has %s and the data %d targets: say which one belongs to %q, as in target = %q", Count(len(labels), "output"), len(targets), c.output, names[0])
	}
	return outputs, targets[c.at.target:][:1], nil
}

// whole reports whether the judge sees all outputs and targets.
func (c *chooser) whole() bool { return c.output == "" && c.target == "" }

// see is what the judge sees of a batch.
func (c *chooser) see(b *Batch) *Batch {
	if c.whole() {
		return b
	}
	c.batch.Len = b.Len
	c.batch.Outputs, c.batch.Targets = b.Outputs[c.at.output:][:1], b.Targets[c.at.target:][:1]
	return &c.batch
}

// prefix begins the names of what is measured of an output.
func (c *chooser) prefix() string {
	if c.output == "" {
		return ""
	}
	return strings.ReplaceAll(c.output, ".", "_") + "_"
}

// NewMetric makes the metric of a block. Of one output its values have the output's name in front: "mask_accuracy".
func NewMetric(c Catalog, j program.Judge) (Metric, error) {
	m, err := New[Metric](c, j.Call)
	if err != nil || j.Output == "" && j.Target == "" {
		return m, err
	}
	of := &chosenMetric{chooser{name: j.Type, output: j.Output, target: j.Target}, m}
	if _, ok := m.(Descending); ok {
		return chosenDescending{of}, nil
	}
	return of, nil
}

// chosenMetric is a metric of one output.
type chosenMetric struct {
	chooser
	of Metric
}

type chosenDescending struct{ *chosenMetric }

func (chosenDescending) SmallerIsBetter() {}

// TakesMixed implements MixedTaker: the metric itself is asked.
func (m *chosenMetric) TakesMixed() {}

func (m *chosenMetric) Fits(outputs []nn.Port, targets []TargetSpec) error {
	outputs, targets, err := m.choose(outputs, targets)
	if err != nil {
		return err
	}
	return Fits(m.of, outputs, targets)
}

func (m *chosenMetric) Names() []string {
	var names []string
	for _, name := range m.of.Names() {
		names = append(names, m.prefix()+name)
	}
	return names
}

func (m *chosenMetric) Reset()            { m.of.Reset() }
func (m *chosenMetric) Update(b *Batch)   { m.of.Update(m.see(b)) }
func (m *chosenMetric) Values() []float64 { return m.of.Values() }

// Chance implements Guesser.
func (m *chosenMetric) Chance() []float64 {
	if g, ok := m.of.(Guesser); ok {
		return g.Chance()
	}
	return nil
}

// Seen is what a loss or a metric sees of the outputs and the targets, after Fits.
func Seen(judge any, outputs []nn.Port, targets []TargetSpec) ([]nn.Port, []TargetSpec) {
	var c *chooser
	switch j := judge.(type) {
	case *chosenMetric:
		c = &j.chooser
	case chosenDescending:
		c = &j.chooser
	}
	return c.seen(outputs, targets)
}

func (c *chooser) seen(outputs []nn.Port, targets []TargetSpec) ([]nn.Port, []TargetSpec) {
	if c == nil || c.whole() {
		return outputs, targets
	}
	return outputs[c.at.output:][:1], targets[c.at.target:][:1]
}
