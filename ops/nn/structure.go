package nn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/quant"
)

// structureVersion is that of the JSON below, which docs/format.md describes field by field.
const structureVersion = 2

type graphJSON struct {
	Version  int        `json:"version"`
	Form     Form       `json:"form"`
	Mode     Mode       `json:"qat_mode,omitempty"`
	Target   Target     `json:"target,omitempty"` // omitted for horizon
	Output   string     `json:"output,omitempty"`
	Outputs  []string   `json:"outputs,omitempty"` // where there are several
	Labels   []string   `json:"output_names,omitempty"`
	Absorbed []Absorbed `json:"absorbed,omitempty"`
	Nodes    []nodeJSON `json:"nodes"`
}

// nodeJSON is a node as structures have it: head, what its body writes, tail.
type nodeJSON struct {
	nodeHead
	nodeTail
	attrs  []layer.Attr // to write
	fields layer.Fields // as they were read
}

type nodeHead struct {
	Name    string        `json:"name"`
	Op      string        `json:"op"`
	Members []string      `json:"members"`
	Inputs  []string      `json:"inputs,omitempty"`
	Shape   layer.Extents `json:"shape"`
	Act     string        `json:"act,omitempty"`
}

type nodeTail struct {
	Quant *quant.Spec `json:"act_quant,omitempty"`
}

// MarshalJSON writes the fields in order.
func (j nodeJSON) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	put := func(v any) error {
		data, err := json.Marshal(v)
		if inner := bytes.TrimSpace(data); err == nil && len(inner) > 2 {
			if b.Len() > 1 {
				b.WriteByte(',')
			}
			b.Write(inner[1 : len(inner)-1])
		}
		return err
	}
	parts := []any{j.nodeHead}
	for _, a := range j.attrs {
		parts = append(parts, map[string]any{a.Key: a.Value})
	}
	for _, p := range append(parts, j.nodeTail) {
		if err := put(p); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads the fields; those that are no node's are left to its kind.
func (j *nodeJSON) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &j.nodeHead); err != nil {
		return err
	}
	if err := json.Unmarshal(data, &j.nodeTail); err != nil {
		return err
	}
	return json.Unmarshal(data, &j.fields)
}

// Structure is the graph without its numbers as JSON, enough for Restore to rebuild it (a checkpoint or an int8 model
// carries it). Observers are not in it: a restored graph evaluates, but observes nothing new.
func (g *Graph) Structure() []byte {
	j := graphJSON{Version: structureVersion, Form: g.form, Mode: g.mode, Target: g.target, Labels: g.labels, Absorbed: g.absorbed}
	for _, i := range g.outs {
		j.Outputs = append(j.Outputs, g.nodes[i].Name)
	}
	if len(j.Outputs) == 1 {
		j.Output, j.Outputs = j.Outputs[0], nil
	}
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
	j := nodeJSON{nodeHead: nodeHead{Name: n.Name, Op: n.Kind.Name, Members: n.members, Shape: layer.ExtentsOf(n.Shape)}}
	if n.Act != kernel.None {
		j.Act = n.Act.String()
	}
	for _, i := range n.In {
		j.Inputs = append(j.Inputs, g.nodes[i].Name)
	}
	if n.Body != nil {
		j.attrs = n.Body.Attrs()
	}
	if n.Quant.Spec.Quantized() {
		j.Quant = &n.Quant.Spec
	}
	return j
}

// Restore rebuilds the graph that a Structure describes, without parameters. It also
// reads the version before.
func Restore(structure []byte) (*Graph, error) {
	j, err := decodeStructure(structure)
	if err != nil {
		return nil, err
	}
	g, err := j.graph()
	if err != nil {
		return nil, fmt.Errorf("the model's structure is damaged: %w", err)
	}
	return g, nil
}

func (j *graphJSON) graph() (*Graph, error) {
	if err := j.count(); err != nil {
		return nil, err
	}
	g := &Graph{form: j.Form, mode: j.Mode, target: j.Target, labels: j.Labels, absorbed: j.Absorbed, configured: j.Form != Float}
	at := map[string]int{}
	for _, n := range j.Nodes {
		if err := g.restoreNode(n, at); err != nil {
			return nil, fmt.Errorf("node %q: %w", n.Name, err)
		}
	}
	if len(j.Outputs) == 0 {
		j.Outputs = []string{j.Output}
	}
	for _, name := range j.Outputs {
		out, ok := at[name]
		if !ok {
			return nil, fmt.Errorf("there is no output node %q", name)
		}
		g.outs = append(g.outs, out)
	}
	if g.labels != nil && len(g.labels) != len(g.outs) {
		return nil, fmt.Errorf("it names %d of its outputs, which are %d", len(g.labels), len(g.outs))
	}
	if err := g.verifyTarget(); err != nil {
		return nil, err
	}
	g.prescribe()
	if g.form == Quantized {
		for _, n := range g.nodes {
			n.BecomeInt8(g.island(n) != "")
		}
	}
	if err := g.verify(); err != nil {
		return nil, err
	}
	return g, g.verifyQuants()
}

