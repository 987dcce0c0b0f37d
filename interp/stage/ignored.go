package stage

import (
	"fmt"
	"slices"

	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/lang/diag"
)

// counted finds out whether a pass over the data has labels that count, for each target whose labels may be [part.Ignored].
type counted struct {
	feed    *feed.Feed
	seen    []bool // for each target, whether a label counts
	partial bool   // the pass did not begin with its first batch
	batches int    // of the pass so far
	warned  bool
}

// newCounted begins with a pass; partial says that its first batches are not seen.
func newCounted(f *feed.Feed, partial bool) *counted {
	return &counted{feed: f, partial: partial, seen: make([]bool, len(f.Spec.Targets))}
}

// add looks at a batch.
func (c *counted) add(b *feed.Batch) {
	c.batches++
	for k, t := range c.feed.Spec.Targets {
		c.seen[k] = c.seen[k] || !t.Ignores || t.Numbers || counts(b.Targets()[k])
	}
}

// counts reports whether one of a target's labels is not Ignored.
func counts(t part.Target) bool {
	return slices.ContainsFunc(t.Labels, func(label int32) bool { return label != part.Ignored })
}

// close ends a pass, called so in the warning, and begins the next one. It warns once.
func (c *counted) close(r *run, pass string) {
	k := slices.Index(c.seen, false)
	whole := !c.partial && c.batches > 0
	clear(c.seen)
	c.partial, c.batches = false, 0
	if k < 0 || !whole || c.warned {
		return
	}
	c.warned = true
	of := ""
	if name := c.feed.Spec.Targets[k].Name; len(c.seen) > 1 {
		of = fmt.Sprintf(" of target %q", name)
	}
	w := Warning{
		Code: diag.AllIgnored, Summary: fmt.Sprintf("every label%s in %s is ignored", of, pass),
		Detail: fmt.Sprintf("A label of %d leaves a pixel or an image out, so that nothing is left to learn from or to measure. Likely causes: the data set takes the numbers of the classes for others, or a crop keeps only what was added around the image.", part.Ignored),
	}
	if len(c.feed.Calls) > 0 {
		w.Address = c.feed.Calls[0].Origin.Address
	}
	r.warn(w)
}

// noneCounts reports whether the data has labels and all those of a batch are Ignored.
func noneCounts(b *feed.Batch) bool {
	targets := slices.DeleteFunc(slices.Clone(b.Targets()), func(t part.Target) bool { return len(t.Labels) == 0 })
	return len(targets) > 0 && !slices.ContainsFunc(targets, counts)
}
