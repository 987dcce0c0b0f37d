package nn

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// structureVersion is that of the JSON below.
const structureVersion = 1

type graphJSON struct {
	Version  int        `json:"version"`
	Form     Form       `json:"form"`
	Mode     Mode       `json:"qat_mode,omitempty"`
	Output   string     `json:"output"`
	Absorbed []Absorbed `json:"absorbed,omitempty"`
	Nodes    []nodeJSON `json:"nodes"`
}

type nodeJSON struct {
	Name       string       `json:"name"`
	Op         string       `json:"op"`
	Members    []string     `json:"members,omitempty"`
	Inputs     []string     `json:"inputs,omitempty"`
	Out        tensor.Shape `json:"out"`
	Act        kernel.Act   `json:"act,omitempty"`
	Conv       *convJSON    `json:"conv,omitempty"`
	BN         *bnJSON      `json:"bn,omitempty"`
	Pool       *kernel.Pool `json:"pool,omitempty"`
	Activation *quant.Spec  `json:"activation,omitempty"`
}

type convJSON struct {
	kernel.Conv
	Add    bool        `json:",omitempty"`
	Bias   bool        `json:",omitempty"`
	Frozen bool        `json:",omitempty"`
	Weight *quant.Spec `json:",omitempty"`
}

type bnJSON struct {
	Name     string  `json:"name"`
	Eps      float64 `json:"eps"`
	Momentum float64 `json:"momentum"`
	Frozen   bool    `json:"frozen,omitempty"`
}

// Structure is the graph without its numbers as JSON, enough for Restore to make it again (a checkpoint or an int8 model
// carries it). Observers are not in it: a restored graph evaluates, but observes nothing new.
func (g *Graph) Structure() []byte {
	j := graphJSON{Version: structureVersion, Form: g.form, Mode: g.mode, Output: g.nodes[g.out].name, Absorbed: g.absorbed}
	for _, n := range g.nodes {
		j.Nodes = append(j.Nodes, g.nodeJSON(n))
	}
	b, err := json.Marshal(j)
	if err != nil {
		panic("nn: the structure is not JSON: " + err.Error()) // numbers and strings only
	}
	return b
}

func (g *Graph) nodeJSON(n *node) nodeJSON {
	j := nodeJSON{Name: n.name, Op: n.op, Members: n.members, Out: n.shape, Act: n.act}
	for _, i := range n.in {
		j.Inputs = append(j.Inputs, g.nodes[i].name)
	}
	if n.pool.KH > 0 {
		j.Pool = &n.pool
	}
	if n.quant.Spec.Quantized() {
		j.Activation = &n.quant.Spec
	}
	if b := n.bnOf(); b != nil {
		j.BN = &bnJSON{n.bnName, b.Eps, b.Momentum, b.Frozen}
	}
	if c := n.conv; c != nil {
		j.Conv = &convJSON{Conv: c.Geom, Add: c.Add, Bias: c.Bias, Frozen: c.Frozen}
		if c.Weight.Quantized() {
			j.Conv.Weight = &c.Weight
		}
	}
	return j
}

// Restore makes the graph that a Structure describes, without parameters.
func Restore(structure []byte) (*Graph, error) {
	var j graphJSON
	if err := json.Unmarshal(structure, &j); err != nil {
		return nil, fmt.Errorf("the model's structure cannot be read: %w", err)
	}
	if j.Version != structureVersion {
		return nil, fmt.Errorf("the model's structure has version %d, and this program reads version %d", j.Version, structureVersion)
	}
	g := &Graph{form: j.Form, mode: j.Mode, absorbed: j.Absorbed, configured: j.Form != Float}
	at := map[string]int{}
	for _, n := range j.Nodes {
		if err := g.restoreNode(n, at); err != nil {
			return nil, fmt.Errorf("the model's structure is damaged: node %q: %w", n.Name, err)
		}
	}
	out, ok := at[j.Output]
	if !ok {
		return nil, fmt.Errorf("the model's structure is damaged: there is no output node %q", j.Output)
	}
	g.out = out
	if err := g.verify(); err != nil {
		return nil, fmt.Errorf("the model's structure is damaged: %w", err)
	}
	return g, nil
}

