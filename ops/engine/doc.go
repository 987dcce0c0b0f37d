// Package engine runs networks. It walks the rows of package layer's table and knows no op.
//
// # A plan
//
// Compile makes a cell of every node, finds out from when to when each of its buffers is needed, and lays all
// buffers out in one piece of memory for each element type (plan.go). Time is counted in nodes: node i is computed at time i, and in training its
// backward pass is at time 2n+1-i. Two buffers whose times do not meet share memory; the largest are placed first, each as
// low as it can be. A view (flatten) shares its operand's buffer. What all nodes share while they run, one after another, is as large as the
// largest need (rooms). Need follows the same plan without making anything: it is what qpipe plan prints.
//
// A net looks at the graph's version before a pass. Where a BN was absorbed, or parameters were replaced, it
// plans again; otherwise a pass allocates nothing.
//
// # A pass
//
// Forward runs the cells in order. In the float, calibration and QAT form a cell's runner computes its output (layer.Runner) and says what it
// has become: codes or values. In the int8 form (integer.go) the cell is cut into pieces for the available workers,
// unless it is a float island, which has a runner there, too.
// Backward runs the runners in reverse. Bench.Gradient tells each where a gradient goes: it is written there by the first reader and
// added to by the others.
//
// # Workers and determinism
//
// Workers run numbered tasks; which of them runs which does not matter. Where results of tasks are added up, tasks are cut by the shape alone, and
// their results are added in order. Integers may be cut by the number of workers, because their sums do not depend on the order.
package engine
