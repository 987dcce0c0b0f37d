// Package recognize finds the groups of nodes that exporters write for one op, such as the six of a hard-swish, and puts one node in the
// place of each.
package recognize

import (
	"math"
	"slices"

	"qpipe/onnx/model"
)

// recognitions are the groups of nodes that exporters write for one op, and what is put in their place. A group is found at its last
// node, and in it what was recognized before; so a group may contain the result of another. The notation is that of parse.
func recognitions() [][2]string {
	const (
		layerNorm1 = "Add(Mul(Div(Sub(x, ReduceMean(x; axes=-1)), Sqrt(Add(ReduceMean(Pow(Sub(x, ReduceMean(x; axes=-1)), 2); axes=-1), $e))), @w), @b)"
		layerNorm2 = "Add(Mul(Div(Sub(x, ReduceMean(x; axes=1)), Sqrt(Add(ReduceMean(Pow(Sub(x, ReduceMean(x; axes=1)), 2); axes=1), $e))), @w), @b)"
	)
	return [][2]string{
		{"Mul(x, Sigmoid(x))", "Swish(x)"},
		{"Div(Clip(Add(x, 3), 0, 6), 6)", "HardSigmoid(x; alpha=0.16666667, beta=0.5)"},
		{"Mul(Clip(Add(x, 3), 0, 6), 0.16666667)", "HardSigmoid(x; alpha=0.16666667, beta=0.5)"},
		{"Clip(Add(Mul(x, $a), $b), 0, 1)", "HardSigmoid(x; alpha=$a, beta=$b)"},
		{"Mul(x, HardSigmoid(x; alpha=0.16666667, beta=0.5))", "HardSwish(x)"},
		{"Div(Mul(x, Clip(Add(x, 3), 0, 6)), 6)", "HardSwish(x)"},
		{"Mul(Mul(x, Clip(Add(x, 3), 0, 6)), 0.16666667)", "HardSwish(x)"},
		{"Erf(Div(x, 1.41421356))", "qpipe.Erf(x)"},
		{"Erf(Mul(x, 0.70710678))", "qpipe.Erf(x)"},
		{"Mul(Mul(x, Add(qpipe.Erf(x), 1)), 0.5)", "Gelu(x)"},
		{"Mul(Mul(x, 0.5), Add(qpipe.Erf(x), 1))", "Gelu(x)"},
		{"Mul(x, Mul(Add(qpipe.Erf(x), 1), 0.5))", "Gelu(x)"},
		{"Tanh(Mul(Add(x, Mul(Pow(x, 3), 0.044715)), 0.79788456))", "qpipe.Tanh(x)"},
		{"Tanh(Mul(Add(x, Mul(Mul(Mul(x, x), x), 0.044715)), 0.79788456))", "qpipe.Tanh(x)"},
		{"Mul(Mul(x, 0.5), Add(qpipe.Tanh(x), 1))", "Gelu(x; approximate=tanh)"},
		{"Mul(x, Mul(Add(qpipe.Tanh(x), 1), 0.5))", "Gelu(x; approximate=tanh)"},
		{"Mul(Mul(x, Add(qpipe.Tanh(x), 1)), 0.5)", "Gelu(x; approximate=tanh)"},
		{"Log(Add(Exp(x), 1))", "Softplus(x)"},
		{"Where(Greater(x, $t), x, Softplus(x))", "Softplus(x)"},
		{"Mul(x, Tanh(Softplus(x)))", "Mish(x)"},
		{"Max(x, Mul(x, $a))", "LeakyRelu(x; alpha=$a)"},
		{"Add(MatMul(x, @w), @b)", "MatMul(x, @w, @b)"},
		{layerNorm1, "LayerNormalization(x, @w, @b; epsilon=$e)"},
		{layerNorm2, "qpipe.ChannelNorm(x, @w, @b; epsilon=$e)"},
		{"Add(Mul(Reshape(InstanceNormalization(Reshape(x, @g), @one, @zero; epsilon=$e), @s), @w), @b)", "qpipe.GroupNorm(x, @g, @one, @zero, @w, @b; epsilon=$e)"},
		{"Add(Mul(x, @w), @b)", "qpipe.Affine(x, @w, @b)"},
		{"Div(Sub(x, @m), @s)", "qpipe.Standard(x, @m, @s)"},
	}
}

// Domain is that of the nodes that stand for groups, where ONNX has no op for one.
const Domain = "qpipe"

// Groups are the nodes of a graph with a node for each group, and without those that nothing reads any more. Its constants must be
// initializers.
func Groups(g *model.Graph) []*model.Node {
	r := &recognizer{constants: map[string]*model.Tensor{}, makers: map[string]*model.Node{}}
	for _, t := range g.Initializers {
		r.constants[t.Name] = t
	}
	type rule struct{ from, to *pattern }
	var rules []rule
	for _, t := range recognitions() {
		rules = append(rules, rule{parse(t[0]), parse(t[1])})
	}
	nodes := slices.Clone(g.Nodes)
	for i, n := range nodes {
		for again := true; again; {
			again = false
			for _, rule := range rules {
				if m := r.matches(rule.from, n, match{}); m != nil {
					n, again = rule.to.made(n, m), true
					break
				}
			}
		}
		nodes[i] = n
		for _, o := range n.Outputs {
			r.makers[o] = n
		}
	}
	return read(nodes, g.Outputs)
}