func (g *Graph) restoreNode(j nodeJSON, at map[string]int) error {
	n := &node{op: j.Op, name: j.Name, members: j.Members, shape: j.Out, act: j.Act}
	if err := j.check(); err != nil {
		return err
	}
	for _, in := range j.Inputs {
		i, ok := at[in]
		if !ok {
			return fmt.Errorf("its operand %q does not come before it", in)
		}
		n.in = append(n.in, i)
	}
	var s quant.Spec
	if j.Activation != nil {
		s = *j.Activation
	}
	n.quant = quant.NewNode(s, nil)
	n.qcfg.Activation.Spec = s
	if j.Pool != nil {
		n.pool = *j.Pool
	}
	if j.BN != nil {
		n.bnName = j.BN.Name
		n.bn = &convbn.BN{C: j.Out.C, Eps: j.BN.Eps, Momentum: j.BN.Momentum, Frozen: j.BN.Frozen}
	}
	if j.Conv != nil {
		n.conv, n.bn = j.Conv.node(n.bn, j.Act), nil
		n.conv.Mode, _ = convMode(g.mode)
		n.qcfg.Weight.Spec = n.conv.Weight
	}
	if g.form == Quantized {
		n.allocInt8()
	}
	at[n.name] = len(g.nodes)
	g.nodes = append(g.nodes, n)
	return nil
}

func (j *convJSON) node(bn *convbn.BN, act kernel.Act) *convbn.Node {
	c := &convbn.Node{Geom: j.Conv, Act: act, Add: j.Add, Bias: j.Bias, BN: bn, Frozen: j.Frozen}
	if j.Weight != nil {
		c.Weight = *j.Weight
	}
	return c
}

// maxExtent bounds every extent in a restored structure, so that no product of
// them overflows and no damaged file asks for absurd memory by itself.
const maxExtent = 1 << 20

// check refuses extents that no builder would have let through.
func (j *nodeJSON) check() error {
	ops := []string{opInput, opConv, opLinear, opBN, opAdd, opConcat, opMaxPool, opAvgPool, opGlobalAvgPool, opFlatten, opAct}
	pos := []int{j.Out.H, j.Out.W, j.Out.C}
	nonneg := []int{}
	volume := []int{j.Out.H, j.Out.W, j.Out.C}
	if c := j.Conv; c != nil {
		pos = append(pos, c.H, c.W, c.C, c.OutC, c.OH, c.OW, c.KH, c.KW, c.StrideH, c.StrideW, c.DilationH, c.DilationW, c.Groups)
		nonneg = append(nonneg, c.PadTop, c.PadLeft)
		volume = append([]int{c.OutC, c.KH, c.KW}, c.C)
		if c.Groups > 0 && (c.C%c.Groups != 0 || c.OutC%c.Groups != 0) {
			return fmt.Errorf("%d groups do not divide its channels", c.Groups)
		}
	}
	if p := j.Pool; p != nil {
		pos = append(pos, p.H, p.W, p.C, p.OH, p.OW, p.KH, p.KW, p.StrideH, p.StrideW)
		nonneg = append(nonneg, p.PadTop, p.PadLeft)
	}
	pooled := j.Op == opMaxPool || j.Op == opAvgPool || j.Op == opGlobalAvgPool
	bad := func(least int) func(int) bool { return func(v int) bool { return v < least || v > maxExtent } }
	size := 1.0
	for _, v := range volume {
		size *= float64(v)
	}
	switch {
	case !slices.Contains(ops, j.Op):
		return fmt.Errorf("there is no op %q", j.Op)
	case slices.ContainsFunc(pos, bad(1)) || slices.ContainsFunc(nonneg, bad(0)) || j.Out.N != 0:
		return fmt.Errorf("an extent is outside 1…%d", maxExtent)
	case size > math.MaxInt32:
		return fmt.Errorf("it has more than 2^31 elements")
	case j.Act > kernel.ReLU6 || pooled != (j.Pool != nil) || (j.Op == opBN) != (j.BN != nil && j.Conv == nil):
		return fmt.Errorf("its parts do not fit together")
	case len(j.Members) == 0 || j.Members[0] != j.Name:
		return fmt.Errorf("its first member is not itself")
	}
	for _, s := range []*quant.Spec{j.Activation, j.weight()} {
		if s != nil && (s.DType > quant.UInt8 || s.Scheme > quant.Affine || s.Rule > quant.HalfRange || s.Rounding > quant.HalfUp) {
			return fmt.Errorf("its quantization is unknown")
		}
	}
	return nil
}

func (j *nodeJSON) weight() *quant.Spec {
	if j.Conv == nil {
		return nil
	}
	return j.Conv.Weight
}
