// Package naming gives the nodes of an ONNX graph names that a person would choose.
package naming

import (
	"fmt"
	"strings"

	"qpipe/onnx/model"
)

// Names gives the network's nodes their names. A node with weights is called like them ("layer1.0.conv1" for the weight
// "layer1.0.conv1.weight"), another one like its node ("/layer1/layer1.0/relu/Relu" is "layer1.0.relu"), and one without a name after its
// op. A name that is taken gets a number.
type Names struct {
	taken map[string]int // the number that the next one with this name gets
	of    map[*model.Node]string
}

// weightEnds are how PyTorch's weights end, and what becomes of them where ONNX Runtime has quantized them.
func weightEnds() []string {
	return []string{".weight", ".running_mean", ".bias", ".weight_quantized", ".weight_DequantizeLinear_Output", ".bias_quantized"}
}

// New gives the nodes their names.
func New(g *model.Graph, nodes []*model.Node) *Names {
	n := &Names{taken: map[string]int{"input": 2}, of: map[*model.Node]string{}}
	weight := map[string]bool{}
	for _, t := range g.Initializers {
		weight[t.Name] = true
	}
	for _, node := range nodes {
		if constantCodes(node, weight) {
			weight[node.Outputs[0]] = true
		}
	}
	for _, first := range []bool{true, false} { // those with weights choose first
		for _, node := range nodes {
			if name := n.ofWeights(node, weight); first && name != "" {
				n.of[node] = n.Unique(name)
			} else if !first && name == "" {
				n.of[node] = n.Unique(n.ofNode(node))
			}
		}
	}
	return n
}

// constantCodes reports whether a node makes the values of a quantized weight.
func constantCodes(n *model.Node, weight map[string]bool) bool {
	return n.Op == "DequantizeLinear" && len(n.Inputs) > 0 && len(n.Outputs) > 0 && weight[n.Inputs[0]]
}

// Of is the name of a node.
func (n *Names) Of(node *model.Node) string { return n.of[node] }

// ofWeights is the name that a node's weights give it, "" if they give none.
func (n *Names) ofWeights(node *model.Node, weight map[string]bool) string {
	if constantCodes(node, weight) {
		return ""
	}
	for _, in := range node.Inputs {
		for _, end := range weightEnds() {
			if name, ok := strings.CutSuffix(in, end); ok && weight[in] && name != "" && !strings.Contains(name, "::") {
				return n.Plain(name)
			}
		}
	}
	return ""
}

// ofNode is the name that a node has otherwise.
func (n *Names) ofNode(node *model.Node) string {
	if node.Name != "" {
		return n.path(node.Name, node.Op)
	}
	return n.Plain(strings.ToLower(node.Op))
}

// path is the name of a node whose exporter writes modules as a path: each is named with those around it, and the op is last.
func (n *Names) path(name, op string) string {
	if of, ok := strings.CutPrefix(op, "Q"); ok { // ONNX Runtime names an op on codes after the one on values
		if plain, ok := strings.CutSuffix(name, "_quant"); ok {
			name, op = plain, strings.TrimPrefix(of, "Linear")
		}
	}
	parts := strings.Split(strings.Trim(name, "/"), "/")
	last := len(parts) - 1
	if rest, ok := strings.CutPrefix(parts[last], op); ok && last > 0 && (rest == "" || rest[0] == '_') {
		parts = parts[:last]
	}
	var out []string
	for i, p := range parts {
		if i > 0 {
			p = strings.TrimPrefix(p, parts[i-1]+".")
		}
		out = append(out, p)
	}
	return n.Plain(strings.Join(out, "."))
}

// Plain is a text with nothing that a node's name must not have.
func (n *Names) Plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		case r == '/' || r == ':':
			return '.'
		}
		return '_'
	}, s)
	for strings.Contains(s, "..") {
		s = strings.ReplaceAll(s, "..", ".")
	}
	if s = strings.Trim(s, "."); s == "" {
		return "node"
	}
	if len(s) > mostName {
		s = s[:mostName]
	}
	return s
}

// mostName is the longest name, in bytes.
const mostName = 200

// Unique is a name that no other node has.
func (n *Names) Unique(name string) string {
	at := name
	for n.taken[at] > 0 {
		at = fmt.Sprintf("%s_%d", name, n.taken[name])
		n.taken[name]++
	}
	n.taken[at] = 2
	return at
}
