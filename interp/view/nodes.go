package view

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"qpipe/interp/console"
	"qpipe/interp/graph"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// quantized is how a qconfig quantizes the nodes of a model, in the stages that use it.
type quantized struct {
	stages []string
	qc     *program.QConfig
	model  string
	nodes  []graph.NodeQConfig
	graph  *nn.Graph // in a quantized form
}

// quantizations lists how each qconfig quantizes the nodes of each model.
func quantizations(p *graph.Plan) []*quantized {
	var list []*quantized
	for _, s := range p.Stages {
		if len(s.Nodes) == 0 || s.Model == nil {
			continue
		}
		qc, model := s.Convert.QConfig, s.Stage.Model.Name
		i := slices.IndexFunc(list, func(q *quantized) bool { return q.qc == qc && q.model == model })
		if i < 0 {
			i, list = len(list), append(list, &quantized{qc: qc, model: model, nodes: s.Nodes, graph: s.Model})
		}
		list[i].stages = append(list[i].stages, s.Name)
	}
	return list
}

// NodeItem is a node in `plan -json`.
type NodeItem struct {
	Node       string                   `json:"node"`
	Activation map[string]AttributeItem `json:"activation,omitempty"`
	Weight     map[string]AttributeItem `json:"weight,omitempty"`
	Island     string                   `json:"float_island,omitempty"` // why it stays float32 in the int8 form
}

// AttributeItem is a value with what sets it, if that is no default.
type AttributeItem struct {
	Value string `json:"value"`
	By    string `json:"by,omitempty"`   // the block's address, or "DeQuantStub" if one in front of the node sets it
	File  string `json:"file,omitempty"` // and its place
	Line  int    `json:"line,omitempty"`
}

// QuantizationItem is a qconfig and a model in `plan -json`.
type QuantizationItem struct {
	QConfig string     `json:"qconfig"`
	Target  string     `json:"target,omitempty"` // of horizon, the default, none
	Model   string     `json:"model"`
	Stages  []string   `json:"stages"`
	Nodes   []NodeItem `json:"nodes"`
	MACs    int64      `json:"macs"`                 // of an image
	Float   int64      `json:"float_macs,omitempty"` // of them those that are float32 in the int8 form
}

// QuantizationItems are how each qconfig quantizes the nodes of each model.
func QuantizationItems(p *graph.Plan) []QuantizationItem {
	out := []QuantizationItem{}
	items := func(attrs []graph.Attribute) map[string]AttributeItem {
		m := map[string]AttributeItem{}
		for _, a := range attrs {
			i := AttributeItem{Value: a.Value, By: a.Origin.Address}
			if i.By != "" && i.By != graph.Stub {
				at := a.Origin.At(a.Name)
				i.File, i.Line = at.File, at.Start.Line
			}
			m[a.Name] = i
		}
		return m
	}
	for _, q := range quantizations(p) {
		why := q.islands()
		item := QuantizationItem{
			QConfig: q.qc.Name, Target: q.qc.Target, Model: q.model, Stages: q.stages, MACs: q.graph.MACs(), Float: q.graph.FloatMACs(),
		}
		for _, n := range q.nodes {
			item.Nodes = append(item.Nodes, NodeItem{n.Node, items(n.Activation), items(n.Weight), why[n.Node]})
		}
		out = append(out, item)
	}
	return out
}

// Nodes prints how the nodes are quantized, and which block decides it: each node that an override selects, and the
// others in one line. With all it prints every node.
func (s *Sheet) Nodes(p *graph.Plan, all bool) {
	for _, q := range quantizations(p) {
		target := ""
		if q.qc.Target != "" {
			target = " for " + q.qc.Target
		}
		fmt.Fprintf(s, "\nqconfig.%s%s on model.%s (%s)\n", q.qc.Name, target, q.model, strings.Join(q.stages, ", "))
		rows, rest := [][]string{}, 0
		for _, n := range q.nodes {
			said := overridden(q.qc, n)
			if said == "" && !all {
				rest++
				continue
			}
			rows = append(rows, []string{"  " + n.Node, words(n.Activation), words(n.Weight), said})
		}
		if rest > 0 {
			c := graph.NodeQConfig{}
			for _, n := range q.nodes {
				if overridden(q.qc, n) == "" {
					c.Activation, c.Weight = longer(c.Activation, n.Activation), longer(c.Weight, n.Weight)
				}
			}
			rows = append(rows, []string{"  " + console.Count(rest, "node") + " more", words(c.Activation), words(c.Weight), ""})
		}
		for _, line := range console.Table(append([][]string{{"  node", "activation", "weight", "said by an override"}}, rows...), "llll") {
			fmt.Fprintln(s, strings.TrimRight(line, " "))
		}
		s.islands(q)
	}
}

// islands are the nodes that stay float32 in the int8 form, with the reason; none where all of them are float32 anyway.
func (q *quantized) islands() map[string]string {
	why := map[string]string{}
	for _, i := range q.graph.Islands() {
		why[i.Node] = i.Why
	}
	return why
}

// islands prints which nodes stay float32 in the int8 form, and how much of the work is theirs.
func (s *Sheet) islands(q *quantized) {
	list := q.graph.Islands()
	if len(list) == 0 {
		return
	}
	share := ""
	if all := q.graph.MACs(); all > 0 {
		share = fmt.Sprintf(", with %.3g %% of the multiply-accumulates", 100*float64(q.graph.FloatMACs())/float64(all))
	}
	fmt.Fprintf(s, "  in the int8 form %s float32%s\n", console.Count(len(list), "node")+" "+stay(len(list)), share)
	for _, i := range list {
		fmt.Fprintf(s, "    %s: %s\n", i.Node, i.Why)
	}
}

func stay(n int) string {
	if n == 1 {
		return "stays"
	}
	return "stay"
}

func longer(a, b []graph.Attribute) []graph.Attribute {
	if len(b) > len(a) {
		return b
	}
	return a
}

// words is a list of attributes in short form: the values, and the names of numbers.
func words(attrs []graph.Attribute) string {
	var out []string
	for _, a := range attrs {
		switch {
		case a.Value == "symmetric" || a.Value == "half_even" || a.Value == "max" || a.Name == "per_channel" && a.Value == "false":
			// defaults are not shown
		case a.Name == "per_channel":
			out = append(out, "per channel")
		case strings.Trim(a.Value, "0123456789.e-") == "":
			out = append(out, a.Name+" "+a.Value)
		default:
			out = append(out, a.Value)
		}
	}
	return strings.Join(out, " ")
}

// overridden lists the attributes of a node that overrides have set, and where; the target counts as one.
func overridden(qc *program.QConfig, n graph.NodeQConfig) string {
	var out []string
	for part, attrs := range map[string][]graph.Attribute{"activation": n.Activation, "weight": n.Weight} {
		for _, a := range attrs {
			own := a.Origin.Address == qc.Activation.Origin.Address || a.Origin.Address == qc.Weight.Origin.Address
			if a.Origin.Address == "" || own {
				continue
			}
			if a.Origin.Address == graph.Stub {
				out = append(out, "a DeQuantStub in front of it")
				continue
			}
			at := a.Origin.At(a.Name)
			if a.Origin.Address == qc.Origin.Address {
				out = append(out, fmt.Sprintf("target (%s:%d)", filepath.Base(at.File), at.Start.Line))
				continue
			}
			out = append(out, fmt.Sprintf("%s.%s (%s:%d)", part, a.Name, filepath.Base(at.File), at.Start.Line))
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", ")
}
