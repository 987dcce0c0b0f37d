package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

// Int8Model returns the int8 model that a file holds. A stage that loads such a file uses it
// instead of its float model, which must be the same network. The file decides how the
// model is quantized. If the snapshot comes from the header of a file alone, the model has
// no weights.
func Int8Model(float *nn.Graph, s *Snapshot, o part.LoadOptions) (*nn.Graph, error) {
	switch {
	case float.Form() != nn.Float:
		return nil, part.Bad("checkpoint_path", "it is a finished int8 model, and the model is already in the %s form: make LoadCheckpoint the stage's only converter", float.Form())
	case len(o.Rename) > 0:
		return nil, part.Bad("rename", "an int8 model is loaded as a whole, and its tensors keep their names")
	case o.LoadEMAModel:
		return nil, part.Bad("load_ema_model", "an int8 model holds no averaged weights")
	}
	g, err := nn.Restore(s.Structure)
	if err != nil {
		return nil, err
	}
	same, err := forTarget(float, g.Target())
	if err != nil {
		return nil, err
	}
	if err := same.SameNetwork(g); err != nil {
		return nil, part.Bad("checkpoint_path", "it is an int8 model of another network: %v", err)
	}
	return g, nil
}

// forTarget returns a float network without its weights, as a target has it.
func forTarget(float *nn.Graph, t nn.Target) (*nn.Graph, error) {
	g, err := nn.Restore(float.Structure())
	if err == nil {
		err = g.SetTarget(t)
	}
	return g, err
}

// TrainedOtherwise lists the differences between how a model is quantized now and how it
// was quantized when the snapshot was written. Only differences that can change integers
// count.
func TrainedOtherwise(g *nn.Graph, s *Snapshot) ([]nn.Difference, error) {
	if s.Form == nn.Float || len(s.Structure) == 0 {
		return nil, nil
	}
	was, err := nn.Restore(s.Structure)
	if err != nil {
		return nil, err
	}
	for _, t := range s.Model {
		node, ok := nn.RangeOf(t.Name)
		if r, is := t.Data.([]float32); ok && is && len(r) == 2 {
			was.SetRange(node, r[0], r[1])
		}
	}
	return g.QuantizedOtherwise(was), nil
}

// ConfiguredOtherwise lists the differences between a stage's qconfig and the int8 model
// that the stage loads. float is the float model of the same network, t the target and of
// the qconfig of a node.
func ConfiguredOtherwise(float, int8 *nn.Graph, t nn.Target, of func(nn.Module) nn.QConfig) ([]nn.Difference, error) {
	g, err := forTarget(float, t)
	if err != nil {
		return nil, err
	}
	g.SetQConfig(of)
	if err := g.Prepare(nn.QAT, nn.FuseBN); err != nil {
		return nil, err
	}
	return g.QuantizedOtherwise(int8), nil
}

// Otherwise describes differences in words. Equal differences of several nodes become one
// line. head is the first line, rest has the others.
func Otherwise(list []nn.Difference) (head, rest string) {
	nodes := map[string][]string{}
	var kinds []string
	for _, d := range list {
		kind := fmt.Sprintf("%s = %s, and here it is %s", d.Attr, d.Was, d.Is)
		if nodes[kind] == nil {
			kinds = append(kinds, kind)
		}
		nodes[kind] = append(nodes[kind], d.Node)
	}
	var lines []string
	for _, kind := range kinds {
		line := kind
		if names := slices.DeleteFunc(nodes[kind], func(n string) bool { return n == "" }); len(names) > 0 {
			line += " (" + diag.Enumerate(names) + ")"
		}
		lines = append(lines, line)
	}
	return lines[0], strings.Join(lines[1:], "; ")
}
