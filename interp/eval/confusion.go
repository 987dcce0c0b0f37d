package eval

import (
	"cmp"
	"slices"

	"qpipe/interp/feed"
	"qpipe/interp/part"
)

// Confusion compares the answers of an output with the labels of its target: of images or, for a map, of pixels.
type Confusion struct {
	Target  string      `json:"target,omitempty"` // its name, if there are several
	Map     bool        `json:"map,omitempty"`    // it counts pixels
	Classes []ClassRow  `json:"classes"`
	Matrix  [][]int64   `json:"matrix,omitempty"` // by label and answer; nil if there are more than mostMatrix classes
	Pairs   []WrongPair `json:"pairs,omitempty"`  // the most frequent mistakes
}

// ClassRow is what is counted of a class. A share whose divisor is 0 is nil.
type ClassRow struct {
	Label     int      `json:"label"`
	Name      string   `json:"name,omitempty"`
	Count     int64    `json:"count"`               // how many have the label
	Answers   int64    `json:"answers"`             // how often it is the answer
	Correct   int64    `json:"correct"`             // how often it is both
	Precision *float64 `json:"precision,omitempty"` // Correct / Answers
	Recall    *float64 `json:"recall,omitempty"`    // Correct / Count
	IoU       *float64 `json:"iou,omitempty"`       // of a map: Correct / (Count + Answers - Correct)
}

// WrongPair is a mistake: how many with the label got the answer.
type WrongPair struct {
	Label  int   `json:"label"`
	Answer int   `json:"answer"`
	Count  int64 `json:"count"`
}

// Limits of what is reported: classes of a matrix, and pairs.
const (
	mostMatrix = 100
	mostPairs  = 100
)

// counter counts the labels and answers of one target.
type counter struct {
	part.Match
	spec  part.TargetSpec
	names []string
	pairs map[[2]int32]int64 // by label and answer, where there are too many for dense
	dense []int64
}

// mostDense is the most classes whose pairs have a place each.
const mostDense = 1 << 10

// countersOf returns a counter for each target of labels.
func countersOf(e *evaluation) (list []*counter) {
	for _, m := range part.Matches(e.model.Outputs(), e.feed.Spec.Targets) {
		c := &counter{Match: m, spec: e.feed.Spec.Targets[m.Target]}
		if c.names = c.spec.Names; c.names == nil && m.Target < len(e.snap.Classes) {
			c.names = e.snap.Classes[m.Target]
		}
		if m.Gives < 2 {
			continue
		}
		if m.Gives <= mostDense {
			c.dense = make([]int64, m.Gives*m.Gives)
		} else {
			c.pairs = map[[2]int32]int64{}
		}
		list = append(list, c)
	}
	return list
}

// see counts a batch. Of equal values the first one is the answer, and a NaN is smaller than every other.
func (c *counter) see(b *feed.Batch, y [][]float32) {
	values := y[c.Output]
	for i, label := range b.Targets()[c.Target].Labels {
		if label == part.Ignored {
			continue
		}
		answer := max(largest(values[i*c.Gives:][:c.Gives]), 0)
		if c.dense != nil {
			c.dense[int(label)*c.Gives+int(answer)]++
		} else {
			c.pairs[[2]int32{label, int32(answer)}]++
		}
	}
}

// each calls do for every pair that was counted.
func (c *counter) each(do func(label, answer int, n int64)) {
	for i, n := range c.dense {
		if n > 0 {
			do(i/c.Gives, i%c.Gives, n)
		}
	}
	for p, n := range c.pairs {
		do(int(p[0]), int(p[1]), n)
	}
}

// result returns what was counted. Several says that the target needs its name.
func (c *counter) result(several bool) Confusion {
	r := Confusion{Map: c.spec.Map(), Classes: make([]ClassRow, c.Gives)}
	if several {
		r.Target = c.spec.Name
	}
	if c.dense != nil && c.Gives <= mostMatrix {
		r.Matrix = make([][]int64, c.Gives)
		for i := range r.Matrix {
			r.Matrix[i] = c.dense[i*c.Gives:][:c.Gives]
		}
	}
	for i := range r.Classes {
		if r.Classes[i].Label = i; i < len(c.names) {
			r.Classes[i].Name = c.names[i]
		}
	}
	c.each(func(label, answer int, n int64) {
		r.Classes[label].Count += n
		r.Classes[answer].Answers += n
		if label == answer {
			r.Classes[label].Correct = n
			return
		}
		r.Pairs = append(r.Pairs, WrongPair{label, answer, n})
	})
	slices.SortFunc(r.Pairs, func(a, b WrongPair) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Label, b.Label), cmp.Compare(a.Answer, b.Answer))
	})
	r.Pairs = r.Pairs[:min(len(r.Pairs), mostPairs)]
	for i := range r.Classes {
		k := &r.Classes[i]
		k.Precision, k.Recall = share(k.Correct, k.Answers), share(k.Correct, k.Count)
		if r.Map {
			k.IoU = share(k.Correct, k.Count+k.Answers-k.Correct)
		}
	}
	return r
}

// share is a quotient, nil if there is nothing to divide by.
func share(n, of int64) *float64 {
	if of == 0 {
		return nil
	}
	q := float64(n) / float64(of)
	return &q
}

// confusion returns what all counters have counted.
func (e *evaluation) confusion() (list []Confusion) {
	for _, c := range e.counters {
		list = append(list, c.result(len(e.feed.Spec.Targets) > 1))
	}
	return list
}
