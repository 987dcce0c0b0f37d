// Package verify compares what an int8 model computes with everything else that promises the same integers: the model that was
// trained, every kernel set of the machine with several numbers of threads, and the ONNX files that were written of it, as qpipe reads
// them and as ONNX Runtime does. It compares every integer of every node, and names the first node that differs.
package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"qpipe/lang/diag"
	"qpipe/onnx/model"
	"qpipe/ops/engine"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
)

// Subject is an int8 model, and what is compared with it.
type Subject struct {
	Int8    *nn.Graph
	Trained *nn.Graph // the QAT model that it was made of; nil if that is not known
	From    string    // what that is called
	Files   []File
	None    error // why there is no file
}

// File is an ONNX model.
type File struct {
	Name  string
	Model *model.Model
	// Exact tells that the model consists of integer ops that promise the same integers. Of other models the differences are counted.
	Exact bool
}

// Options say how it is compared.
type Options struct {
	// Each calls do with batches of images, one slice for each input, each with n images (NHWC) and never more than Batch.
	Each    func(do func(x [][]float32, n int) error) error
	Batch   int
	Sets    []*kernel.Set // those of the machine; the last one computes what the others are compared with
	Threads []int
	Python  string          // a Python that has ONNX Runtime, or ""
	Written int             // images that qpipe's evaluator of ONNX computes, which is a definition and slow; 0 for all
	Tick    func(done int)  // called after each batch with the images so far; may be nil
	Context context.Context // ends it
}

// Result is what was found.
type Result struct {
	Images      int           `json:"images"`
	Integers    int64         `json:"integers"` // of all nodes and images
	Nodes       int           `json:"nodes"`    // with integers
	Comparisons []*Comparison `json:"comparisons"`
}

// Equal reports whether every promised equality holds, and everything could be compared that is there.
func (r *Result) Equal() bool {
	for _, c := range r.Comparisons {
		if c.Error != "" || c.Exact && c.Differ+c.OutputsDiffer > 0 {
			return false
		}
	}
	return true
}

// Comparison is what was compared with the int8 model, and how many numbers differ.
type Comparison struct {
	Kind      string `json:"kind"` // "trained", "kernels", "evaluator" or "runtime"
	Name      string `json:"name"` // in words
	File      string `json:"file,omitempty"`
	Kernels   string `json:"kernels,omitempty"`
	Threads   int    `json:"threads,omitempty"`
	Version   string `json:"version,omitempty"`   // of ONNX Runtime
	Optimized bool   `json:"optimized,omitempty"` // its graph
	Exact     bool   `json:"exact"`               // all numbers must be equal

	Images   int   `json:"images"`
	Integers int64 `json:"integers"`
	Differ   int64 `json:"differ"`
	Scales   int   `json:"scales,omitempty"`  // scales and zero points in the file, compared bit by bit
	Weights  int   `json:"weights,omitempty"` // weights in the file, compared code by code

	OutputsDiffer int64        `json:"outputs_differ"`  // float32 values of the network's outputs, of those that must be equal
	Nodes         []*NodeCount `json:"nodes,omitempty"` // those that differ
	First         *First       `json:"first,omitempty"`
	Top1          int          `json:"same_top1"`         // images with the same largest output
	Skipped       string       `json:"skipped,omitempty"` // why nothing was compared
	Error         string       `json:"error,omitempty"`

	missing map[string]bool
}

// NodeCount counts the integers of a node.
type NodeCount struct {
	Node    string `json:"node"`
	Op      string `json:"op"`
	Total   int64  `json:"integers"`
	Differ  int64  `json:"differ"`
	Largest int    `json:"largest"` // difference
}

// First is the first integer that differs, of the first node in the network's order that has one.
type First struct {
	Node     string   `json:"node"`
	Op       string   `json:"op"`
	Image    int      `json:"image"`
	Place    [3]int   `json:"place"` // row, column, channel
	Want     int      `json:"want"`
	Got      int      `json:"got"`
	Operands []string `json:"operands"`
}

func (f *First) String() string {
	return fmt.Sprintf("%s (%s) of image %d at row %d, column %d, channel %d: %d instead of %d", f.Node, f.Op, f.Image, f.Place[0], f.Place[1], f.Place[2], f.Got, f.Want)
}

// other computes what is compared: the codes of nodes as bytes, and the outputs.
type other interface {
	// run computes a batch; codes returns those of node i in the order of the batch's own, nil where there are none.
	run(b *batch) (outputs [][]float32, err error)
	codes(b *batch, i int) []uint8
	close()
}

