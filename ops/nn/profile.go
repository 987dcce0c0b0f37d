package nn

import "fmt"

// NodeTime is what a node has cost since Profile was called. Kind is its op, of a
// convolution with its window: "conv 3×3", "depthwise 3×3 /2", "conv 1×1". MACs
// are the multiply-accumulates of its products for one image, forward; times are
// nanoseconds, added up over all calls.
type NodeTime struct {
	Name, Op, Kind    string
	MACs              int64
	Forward, Backward int64
}

// profile counts nanoseconds a node; a nil profile counts nothing.
type profile struct {
	clock             func() int64
	forward, backward map[*node]int64
}

// Profile makes every Forward and Backward from now on add up what each node
// takes, by a clock in nanoseconds; a nil clock ends it.
func (e *Net) Profile(clock func() int64) {
	e.times = nil
	if clock != nil {
		e.times = &profile{clock, map[*node]int64{}, map[*node]int64{}}
	}
}

// Times returns the nodes' costs in topological order, nil without Profile.
func (e *Net) Times() []NodeTime {
	if e.times == nil {
		return nil
	}
	list := make([]NodeTime, len(e.g.nodes))
	for i, n := range e.g.nodes {
		list[i] = NodeTime{n.name, n.op, n.kind(), n.macs(), e.times.forward[n], e.times.backward[n]}
	}
	return list
}

// now is the clock's time, 0 where nothing is counted.
func (p *profile) now() int64 {
	if p == nil {
		return 0
	}
	return p.clock()
}

// ranForward and ranBackward count the time since from for a node.
func (p *profile) ranForward(n *node, from int64) {
	if p != nil {
		p.forward[n] += p.clock() - from
	}
}

func (p *profile) ranBackward(n *node, from int64) {
	if p != nil {
		p.backward[n] += p.clock() - from
	}
}

// kind is the node's op with what tells convolutions apart.
func (n *node) kind() string {
	if n.op != opConv {
		return n.op
	}
	c, kind := &n.conv.Geom, opConv
	switch {
	case c.Groups > 1 && c.Groups == c.C:
		kind = "depthwise"
	case c.Groups > 1:
		kind = "grouped conv"
	}
	kind = fmt.Sprintf("%s %d×%d", kind, c.KH, c.KW)
	if c.StrideH != 1 || c.StrideW != 1 {
		kind += fmt.Sprintf(" /%d", c.StrideH)
	}
	return kind
}
