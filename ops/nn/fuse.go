package nn

import (
	"fmt"
	"slices"

	"qpipe/ops/convbn"
	"qpipe/ops/layer"
	"qpipe/ops/quant"
)

// Graph ends the building: outs are the network's outputs (logits). The graph is in form Float,
// structurally fused (conv [+bn] [+add] [+act] is one node that keeps its members' names), without parameters.
func (b *Builder) Graph(outs ...Value) (*Graph, error) {
	if b.err != nil {
		return nil, b.err
	}
	if b.wrong {
		return nil, errWrong
	}
	f := fuser{nodes: b.nodes, users: make([][]int, len(b.nodes)), taken: make([]int, len(b.nodes))}
	for _, out := range outs {
		if !out.ok || out.id >= len(b.nodes) {
			return nil, &ShapeError{Node: "output", Err: errNoOutput}
		}
		f.outs = append(f.outs, out.id)
	}
	for i, o := range b.nodes {
		f.taken[i] = -1
		for _, j := range o.In {
			f.users[j] = append(f.users[j], i)
		}
	}
	for i, o := range b.nodes {
		if len(f.users[i]) == 0 && !slices.Contains(f.outs, i) {
			return nil, &ShapeError{Node: o.Name, Err: fmt.Errorf("nothing reads its output and it is not the network's: leave it out")}
		}
	}
	g := f.graph()
	g.written = f.apart()
	if err := g.verify(); err != nil {
		return nil, err
	}
	return g, nil
}

// fuser finds the chains conv [+bn] [+add] [+act].
type fuser struct {
	nodes []*layer.Node
	outs  []int
	users [][]int // of every node, the nodes that read it
	taken []int   // the head of the chain that a node belongs to, -1 for none
}

// only returns the single reader of node i if it has that role; a
// network's output has a reader outside.
func (f *fuser) only(i int, r layer.Role) (int, bool) {
	if slices.Contains(f.outs, i) || len(f.users[i]) != 1 {
		return 0, false
	}
	u := f.users[i][0]
	return u, f.nodes[u].Kind.Role == r
}

// normed returns the last node of the chain conv [+bn] that starts at i.
func (f *fuser) normed(i int) int {
	if u, ok := f.only(i, layer.Norm); ok {
		return u
	}
	return i
}

// takesSum reports whether the chain conv [+bn] that ends at end takes the add
// that reads it: it is the last of the add's operands that could.
func (f *fuser) takesSum(end int) (add int, ok bool) {
	add, ok = f.only(end, layer.Sum)
	if !ok || f.repeats(add) {
		return 0, false
	}
	for _, o := range f.nodes[add].In {
		if o > end && f.endsHead(o) {
			if u, ok := f.only(o, layer.Sum); ok && u == add {
				return 0, false
			}
		}
	}
	return add, true
}

// repeats reports whether node i has an operand of another shape than its own.
func (f *fuser) repeats(i int) bool {
	return slices.ContainsFunc(f.nodes[i].In, func(j int) bool { return f.nodes[j].Shape != f.nodes[i].Shape })
}

// endsHead reports whether node i is a conv, or a BN right behind one.
func (f *fuser) endsHead(i int) bool {
	if f.nodes[i].Kind.Role == layer.Norm {
		norm := i
		i = f.nodes[i].In[0]
		if u, ok := f.only(i, layer.Norm); !ok || u != norm {
			return false
		}
	}
	return f.nodes[i].Kind.Role == layer.Head
}

// graph makes the fused nodes, each in the place of its last member, so that
// all operands come before it.
func (f *fuser) graph() *Graph {
	last := map[int][]int{} // last member → chain
	for i, o := range f.nodes {
		if o.Kind.Role == layer.Head {
			c := f.chain(i)
			for _, m := range c {
				f.taken[m] = i
			}
			last[c[len(c)-1]] = c
		}
	}
	g, at := &Graph{form: Float}, map[int]int{} // as it was written → fused
	for i := range f.nodes {
		c := last[i]
		if c == nil && f.taken[i] < 0 {
			c = []int{i}
		}
		if c == nil {
			continue
		}
		at[i] = len(g.nodes)
		g.nodes = append(g.nodes, f.node(c, at))
	}
	for _, out := range f.outs {
		g.outs = append(g.outs, at[out])
	}
	return g
}

func (f *fuser) chain(i int) []int {
	c := []int{i}
	end := f.normed(i)
	if end != i {
		c = append(c, end)
	}
	if add, ok := f.takesSum(end); ok {
		c, end = append(c, add), add
	}
	if act, ok := f.only(end, layer.Clamp); ok {
		c = append(c, act)
	}
	return c
}

// node makes the node of a chain; at says where the operands' nodes are.
func (f *fuser) node(chain []int, at map[int]int) *node {
	n := &node{Node: f.nodes[chain[0]].Clone()}
	for k, i := range n.In {
		n.In[k] = at[i]
	}
	n.Quant = quant.NewNode(quant.Spec{}, nil)
	n.members = []string{n.Name}
	for _, i := range chain[1:] {
		f.take(n, f.nodes[i], chain, at)
	}
	return n
}

// take makes o a part of n, a convolution in front of it.
func (f *fuser) take(n *node, o *layer.Node, chain []int, at map[int]int) {
	c := conv(n)
	n.members = append(n.members, o.Name)
	switch o.Kind.Role {
	case layer.Norm:
		c.BN = convbn.BNOf(o).Clone()
	case layer.Sum:
		c.Add = true
		z := slices.IndexFunc(o.In, func(j int) bool { return !slices.Contains(chain, j) })
		n.In = append(n.In, at[o.In[z]])
	case layer.Clamp:
		n.Act, c.Act = o.Act, o.Act
	}
}