// verifyQuants refuses what a graph of its form cannot have, so that one from a file
// computes as one that was made here.
func (g *Graph) verifyQuants() error {
	_, known := convMode(g.mode)
	if !slices.Contains([]Form{Float, Calibration, QAT, Quantized}, g.form) || !known && (g.form != Float || g.mode != "") {
		return fmt.Errorf("there is no form %q with the qat_mode %q", g.form, g.mode)
	}
	for _, n := range g.nodes {
		q := Quant{n.Quant.Spec, unknownObserver{}}
		errs := append(checkActivation(n, q), checkWeight(n, n.qcfg.Weight)...)
		switch {
		case len(errs) > 0:
			return errs[0]
		case n.Quant.Spec.Quantized() && !n.HasQuant():
			return fmt.Errorf("%s: its output cannot be quantized by itself", n.Name)
		case g.form == Float && (n.Quant.Spec.Quantized() || n.qcfg.Weight.Spec.Quantized()):
			return fmt.Errorf("%s: it is quantized in a float model", n.Name)
		}
	}
	if g.form == Quantized {
		if errs := g.unconvertible(); len(errs) > 0 {
			return errs[0]
		}
	}
	return nil
}

// unknownObserver takes the place of an observer that a file does not name.
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
	MaxNodes = 4096
	maxParts = 4 * MaxNodes
)

func (j *graphJSON) count() error {
	parts := len(j.Absorbed) + len(j.Outputs)
	for _, n := range j.Nodes {
		parts += max(len(n.Inputs), len(n.Members))
	}
	switch {
	case len(j.Nodes) > MaxNodes:
		return fmt.Errorf("it has %d nodes, more than the %d that are accepted", len(j.Nodes), MaxNodes)
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
	k := kindNamed(j.Op)
	act, known := actNamed(j.Act)
	s := j.Shape
	switch {
	case k == nil:
		return fmt.Errorf("there is no op %q", j.Op)
	case !known:
		return fmt.Errorf("there is no act %q", j.Act)
	case len(j.Members) == 0 || j.Members[0] != j.Name:
		return fmt.Errorf("its first member is not itself")
	}
	if err := layer.CheckExtents([]int{s.Height, s.Width, s.Channels}, nil); err != nil {
		return err
	}
	if err := layer.CheckVolume(s.Height, s.Width, s.Channels); err != nil {
		return err
	}
	n := &node{Node: &layer.Node{Kind: k, Name: j.Name, Shape: s.Tensor(), Act: act}, members: j.Members}
	for _, in := range j.Inputs {
		i, ok := at[in]
		if !ok {
			return fmt.Errorf("its operand %q does not come before it", in)
		}
		n.In = append(n.In, i)
	}
	if err := g.restoreBody(n, j); err != nil {
		return err
	}
	at[n.Name] = len(g.nodes)
	g.nodes = append(g.nodes, n)
	return nil
}

// restoreBody gives the node its body and its quantization.
func (g *Graph) restoreBody(n *node, j nodeJSON) (err error) {
	if n.Kind.Restore != nil {
		if n.Body, err = n.Kind.Restore(n.Node, j.fields); err != nil {
			return err
		}
	}
	if err := j.foreign(n); err != nil {
		return err
	}
	if j.Quant != nil {
		n.qcfg.Activation.Spec = *j.Quant
	}
	n.Quant = quant.NewNode(n.qcfg.Activation.Spec, nil)
	if c := conv(n); c != nil {
		c.Mode, _ = convMode(g.mode)
		n.qcfg.Weight.Spec = c.Weight
	}
	return nil
}

// foreign refuses fields that nodes of its kind do not have.
func (j *nodeJSON) foreign(n *node) error {
	own := []string{"name", "op", "members", "inputs", "shape", "act", "act_quant"}
	if n.Body != nil {
		for _, a := range n.Body.Attrs() {
			own = append(own, a.Key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(j.fields)) {
		if j.fields.Has(key) && !slices.Contains(own, key) {
			return fmt.Errorf("a node of op %s has no %q", n.Kind.Name, key)
		}
	}
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