// batch is a batch of images, and what the int8 model makes of them.
type batch struct {
	x       [][]float32
	n       int
	codes   [][]uint8 // by node, NHWC; nil of nodes without integers of their own
	outputs [][]float32
}

// verification is a verification that is running.
type verification struct {
	Subject
	Options
	nodes  []*layer.Node
	behind []bool // behind a float island: the order of its sums is each kernel set's own
	result *Result
	others map[*Comparison]other
}

// Run compares. The error is that of reading images, of the int8 model itself, or the context's; whatever else fails is in the result.
func Run(s Subject, o Options) (*Result, error) {
	v := &verification{Subject: s, Options: o, result: &Result{}, others: map[*Comparison]other{}}
	v.nodes, _ = s.Int8.Nodes()
	v.behind = make([]bool, len(v.nodes))
	for i, n := range v.nodes {
		v.behind[i] = n.Island
		for _, j := range n.In {
			v.behind[i] = v.behind[i] || v.behind[j]
		}
		if v.integers(i) {
			v.result.Nodes++
		}
	}
	pool := engine.NewWorkers(1)
	defer pool.Close()
	e, err := v.net(s.Int8, v.best(), pool)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, x := range v.others {
			x.close()
		}
	}()
	v.compareAll()
	err = o.Each(func(x [][]float32, n int) error {
		if err := o.Context.Err(); err != nil {
			return err
		}
		b := &batch{x: x, n: n, outputs: e.ForwardAll(x, n, engine.Eval), codes: make([][]uint8, len(v.nodes))}
		for i := range v.nodes {
			if v.integers(i) {
				b.codes[i] = stored(e, v.nodes[i].Name)
				v.result.Integers += int64(len(b.codes[i]))
			}
		}
		for _, c := range v.result.Comparisons {
			x := v.others[c]
			if x == nil || c.Error != "" || c.Kind == "evaluator" && o.Written > 0 && c.Images >= o.Written {
				continue
			}
			v.compare(c, x, b)
		}
		v.result.Images += n
		if o.Tick != nil {
			o.Tick(v.result.Images)
		}
		return nil
	})
	for _, c := range v.result.Comparisons {
		switch n := len(c.missing); {
		case n == 0 || c.Error != "":
		case c.Integers == 0:
			c.Error = "it has the integers of no node: those of NAME are called NAME_quantized in what qpipe exports"
		default:
			c.Error = fmt.Sprintf("it has no integers of %s, such as %s", diag.Count(n, "node"), slices.Min(slices.Collect(maps.Keys(c.missing))))
		}
	}
	return v.result, err
}

// best is the kernel set that the others are compared with.
func (v *verification) best() *kernel.Set { return v.Sets[len(v.Sets)-1] }

// integers reports whether node i has integers of its own to compare: of what is only looked at in another way they are the operand's.
func (v *verification) integers(i int) bool {
	_, coded := v.Int8.Format(i)
	k := v.nodes[i].Kind
	return coded && !k.View && !k.Rests
}

// net compiles a model that keeps the outputs of all nodes.
func (v *verification) net(g *nn.Graph, set *kernel.Set, pool *engine.Workers) (*engine.Net, error) {
	e, err := engine.Compile(g, v.Batch, false, set, pool)
	if err == nil {
		e.Keep()
	}
	return e, err
}

// stored are the codes of a node as bytes.
func stored(e *engine.Net, node string) []uint8 {
	codes, on := e.Codes(node)
	if !on {
		return nil
	}
	list := make([]uint8, len(codes))
	for i, c := range codes {
		list[i] = uint8(int(c) + 128)
	}
	return list
}

// compareAll makes the comparisons.
func (v *verification) compareAll() {
	if v.Trained != nil {
		c := &Comparison{Kind: "trained", Name: fmt.Sprintf("the evaluation of the %s model %s", v.Trained.Form(), v.From), Kernels: v.best().Name, Threads: 1, Exact: true}
		v.add(c, func() (other, error) { return v.engine(v.Trained, v.best(), 1) })
	}
	for _, set := range v.Sets {
		for _, threads := range v.Threads {
			c := &Comparison{Kind: "kernels", Name: fmt.Sprintf("the int8 model with the kernels %s and %s", set.Name, diag.Count(threads, "thread")), Kernels: set.Name, Threads: threads, Exact: true}
			v.add(c, func() (other, error) { return v.engine(v.Int8, set, threads) })
		}
	}
	if v.None != nil {
		v.result.Comparisons = append(v.result.Comparisons, &Comparison{Kind: "evaluator", Name: "a model exported for this", Skipped: line(v.None)})
	}
	for _, f := range v.Files {
		c := &Comparison{Kind: "evaluator", Name: f.Name + " as qpipe computes it", File: f.Name, Exact: f.Exact}
		v.constants(c, f.Model)
		v.add(c, func() (other, error) { return v.evaluator(f.Model) })
		for _, optimized := range []bool{false, true} {
			c := &Comparison{Kind: "runtime", Name: f.Name + " in ONNX Runtime, not optimized", File: f.Name, Optimized: optimized, Exact: f.Exact}
			if optimized {
				c.Name = f.Name + " in ONNX Runtime, optimized"
			}
			v.add(c, func() (other, error) { return v.runtime(f.Model, c) })
		}
	}
}

