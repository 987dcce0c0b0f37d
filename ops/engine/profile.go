package engine

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
	forward, backward []int64
}

// Profile makes every Forward and Backward from now on add up what each node
// takes, by a clock in nanoseconds; a nil clock ends it.
func (e *Net) Profile(clock func() int64) {
	e.times = nil
	if clock != nil {
		e.times = &profile{clock, make([]int64, len(e.cells)), make([]int64, len(e.cells))}
	}
}

// Times returns the nodes' costs in topological order, nil without Profile.
func (e *Net) Times() []NodeTime {
	if e.times == nil {
		return nil
	}
	list := make([]NodeTime, len(e.cells))
	for i, c := range e.cells {
		list[i] = NodeTime{c.Name, c.Kind.Name, c.Label(), c.MACs(), e.times.forward[i], e.times.backward[i]}
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

// ranForward and ranBackward count the time since from for the node at a place.
func (p *profile) ranForward(place int, from int64) {
	if p != nil {
		p.forward[place] += p.clock() - from
	}
}

func (p *profile) ranBackward(place int, from int64) {
	if p != nil {
		p.backward[place] += p.clock() - from
	}
}
