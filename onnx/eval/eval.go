// Package eval computes ONNX models in plain Go. It is a reference: each op is written as the standard defines it, sums
// have a fixed order, and floats are computed in float64 and rounded to their type at the end of each node. Integers are
// those of ONNX Runtime. It is not fast, but a network of a few hundred million multiplications takes about a second.
//
// New checks that every node can be computed, and reports all that cannot. Run computes the outputs; every value on the
// way can be observed. Infer computes types and shapes, and the values that do not depend on the inputs.
package eval

import (
	"fmt"
	"strings"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

// Program is a model whose nodes can all be computed. Several calls of Run and Infer may be active at the same time.
type Program struct {
	Model  *model.Model
	steps  []step
	consts map[string]*value.Value // the initializers
	last   map[string]int          // the step that reads a value last
}

// step is a node with its op.
type step struct {
	node  *model.Node
	row   *op.Row
	since int
}

// Unsupported is the error of a model with nodes that cannot be computed: all of them.
type Unsupported struct{ Items []Item }

// Item is a node that cannot be computed, why, and what can be done.
type Item struct {
	Node   *model.Node // nil if it is about the whole model
	Reason string
	Way    string
}

func (u *Unsupported) Error() string {
	var b strings.Builder
	b.WriteString("not supported:")
	for i, item := range u.Items {
		if i == most {
			fmt.Fprintf(&b, "\n  and %d more", len(u.Items)-most)
			break
		}
		b.WriteString("\n  ")
		if item.Node != nil {
			fmt.Fprintf(&b, "%v: ", item.Node)
		}
		b.WriteString(item.Reason)
		if item.Way != "" {
			b.WriteString(": " + item.Way)
		}
	}
	return b.String()
}

// most is how many items a text lists.
const most = 50

// NodeError is a mistake in a node, or in what it is computed from.
type NodeError struct {
	Node *model.Node
	Err  error
}

func (e *NodeError) Error() string { return fmt.Sprintf("%v: %v", e.Node, e.Err) }

func (e *NodeError) Unwrap() error { return e.Err }

// New prepares a model. The error is an *Unsupported if the file is right but has what cannot be computed.
func New(m *model.Model) (*Program, error) {
	p := &Program{Model: m, consts: map[string]*value.Value{}, last: map[string]int{}}
	rows, bad := table(), &Unsupported{}
	if v := m.Opsets[""]; v > Newest {
		bad.Items = append(bad.Items, Item{
			Reason: fmt.Sprintf("operator set %d; %d is the newest that is known here", v, Newest),
			Way:    fmt.Sprintf("export the model with operator set %d, or convert it with onnx.version_converter", Newest),
		})
	}
	for i, n := range m.Graph.Nodes {
		s, item := look(m, rows, n)
		if item != nil {
			bad.Items = append(bad.Items, *item)
			continue
		}
		p.steps = append(p.steps, s)
		for _, in := range n.Inputs {
			p.last[in] = i
		}
	}
	if len(bad.Items) > 0 {
		return nil, bad
	}
	for _, s := range p.steps {
		if err := s.check(); err != nil {
			return nil, &NodeError{s.node, err}
		}
	}
	for _, t := range m.Graph.Initializers {
		p.consts[t.Name] = value.Of(t)
	}
	for _, out := range m.Graph.Outputs {
		p.last[out.Name] = len(p.steps)
	}
	return p, nil
}

// look finds the op of a node.
func look(m *model.Model, rows map[key]*op.Row, n *model.Node) (step, *Item) {
	row := rows[key{n.Domain, n.Op}]
	if row == nil {
		return step{}, unknown(n)
	}
	opset, ok := m.Opsets[n.Domain]
	if !ok && n.Domain != "" {
		opset = 1 // runtimes take their own domains without a declaration
	}
	s := step{n, row, row.Version(opset)}
	if s.since == 0 {
		return s, &Item{n, fmt.Sprintf("the op is not in operator set %d", opset), fmt.Sprintf("it came with %d", row.Since[0])}
	}
	for _, a := range n.Attributes {
		if !hasAttr(s, a.Name) {
			return s, &Item{n, fmt.Sprintf("the attribute %q", a.Name), fmt.Sprintf("version %d of the op has none of this name, or it is not known here", s.since)}
		}
	}
	return s, nil
}

func hasAttr(s step, name string) bool {
	for _, a := range s.row.Attrs {
		if a.Name == name && (a.Before == 0 || s.since < a.Before) {
			return true
		}
	}
	return false
}

func unknown(n *model.Node) *Item {
	way := "export the model without it, or write what it does with other ops"
	switch n.Op {
	case "If", "Loop", "Scan":
		way = "export the model by tracing, so that control flow is unrolled, or simplify it with onnxsim"
	case "LSTM", "GRU", "RNN":
		way = "recurrent networks are outside of what qpipe trains"
	case "NonMaxSuppression", "TopK", "NonZero":
		way = "cut the model before it (onnx.utils.extract_model): it belongs to what is done with the network's output"
	}
	if n.Domain != "" && n.Domain != "com.microsoft" {
		way = fmt.Sprintf("ops of the domain %q are known only to the program that made the file; functions can be inlined with onnx.inliner", n.Domain)
	}
	return &Item{n, "the op is not known here", way}
}

// check compares a node with its row: numbers of inputs and outputs, types of attributes.
func (s step) check() error {
	n, r := s.node, s.row
	if len(n.Inputs) < r.Least || r.Most >= 0 && len(n.Inputs) > r.Most {
		return fmt.Errorf("it has %d inputs; %s", len(n.Inputs), span(r.Least, r.Most))
	}
	if len(n.Outputs) < 1 || r.Outputs >= 0 && len(n.Outputs) > r.Outputs {
		return fmt.Errorf("it has %d outputs; %s", len(n.Outputs), span(1, r.Outputs))
	}
	for i := range r.Least {
		if n.Inputs[i] == "" {
			return fmt.Errorf("input %d is missing", i)
		}
	}
	for _, a := range r.Attrs {
		given := n.Attr(a.Name)
		if given == nil {
			if a.Need {
				return fmt.Errorf("the attribute %q is missing", a.Name)
			}
			continue
		}
		if have, want := fmt.Sprintf("%T", given.Value), fmt.Sprintf("%T", a.Default); have != want {
			return fmt.Errorf("the attribute %q is a %s; it must be a %s", a.Name, have, want)
		}
	}
	return nil
}

func span(least, most int) string {
	switch {
	case most < 0:
		return fmt.Sprintf("it must have at least %d", least)
	case least == most:
		return fmt.Sprintf("it must have %d", least)
	}
	return fmt.Sprintf("it must have %d to %d", least, most)
}
