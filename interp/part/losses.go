package part

import (
	"fmt"

	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// Losses are the losses of a trainer. Their weighted sum is minimized. It is a Loss itself.
type Losses struct {
	terms   []term
	written []bool      // for each output, whether it has a gradient of this batch
	own     [][]float32 // for each output, memory for the gradient of a second loss that sees it
	kept    [][]float32 // for each output, the gradient of the batch
}

// term is one of the losses.
type term struct {
	chooser
	loss   Loss
	weight float32
}

// NewLosses makes the losses of blocks, of which there is at least one. On an error it also returns the block.
func NewLosses(c Catalog, judges []program.Judge) (*Losses, program.Call, error) {
	l := &Losses{}
	for _, j := range judges {
		made, err := New[Loss](c, j.Call)
		if err != nil {
			return nil, j.Call, err
		}
		t := term{chooser{name: j.Type, output: j.Output, target: j.Target}, made, 1}
		if j.Weight != 0 {
			t.weight = float32(j.Weight)
		}
		l.terms = append(l.terms, t)
	}
	return l, program.Call{}, nil
}

// OneLoss are losses of which there is one, which sees everything.
func OneLoss(l Loss) *Losses { return &Losses{terms: []term{{loss: l, weight: 1}}} }

// Len is the number of losses.
func (l *Losses) Len() int { return len(l.terms) }

// Names returns what the means of the losses are called where there are several: "mask_loss", or the type where one sees
// all outputs; with a number where two would have one name.
func (l *Losses) Names() []string {
	var names []string
	taken := map[string]int{}
	for _, t := range l.terms {
		name := t.prefix() + "loss"
		if t.output == "" {
			name = t.name + "_loss"
		}
		if taken[name]++; taken[name] > 1 {
			name = fmt.Sprintf("%s_%d", name, taken[name])
		}
		names = append(names, name)
	}
	return names
}

// Fits implements Fitter.
func (l *Losses) Fits(outputs []nn.Port, targets []TargetSpec) error {
	for i := range l.terms {
		if err := l.fitsOne(i, outputs, targets); err != nil {
			return err
		}
	}
	return nil
}

// TakesMixed implements MixedTaker: each of the losses is asked.
func (l *Losses) TakesMixed() {}

// fitsOne is Fits of loss i.
func (l *Losses) fitsOne(i int, outputs []nn.Port, targets []TargetSpec) error {
	seen, of, err := l.terms[i].choose(outputs, targets)
	if err != nil {
		return err
	}
	return Fits(l.terms[i].loss, seen, of)
}

// Unseen returns the labels of the outputs that no loss sees. Fits must have been called before.
func (l *Losses) Unseen(outputs []nn.Port) []string {
	var list []string
	for k, o := range outputs {
		seen := false
		for i := range l.terms {
			t := &l.terms[i]
			seen = seen || t.whole() || t.at.output == k
		}
		if !seen {
			list = append(list, o.Label)
		}
	}
	return list
}

// Normalizes reports whether loss i computes a softmax of what it sees.
func (l *Losses) Normalizes(i int) bool {
	_, is := l.terms[i].loss.(Normalizer)
	return is
}

// Loss implements Loss.
func (l *Losses) Loss(b *Batch) float32 {
	total := l.One(0, b)
	for i := 1; i < len(l.terms); i++ {
		total += l.One(i, b)
	}
	l.End(b)
	return total
}

// One computes loss i, times its weight, and adds to the gradients. After the last one End is called.
func (l *Losses) One(i int, b *Batch) float32 {
	t := &l.terms[i]
	if len(l.terms) == 1 && t.weight == 1 && t.whole() {
		return t.loss.Loss(b)
	}
	l.begin(i, b)
	v := float32(t.weight * t.loss.Loss(t.see(b)))
	for k := range b.Outputs {
		if t.whole() || k == t.at.output {
			l.add(k, &b.Outputs[k], t.weight)
		}
	}
	return v
}

// begin lets the outputs that another loss has seen before have their gradient in another place.
func (l *Losses) begin(i int, b *Batch) {
	if len(l.written) != len(b.Outputs) {
		l.written, l.own, l.kept = make([]bool, len(b.Outputs)), make([][]float32, len(b.Outputs)), make([][]float32, len(b.Outputs))
	}
	if i == 0 {
		clear(l.written)
	}
	for k := range b.Outputs {
		out := &b.Outputs[k]
		if i == 0 {
			l.kept[k] = out.Grad
		}
		if out.Grad = l.kept[k]; out.Grad != nil && l.written[k] {
			if cap(l.own[k]) < len(out.Grad) {
				l.own[k] = make([]float32, len(out.Grad))
			}
			out.Grad = l.own[k][:len(out.Grad)]
		}
	}
}

// add adds what a loss has written to the gradient of output k.
func (l *Losses) add(k int, out *Output, weight float32) {
	for i, g := range out.Grad {
		out.Grad[i] = weight * g
	}
	if l.written[k] {
		for i, g := range out.Grad {
			l.kept[k][i] += g
		}
	}
	l.written[k] = true
}

// End clears the gradients of the outputs that no loss sees.
func (l *Losses) End(b *Batch) {
	for k := range l.written {
		b.Outputs[k].Grad = l.kept[k]
		if !l.written[k] {
			clear(l.kept[k])
		}
	}
}

// FitsOne is Fits of loss i of several.
func FitsOne(l *Losses, i int, outputs []nn.Port, targets []TargetSpec) (err error) {
	defer Guard(&err, "Fits")
	return l.fitsOne(i, outputs, targets)
}

// SeenBy is what loss i sees of the outputs and the targets, after FitsOne.
func (l *Losses) SeenBy(i int, outputs []nn.Port, targets []TargetSpec) ([]nn.Port, []TargetSpec) {
	return l.terms[i].seen(outputs, targets)
}
