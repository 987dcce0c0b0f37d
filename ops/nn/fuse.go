package nn

import (
	"fmt"
	"slices"

	"qpipe/ops/convbn"
	"qpipe/ops/quant"
)

// Graph ends the building: out is the network's output (logits). The graph is in form Float,
// structurally fused (conv [+bn] [+add] [+act] is one node that keeps its members' names), without parameters.
func (b *Builder) Graph(out Value) (*Graph, error) {
	if b.err != nil {
		return nil, b.err
	}
	if !out.ok || out.id >= len(b.ops) {
		return nil, &ShapeError{Node: "output", Err: errNoOutput}
	}
	f := fuser{ops: b.ops, out: out.id, users: make([][]int, len(b.ops)), taken: make([]int, len(b.ops))}
	for i, o := range b.ops {
		f.taken[i] = -1
		for _, j := range o.in {
			f.users[j] = append(f.users[j], i)
		}
	}
	for i, o := range b.ops {
		if len(f.users[i]) == 0 && i != out.id {
			return nil, &ShapeError{Node: o.name, Err: fmt.Errorf("nothing reads its output and it is not the network's: leave it out")}
		}
	}
	g := f.graph()
	if err := g.verify(); err != nil {
		return nil, err
	}
	return g, nil
}

// fuser finds the chains conv [+bn] [+add] [+act].
type fuser struct {
	ops   []rawOp
	out   int
	users [][]int // of every op, the ops that read it
	taken []int   // the head of the chain that an op belongs to, -1 for none
}

// only returns the single reader of op i if it is an op of that kind; the
// network's output has a reader outside.
func (f *fuser) only(i int, op string) (int, bool) {
	if i == f.out || len(f.users[i]) != 1 {
		return 0, false
	}
	u := f.users[i][0]
	return u, f.ops[u].op == op
}

// convBN returns the last op of the chain conv [+bn] that starts at i.
func (f *fuser) convBN(i int) int {
	if u, ok := f.only(i, opBN); ok {
		return u
	}
	return i
}

// takesAdd reports whether the chain conv [+bn] that ends at end takes the add
// that reads it: it is the last of the add's operands that could.
func (f *fuser) takesAdd(end int) (add int, ok bool) {
	add, ok = f.only(end, opAdd)
	if !ok {
		return 0, false
	}
	for _, o := range f.ops[add].in {
		if o > end && f.endsConv(o) {
			if u, ok := f.only(o, opAdd); ok && u == add {
				return 0, false
			}
		}
	}
	return add, true
}

// endsConv reports whether op i is a conv, or a BN right behind one.
func (f *fuser) endsConv(i int) bool {
	o := f.ops[i]
	if o.op == opBN {
		i = o.in[0]
		if u, ok := f.only(i, opBN); !ok || f.ops[u].name != o.name {
			return false
		}
		o = f.ops[i]
	}
	return o.op == opConv || o.op == opLinear
}

// graph makes the fused nodes, each in the place of its last member, so that
// all operands come before it.
func (f *fuser) graph() *Graph {
	last := map[int][]int{} // last member → chain
	for i, o := range f.ops {
		if o.op == opConv || o.op == opLinear {
			c := f.chain(i)
			for _, m := range c {
				f.taken[m] = i
			}
			last[c[len(c)-1]] = c
		}
	}
	g, at := &Graph{form: Float}, map[int]int{} // op → node
	for i := range f.ops {
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
	g.out = at[f.out]
	return g
}

func (f *fuser) chain(i int) []int {
	c := []int{i}
	end := f.convBN(i)
	if end != i {
		c = append(c, end)
	}
	if add, ok := f.takesAdd(end); ok {
		c, end = append(c, add), add
	}
	if act, ok := f.only(end, opAct); ok {
		c = append(c, act)
	}
	return c
}

// node makes the node of a chain; at says where the operands' nodes are.
func (f *fuser) node(chain []int, at map[int]int) *node {
	head := f.ops[chain[0]]
	n := &node{op: head.op, name: head.name, shape: head.shape, act: head.act, pool: head.pool}
	for _, i := range head.in {
		n.in = append(n.in, at[i])
	}
	if head.op == opConv || head.op == opLinear {
		n.conv = &convbn.Node{Geom: head.conv, Bias: head.bias}
	}
	n.quant = quant.NewNode(quant.Spec{}, nil)
	for _, i := range chain {
		o := f.ops[i]
		n.members = append(n.members, o.name)
		switch o.op {
		case opBN:
			n.bnName = o.name
			bn := &convbn.BN{C: o.shape.C, Eps: o.eps, Momentum: o.moment}
			if n.conv != nil {
				n.conv.BN = bn
			} else {
				n.bn = bn
			}
		case opAdd:
			if n.conv != nil {
				n.conv.Add = true
				z := slices.IndexFunc(o.in, func(j int) bool { return !slices.Contains(chain, j) })
				n.in = append(n.in, at[o.in[z]])
			}
		case opAct:
			n.act = o.act
			if n.conv != nil {
				n.conv.Act = o.act
			}
		}
	}
	return n
}
