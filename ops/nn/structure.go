package nn

import (
	"encoding/json"
	"fmt"
	"slices"

	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// structureVersion is that of the JSON below, which docs/format.md describes field by field.
const structureVersion = 2

type graphJSON struct {
	Version  int        `json:"version"`
	Form     Form       `json:"form"`
	Mode     Mode       `json:"qat_mode,omitempty"`
	Output   string     `json:"output"`
	Absorbed []Absorbed `json:"absorbed,omitempty"`
	Nodes    []nodeJSON `json:"nodes"`
}

type nodeJSON struct {
	Name    string      `json:"name"`
	Op      string      `json:"op"`
	Members []string    `json:"members"`
	Inputs  []string    `json:"inputs,omitempty"`
	Shape   shapeJSON   `json:"shape"`
	Act     string      `json:"act,omitempty"`
	Conv    *convJSON   `json:"conv,omitempty"`
	BN      *bnJSON     `json:"bn,omitempty"`
	Pool    *poolJSON   `json:"pool,omitempty"`
	Quant   *quant.Spec `json:"act_quant,omitempty"`
}

type shapeJSON struct {
	Height   int `json:"height"`
	Width    int `json:"width"`
	Channels int `json:"channels"`
}

// windowJSON is how a kernel or a pooling window lies on its input, in ONNX's
// words: height first, and of the padding top, left, bottom, right.
type windowJSON struct {
	Input  shapeJSON `json:"input"`
	Kernel [2]int    `json:"kernel_shape"`
	Stride [2]int    `json:"strides"`
	Pads   [4]int    `json:"pads"`
}

type convJSON struct {
	windowJSON
	Dilation [2]int      `json:"dilations"`
	Group    int         `json:"group"`
	Bias     bool        `json:"bias,omitempty"`
	Add      bool        `json:"add,omitempty"`
	Frozen   bool        `json:"frozen_weight_scale,omitempty"`
	Weight   *quant.Spec `json:"weight_quant,omitempty"`
}

type poolJSON struct {
	windowJSON
	CountPad bool `json:"count_include_pad,omitempty"`
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
	j := nodeJSON{Name: n.name, Op: n.op, Members: n.members, Shape: shapeOf(n.shape)}
	if n.act != kernel.None {
		j.Act = n.act.String()
	}
	for _, i := range n.in {
		j.Inputs = append(j.Inputs, g.nodes[i].name)
	}
	if n.pool.KH > 0 {
		j.Pool = poolOf(&n.pool)
	}
	if n.quant.Spec.Quantized() {
		j.Quant = &n.quant.Spec
	}
	if b := n.bnOf(); b != nil {
		j.BN = &bnJSON{n.bnName, b.Eps, b.Momentum, b.Frozen}
	}
	if c := n.conv; c != nil {
		j.Conv = convOf(c)
	}
	return j
}

func shapeOf(s tensor.Shape) shapeJSON { return shapeJSON{s.H, s.W, s.C} }

func (s shapeJSON) shape() tensor.Shape { return tensor.Shape{H: s.Height, W: s.Width, C: s.Channels} }

// behind is how much padding the output reads beyond the far edge of the input.
func behind(in, out, kernel, stride, dilation, before int) int {
	return max((out-1)*stride+(kernel-1)*dilation+1-before-in, 0)
}

func convOf(c *convbn.Node) *convJSON {
	p := &c.Geom
	j := &convJSON{Dilation: [2]int{p.DilationH, p.DilationW}, Group: p.Groups, Bias: c.Bias, Add: c.Add, Frozen: c.Frozen}
	j.windowJSON = windowJSON{
		Input: shapeJSON{p.H, p.W, p.C}, Kernel: [2]int{p.KH, p.KW}, Stride: [2]int{p.StrideH, p.StrideW},
		Pads: [4]int{
			p.PadTop, p.PadLeft,
			behind(p.H, p.OH, p.KH, p.StrideH, p.DilationH, p.PadTop), behind(p.W, p.OW, p.KW, p.StrideW, p.DilationW, p.PadLeft),
		},
	}
	if c.Weight.Quantized() {
		j.Weight = &c.Weight
	}
	return j
}

func poolOf(p *kernel.Pool) *poolJSON {
	j := &poolJSON{CountPad: p.CountPad}
	j.windowJSON = windowJSON{
		Input: shapeJSON{p.H, p.W, p.C}, Kernel: [2]int{p.KH, p.KW}, Stride: [2]int{p.StrideH, p.StrideW},
		Pads: [4]int{
			p.PadTop, p.PadLeft,
			behind(p.H, p.OH, p.KH, p.StrideH, 1, p.PadTop), behind(p.W, p.OW, p.KW, p.StrideW, 1, p.PadLeft),
		},
	}
	return j
}

// geom is the geometry for an output of the shape out.
func (j *convJSON) geom(out shapeJSON) kernel.Conv {
	return kernel.Conv{
		H: j.Input.Height, W: j.Input.Width, C: j.Input.Channels, OutC: out.Channels, OH: out.Height, OW: out.Width,
		KH: j.Kernel[0], KW: j.Kernel[1], StrideH: j.Stride[0], StrideW: j.Stride[1], PadTop: j.Pads[0], PadLeft: j.Pads[1],
		DilationH: j.Dilation[0], DilationW: j.Dilation[1], Groups: j.Group,
	}
}

func (j *poolJSON) geom(out shapeJSON) kernel.Pool {
	return kernel.Pool{
		H: j.Input.Height, W: j.Input.Width, C: j.Input.Channels, OH: out.Height, OW: out.Width,
		KH: j.Kernel[0], KW: j.Kernel[1], StrideH: j.Stride[0], StrideW: j.Stride[1], PadTop: j.Pads[0], PadLeft: j.Pads[1],
		CountPad: j.CountPad,
	}
}

// Restore makes the graph that a Structure describes, without parameters. It also
// reads the version before.
func Restore(structure []byte) (*Graph, error) {
	j, err := decodeStructure(structure)
	if err != nil {
		return nil, err
	}
	if err := j.count(); err != nil {
		return nil, fmt.Errorf("the model's structure is damaged: %w", err)
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
	err = g.verify()
	if err == nil {
		err = g.verifyQuants()
	}
	if err != nil {
		return nil, fmt.Errorf("the model's structure is damaged: %w", err)
	}
	return g, nil
}

// verifyQuants refuses what a graph of its form cannot have, so that one from a file
// computes as one that was made here.
func (g *Graph) verifyQuants() error {
	_, known := convMode(g.mode)
	if !slices.Contains([]Form{Float, Calibration, QAT, Quantized}, g.form) || !known && (g.form != Float || g.mode != "") {
		return fmt.Errorf("there is no form %q with the qat_mode %q", g.form, g.mode)
	}
	users := g.consumers()
	for i, n := range g.nodes {
		q := Quant{n.quant.Spec, unknownObserver{}}
		errs := append(checkActivation(n, q), checkWeight(n, n.qcfg.Weight)...)
		switch {
		case len(errs) > 0:
			return errs[0]
		case n.quant.Spec.Quantized() && !n.hasQuant():
			return fmt.Errorf("%s: its output cannot be quantized by itself", n.name)
		case g.form == Float && (n.quant.Spec.Quantized() || n.conv != nil && n.conv.Weight.Quantized()):
			return fmt.Errorf("%s: it is quantized in a float model", n.name)
		}
		if g.form != Quantized {
			continue
		}
		if e := g.unconvertible(i, n, users); e != nil {
			return *e
		}
	}
	return nil
}

// unknownObserver stands for the one that a file does not tell of.
type unknownObserver struct{ quant.Observer }

// Later says of a structure that a later program wrote it; nil for one of any other
// kind, readable or not.
func Later(structure []byte) error {
	var head struct {
		Version int `json:"version"`
	}
	if json.Unmarshal(structure, &head) != nil || head.Version <= structureVersion {
		return nil
	}
	return errVersion(head.Version)
}

func errVersion(v int) error {
	return fmt.Errorf("the model's structure has version %d, and this program reads versions 1 to %d", v, structureVersion)
}

// What a structure may have of nodes, and of operands and members in all. Real networks
// have some hundred; planning grows faster than they do.
const (
	maxNodes = 4096
	maxParts = 4 * maxNodes
)

func (j *graphJSON) count() error {
	parts := len(j.Absorbed)
	for _, n := range j.Nodes {
		parts += max(len(n.Inputs), len(n.Members))
	}
	switch {
	case len(j.Nodes) > maxNodes:
		return fmt.Errorf("it has %d nodes, more than the %d that are accepted", len(j.Nodes), maxNodes)
	case parts > maxParts:
		return fmt.Errorf("its nodes have %d operands and members, more than the %d that are accepted", parts, maxParts)
	}
	return nil
}

func decodeStructure(structure []byte) (j graphJSON, err error) {
	var head struct {
		Version int `json:"version"`
	}
	if err = json.Unmarshal(structure, &head); err == nil {
		switch head.Version {
		case 1:
			j, err = decodeStructure1(structure)
		case structureVersion:
			err = json.Unmarshal(structure, &j)
		default:
			return j, errVersion(head.Version)
		}
	}
	if err != nil {
		return j, fmt.Errorf("the model's structure cannot be read: %w", err)
	}
	return j, nil
}

func (g *Graph) restoreNode(j nodeJSON, at map[string]int) error {
	n := &node{op: j.Op, name: j.Name, members: j.Members, shape: j.Shape.shape()}
	if err := j.check(); err != nil {
		return err
	}
	n.act, _ = actNamed(j.Act)
	for _, in := range j.Inputs {
		i, ok := at[in]
		if !ok {
			return fmt.Errorf("its operand %q does not come before it", in)
		}
		n.in = append(n.in, i)
	}
	var s quant.Spec
	if j.Quant != nil {
		s = *j.Quant
	}
	n.quant = quant.NewNode(s, nil)
	n.qcfg.Activation.Spec = s
	if j.Pool != nil {
		n.pool = j.Pool.geom(j.Shape)
	}
	if j.BN != nil {
		n.bnName = j.BN.Name
		n.bn = &convbn.BN{C: n.shape.C, Eps: j.BN.Eps, Momentum: j.BN.Momentum, Frozen: j.BN.Frozen}
	}
	if c := j.Conv; c != nil {
		n.conv = &convbn.Node{Geom: c.geom(j.Shape), Act: n.act, Add: c.Add, Bias: c.Bias, BN: n.bn, Frozen: c.Frozen}
		n.bn = nil
		if c.Weight != nil {
			n.conv.Weight = *c.Weight
		}
		n.conv.Mode, _ = convMode(g.mode)
		n.qcfg.Weight.Spec = n.conv.Weight
	}
	if g.form == Quantized {
		n.becomeInt8()
	}
	at[n.name] = len(g.nodes)
	g.nodes = append(g.nodes, n)
	return nil
}

// actNamed is the activation of that name, none for "".
func actNamed(name string) (kernel.Act, bool) {
	for _, a := range []kernel.Act{kernel.ReLU, kernel.ReLU6} {
		if a.String() == name {
			return a, true
		}
	}
	return kernel.None, name == ""
}

// maxExtent bounds every extent in a restored structure, so that no product of
// them overflows and no damaged file asks for absurd memory by itself.
const maxExtent = 1 << 20

// check refuses extents that no builder would have let through.
func (j *nodeJSON) check() error {
	ops := []string{opInput, opConv, opLinear, opBN, opAdd, opConcat, opMaxPool, opAvgPool, opGlobalAvgPool, opFlatten, opAct}
	pos := []int{j.Shape.Height, j.Shape.Width, j.Shape.Channels}
	size := volume(pos...)
	nonneg := []int{}
	var windows []*windowJSON
	if c := j.Conv; c != nil {
		windows = append(windows, &c.windowJSON)
		pos = append(pos, c.Dilation[0], c.Dilation[1], c.Group)
		size = max(size, volume(j.Shape.Channels, c.Kernel[0], c.Kernel[1], c.Input.Channels/max(c.Group, 1)))
		if c.Group > 0 && (c.Input.Channels%c.Group != 0 || j.Shape.Channels%c.Group != 0) {
			return fmt.Errorf("%d groups do not divide its channels", c.Group)
		}
	}
	if p := j.Pool; p != nil {
		windows = append(windows, &p.windowJSON)
		size = max(size, volume(p.Kernel[:]...))
	}
	for _, w := range windows {
		pos = append(pos, w.Input.Height, w.Input.Width, w.Input.Channels, w.Kernel[0], w.Kernel[1], w.Stride[0], w.Stride[1])
		nonneg = append(nonneg, w.Pads[:]...)
	}
	bad := func(least int) func(int) bool { return func(v int) bool { return v < least || v > maxExtent } }
	switch {
	case !slices.Contains(ops, j.Op):
		return fmt.Errorf("there is no op %q", j.Op)
	case slices.ContainsFunc(pos, bad(1)) || slices.ContainsFunc(nonneg, bad(0)):
		return fmt.Errorf("an extent is outside 1…%d", maxExtent)
	case size > maxElements:
		return fmt.Errorf("it has more than %d elements", maxElements)
	}
	return j.checkParts()
}

// checkParts refuses parts that do not belong together.
func (j *nodeJSON) checkParts() error {
	_, known := actNamed(j.Act)
	pooled := j.Op == opMaxPool || j.Op == opAvgPool || j.Op == opGlobalAvgPool
	switch {
	case !known:
		return fmt.Errorf("there is no act %q", j.Act)
	case pooled != (j.Pool != nil) || (j.Op == opBN) != (j.BN != nil && j.Conv == nil):
		return fmt.Errorf("its parts do not fit together")
	case j.Conv != nil && j.Conv.Pads != convOf(&convbn.Node{Geom: j.Conv.geom(j.Shape)}).Pads,
		j.Pool != nil && j.Pool.Pads != poolOf(ptr(j.Pool.geom(j.Shape))).Pads:
		return fmt.Errorf("its pads do not give its shape")
	case len(j.Members) == 0 || j.Members[0] != j.Name:
		return fmt.Errorf("its first member is not itself")
	}
	return nil
}

func ptr[T any](v T) *T { return &v }
