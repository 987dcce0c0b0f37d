package quant

import "math"

// Node is the state of a quant node: how it quantizes, its observer, and the range from the batches observed so far.
// Before the first batch the range is empty. In the int8 form a scale and a zero point take the range's place.
type Node struct {
	Spec     Spec
	Observer Observer
	Min, Max float32

	Held bool    // quantizes with Step and Zero, whatever the range
	Step float32 // the scale
	Zero int32   // in the codes of the type
}

// NewNode returns a node that has observed nothing. A fixed observer gives it a range at once.
func NewNode(s Spec, o Observer) Node {
	n := Node{Spec: s, Observer: o, Min: float32(math.Inf(1)), Max: float32(math.Inf(-1))}
	if o != nil && o.Fixed() {
		n.Min, n.Max = o.Range(nil, 0, 0, s)
	}
	return n
}

// On reports whether the node quantizes: it has a type to quantize to, and a range or a scale.
func (n *Node) On() bool { return n.Spec.Quantized() && (n.Held || n.Ready()) }

// Ready reports whether there is a range (a NaN counts, so that it is noticed).
func (n *Node) Ready() bool { return !math.IsInf(float64(n.Min), 1) || !math.IsInf(float64(n.Max), -1) }

// Observing reports whether a batch would change the range.
func (n *Node) Observing() bool {
	if !n.Spec.Quantized() || n.Observer == nil || n.Observer.Fixed() {
		return false
	}
	return !n.Ready() || n.Observer.Averaging() != 0
}

// NeedsValues reports whether the observer looks at more than the extremes.
func (n *Node) NeedsValues() bool {
	e, ok := n.Observer.(interface{ ExtremesOnly() bool })
	return !ok || !e.ExtremesOnly()
}

// Observe moves the range towards that of the batch x, whose extremes are lo and
// hi (x may be nil unless NeedsValues): m += c·(batch - m); the first batch sets it.
func (n *Node) Observe(x []float32, lo, hi float32) {
	lo, hi = n.Observer.Range(x, lo, hi, n.Spec)
	if !n.Ready() {
		n.Min, n.Max = lo, hi
		return
	}
	c := n.Observer.Averaging()
	if c == 1 {
		n.Min, n.Max = lo, hi
		return
	}
	n.Min += float32(c * (lo - n.Min))
	n.Max += float32(c * (hi - n.Max))
}

// Scale returns the scale and the zero point: those that are held, or those of the range.
func (n *Node) Scale() (float32, int32) {
	if n.Held {
		return n.Step, n.Zero
	}
	return n.Spec.Scale(n.Min, n.Max)
}