// read are the nodes that an output depends on.
func read(nodes []*model.Node, outputs []*model.Value) []*model.Node {
	wanted := map[string]bool{}
	for _, o := range outputs {
		wanted[o.Name] = true
	}
	var left []*model.Node
	for _, n := range slices.Backward(nodes) {
		if !slices.ContainsFunc(n.Outputs, func(o string) bool { return wanted[o] }) {
			continue
		}
		left = append(left, n)
		for _, in := range n.Inputs {
			wanted[in] = true
		}
	}
	slices.Reverse(left)
	return left
}

// recognizer knows which node makes a value, and which values are constants.
type recognizer struct {
	constants map[string]*model.Tensor
	makers    map[string]*model.Node
}

// match is what the names of a pattern stand for: values of the graph, or numbers.
type match map[string]any

// operand is one of a node: a value, or a number from an attribute.
type operand struct {
	name   string
	number *float64
}

// operands are a node's, with the limits of an older Clip and without the axes of a newer reduction.
func operands(n *model.Node) []operand {
	var list []operand
	for _, name := range n.Inputs {
		list = append(list, operand{name: name})
	}
	switch {
	case n.Op == "Clip" && len(n.Inputs) == 1:
		for _, a := range []string{"min", "max"} {
			v, _ := number(n, a)
			list = append(list, operand{number: &v})
		}
	case n.Op == "ReduceMean":
		list = list[:1]
	}
	return list
}

// number is an attribute that is one.
func number(n *model.Node, name string) (float64, bool) {
	a := n.Attr(name)
	if a == nil {
		return 0, false
	}
	switch v := a.Value.(type) {
	case float32:
		return float64(v), true
	case int64:
		return float64(v), true
	case []int64:
		if len(v) == 1 {
			return float64(v[0]), true
		}
	}
	return 0, false
}

// near reports whether a number in a file is the one that is meant, which may have gone through float16.
func near(x, want float64) bool { return math.Abs(x-want) <= 1e-3*math.Abs(want) }

// matches reports what the names of a pattern stand for in a node, nil if it does not match. known is what they must stand for.
func (r *recognizer) matches(p *pattern, n *model.Node, known match) match {
	if n == nil || n.Domain != p.domain || n.Op != p.op {
		return nil
	}
	for name, want := range p.attrs {
		x, ok := r.attribute(n, name)
		if text, variable := want.(string); variable {
			if !ok {
				return nil
			}
			known = known.with(text, x)
		} else if !ok || !near(x, want.(float64)) {
			return nil
		}
		if known == nil {
			return nil
		}
	}
	have := operands(n)
	if len(have) < len(p.args) || len(have) > len(p.args) && n.Op != "Clip" {
		return nil
	}
	orders := [][]int{{0, 1}}
	if len(p.args) == 2 && slices.Contains([]string{"Add", "Mul", "Max", "Min"}, p.op) {
		orders = append(orders, []int{1, 0})
	} else if len(p.args) != 2 {
		orders = [][]int{nil}
	}
	for _, order := range orders {
		m := known
		for i, a := range p.args {
			k := i
			if order != nil {
				k = order[i]
			}
			if m = r.stands(a, have[k], m); m == nil {
				break
			}
		}
		if m != nil {
			return m
		}
	}
	return nil
}

// attribute is a number of a node: an attribute, or the axes that newer versions have as an operand.
func (r *recognizer) attribute(n *model.Node, name string) (float64, bool) {
	if x, ok := number(n, name); ok {
		return x, true
	}
	if name == "axes" && len(n.Inputs) > 1 {
		return r.scalar(n.Inputs[1])
	}
	if name == "epsilon" {
		return 1e-5, true
	}
	return 0, false
}

// scalar is the number that a value is.
func (r *recognizer) scalar(name string) (float64, bool) {
	t := r.constants[name]
	switch {
	case t == nil || t.Len() != 1 || t.Type.Bits() < 8:
		return 0, false
	case t.Type.Float():
		return t.Floats()[0], true
	}
	return float64(t.Ints()[0]), true
}

// stands matches an argument of a pattern with an operand.
func (r *recognizer) stands(a *pattern, o operand, m match) match {
	switch a.kind {
	case isOp:
		if o.number != nil {
			return nil
		}
		return r.matches(a, r.makers[o.name], m)
	case isValue:
		if o.number != nil || r.constants[o.name] != nil || o.name == "" {
			return nil
		}
		return m.with(a.name, o.name)
	case isConstant:
		if o.number != nil || r.constants[o.name] == nil {
			return nil
		}
		return m.with(a.name, o.name)
	}
	x, ok := 0.0, false
	if o.number != nil {
		x, ok = *o.number, true
	} else {
		x, ok = r.scalar(o.name)
	}
	switch {
	case !ok:
		return nil
	case a.kind == isNumber && !near(x, a.number):
		return nil
	case a.kind == isNumber:
		return m
	}
	return m.with(a.name, x)
}

// with is a match in which a name stands for something besides, nil if it stands for something else already.
func (m match) with(name string, is any) match {
	if was, ok := m[name]; ok {
		if was != is {
			return nil
		}
		return m
	}
	out := match{name: is}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// made is the node that a replacement says, in the place of n.
func (p *pattern) made(n *model.Node, m match) *model.Node {
	out := &model.Node{Name: n.Name, Op: p.op, Domain: p.domain, Outputs: n.Outputs[:1]}
	for _, a := range p.args {
		out.Inputs = append(out.Inputs, m[a.name].(string))
	}
	for name, v := range p.attrs {
		var value any
		switch v := v.(type) {
		case float64:
			value = float32(v)
		case string:
			value = v
			if x, ok := m[v].(float64); ok {
				value = float32(x)
			}
		}
		out.Attributes = append(out.Attributes, model.Attribute{Name: name, Value: value})
	}
	return out
}
