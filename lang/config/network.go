package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"qpipe/lang/diag"
)

// Layers is the body of a network, of a model that is written as layers: what is left are the model's own arguments.
type Layers struct {
	Inputs  []*Input  `hcl:"input,block"`
	Layers  []*Layer  `hcl:"layer,block"`
	Outputs []*Result `hcl:"output,block"`
	Rest    hcl.Body  `hcl:",remain"`
}

// Network is the inside of `network "name" {}`.
type Network struct {
	Source    *hcl.Attribute `hcl:"source,optional"`
	Variables []*named       `hcl:"variable,block"`
	Inputs    []*Input       `hcl:"input,block"`
	Layers    []*Layer       `hcl:"layer,block"`
	Outputs   []*Result      `hcl:"output,block"`
	QConfig   *OwnQConfig    `hcl:"qconfig,block"`
	Overrides []*Override    `hcl:"override,block"`
}

// OwnQConfig is `qconfig {}` in a network.
type OwnQConfig struct {
	Activation *Quant    `hcl:"activation,block"`
	Weight     *Quant    `hcl:"weight,block"`
	Header     hcl.Range `hcl:",def_range"`
}

// Blocks counts what there is besides a source.
func (n *Network) Blocks() int {
	count := len(n.Variables) + len(n.Inputs) + len(n.Layers) + len(n.Outputs) + len(n.Overrides)
	if n.QConfig != nil {
		count++
	}
	return count
}

// Parameters are the variables of a network.
func (n *Network) Parameters() []*Block {
	var list []*Block
	for _, b := range n.Variables {
		list = append(list, &Block{Keyword: "variable", Name: b.Name, NameRange: b.NameRange, Header: b.Header, Body: b.Body})
	}
	return list
}

// Input is `input "name" {}`.
type Input struct {
	Name      string         `hcl:"name,label"`
	NameRange hcl.Range      `hcl:"name,label_range"`
	Shape     *hcl.Attribute `hcl:"shape,optional"`
	Header    hcl.Range      `hcl:",def_range"`
}

// Layer is `layer "Type" "name" {}` with its meta-arguments.
type Layer struct {
	Type      string         `hcl:"type,label"`
	TypeRange hcl.Range      `hcl:"type,label_range"`
	Name      string         `hcl:"name,label"`
	NameRange hcl.Range      `hcl:"name,label_range"`
	From      *hcl.Attribute `hcl:"from,optional"`
	Count     *hcl.Attribute `hcl:"count,optional"`
	ForEach   *hcl.Attribute `hcl:"for_each,optional"`
	Header    hcl.Range      `hcl:",def_range"`
	Rest      hcl.Body       `hcl:",remain"`
}

// Part is the layer as a part.
func (l *Layer) Part() *Part {
	return &Part{Type: l.Type, TypeRange: l.TypeRange, Header: l.Header, Rest: l.Rest}
}

// Result is `output "name" {}` of a network.
type Result struct {
	Name      string         `hcl:"name,label"`
	NameRange hcl.Range      `hcl:"name,label_range"`
	From      *hcl.Attribute `hcl:"from,optional"`
	Header    hcl.Range      `hcl:",def_range"`
}

// LayersOf decodes the body of a model that is written as layers. Dynamic blocks in it are expanded.
func LayersOf(p *Part) (Layers, diag.List) {
	var out Layers
	diags := gohcl.DecodeBody(p.Rest, nil, &out)
	return out, explain(diags, p.Raw, &out, inBlock("model"))
}
