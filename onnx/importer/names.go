package importer

import (
	"fmt"
	"strings"

	"qpipe/onnx/model"
)

// names gives the network's nodes their names. A node with weights is called like them ("layer1.0.conv1" for the weight
// "layer1.0.conv1.weight"), another one like its node ("/layer1/layer1.0/relu/Relu" is "layer1.0.relu"), and one without a name after its
// op. A name that is taken gets a number.
type names struct {
	taken map[string]bool
	of    map[*model.Node]string
}

// weightEnds are how PyTorch's weights end.
func weightEnds() []string { return []string{".weight", ".running_mean", ".bias"} }

func newNames(g *model.Graph, nodes []*model.Node) *names {
	n := &names{taken: map[string]bool{"input": true}, of: map[*model.Node]string{}}
	weight := map[string]bool{}
	for _, t := range g.Initializers {
		weight[t.Name] = true
	}
	for _, node := range nodes {
		n.of[node] = n.unique(n.wanted(node, weight))
	}
	return n
}

// wanted is the name that a node should have.
func (n *names) wanted(node *model.Node, weight map[string]bool) string {
	for _, in := range node.Inputs {
		for _, end := range weightEnds() {
			if name, ok := strings.CutSuffix(in, end); ok && weight[in] && name != "" && !strings.Contains(name, "::") {
				return n.plain(name)
			}
		}
	}
	if node.Name != "" {
		return n.path(node.Name, node.Op)
	}
	return n.plain(strings.ToLower(node.Op))
}

// path is the name of a node whose exporter writes modules as a path: each is named with those around it, and the op is last.
func (n *names) path(name, op string) string {
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
	return n.plain(strings.Join(out, "."))
}

// plain is a text with nothing that a node's name must not have.
func (n *names) plain(s string) string {
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

// unique is a name that no other node has.
func (n *names) unique(name string) string {
	at := name
	for i := 2; n.taken[at]; i++ {
		at = fmt.Sprintf("%s_%d", name, i)
	}
	n.taken[at] = true
	return at
}