// add starts a comparison; why it cannot be made is said in it.
func (v *verification) add(c *Comparison, start func() (other, error)) {
	c.missing = map[string]bool{}
	v.result.Comparisons = append(v.result.Comparisons, c)
	x, err := start()
	switch {
	case err == nil:
		v.others[c] = x
	case absent(err):
		c.Skipped = line(err)
	default:
		c.Error = line(err)
	}
}

// line is an error in one line.
func line(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// compare counts what differs in a batch.
func (v *verification) compare(c *Comparison, x other, b *batch) {
	outputs, err := x.run(b)
	if err != nil {
		c.Error = line(err)
		return
	}
	for i, n := range v.nodes {
		if b.codes[i] == nil || v.behind[i] && c.Kernels != v.best().Name {
			continue
		}
		got := x.codes(b, i)
		if len(got) != len(b.codes[i]) {
			c.missing[n.Name] = true
			continue
		}
		v.count(c, i, b, got)
	}
	_, outs := v.Int8.Nodes()
	for k, i := range outs {
		if v.behind[i] && c.Kernels != v.best().Name {
			continue
		}
		for j, y := range outputs[k] {
			if y != b.outputs[k][j] && (y == y || b.outputs[k][j] == b.outputs[k][j]) {
				c.OutputsDiffer++
			}
		}
	}
	y, size := outputs[0], len(outputs[0])/b.n
	for i := range b.n {
		if largest(y[i*size:][:size]) == largest(b.outputs[0][i*size:][:size]) {
			c.Top1++
		}
	}
	for _, seen := range c.Nodes {
		seen.Total = int64(v.nodes[v.Int8.Place(seen.Node)].Shape.WithN(1).Len()) * int64(c.Images+b.n)
	}
	c.Images += b.n
}

// largest is where the largest number is, the first one if there are several.
func largest(y []float32) (at int) {
	for i, v := range y {
		if v > y[at] {
			at = i
		}
	}
	return at
}

// count counts the integers of a node that differ.
func (v *verification) count(c *Comparison, i int, b *batch, got []uint8) {
	n, want := v.nodes[i], b.codes[i]
	c.Integers += int64(len(want))
	var count *NodeCount
	for k := range want {
		if got[k] == want[k] {
			continue
		}
		if count == nil {
			count = c.of(n)
			v.first(c, i, b, k, got[k])
		}
		count.Differ++
		c.Differ++
		d := int(got[k]) - int(want[k])
		count.Largest = max(count.Largest, d, -d)
	}
}

// of is the count of a node.
func (c *Comparison) of(n *layer.Node) *NodeCount {
	for _, seen := range c.Nodes {
		if seen.Node == n.Name {
			return seen
		}
	}
	c.Nodes = append(c.Nodes, &NodeCount{Node: n.Name, Op: n.Kind.Name})
	return c.Nodes[len(c.Nodes)-1]
}

// first keeps the first integer of the first node in order that differs.
func (v *verification) first(c *Comparison, i int, b *batch, at int, got uint8) {
	if c.First != nil && v.Int8.Place(c.First.Node) <= i {
		return
	}
	n := v.nodes[i]
	s := n.Shape
	in := at % (s.H * s.W * s.C)
	c.First = &First{
		Node: n.Name, Op: n.Kind.Name, Image: v.result.Images + at/(s.H*s.W*s.C), Place: [3]int{in / (s.W * s.C), in / s.C % s.W, in % s.C},
		Want: v.plain(i, b.codes[i][at]), Got: v.plain(i, got),
	}
	for _, j := range n.In {
		c.First.Operands = append(c.First.Operands, v.nodes[j].Name)
	}
}

// plain is a code as the node's type has it.
func (v *verification) plain(i int, stored uint8) int {
	for v.nodes[i].Passes() && len(v.nodes[i].In) > 0 {
		i = v.nodes[i].In[0]
	}
	return int(plainCode(v.nodes[i], stored))
}
