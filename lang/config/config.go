// Package config turns HCL files into the blocks of the language: one tagged struct per block type, with the ranges of
// everything that a message may point at. It defines which blocks, labels and attributes are allowed where, and expands
// `dynamic` blocks. It evaluates nothing (except the loop of a dynamic block, in the given context) and knows no rules
// between blocks.
//
// [Decode] reads the top level; [Inside] then decodes the body of one block.
package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/dynblock"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"qpipe/lang/diag"
	"qpipe/lang/syntax"
)

// Block is a block of the top level whose body is not decoded yet. Type is the
// first of two labels, Name the last; both are empty where the block type has
// no such label.
type Block struct {
	Keyword              string
	Type, Name           string
	TypeRange, NameRange hcl.Range
	Header               hcl.Range
	Body                 hcl.Body
}

// Address returns `stage.qat`, `dataset.train`, `qpipe`.
func (b *Block) Address() string {
	if b.Name == "" {
		return b.Keyword
	}
	return b.Keyword + "." + b.Name
}

// Raw returns the block's body as written, dynamic blocks not expanded.
func (b *Block) Raw() *hclsyntax.Body {
	raw, _ := b.Body.(*hclsyntax.Body)
	return raw
}

// Pipeline is the top level of all files, in order.
type Pipeline struct {
	Settings, Variables, Locals []*Block
	Datasets, Models, QConfigs  []*Block
	Stages, Outputs             []*Block
	Networks                    []*Block
}

// root is the top level of one file, as gohcl decodes it.
type root struct {
	Settings  []*bare  `hcl:"qpipe,block"`
	Variables []*named `hcl:"variable,block"`
	Locals    []*bare  `hcl:"locals,block"`
	Datasets  []*typed `hcl:"dataset,block"`
	Models    []*typed `hcl:"model,block"`
	QConfigs  []*named `hcl:"qconfig,block"`
	Stages    []*named `hcl:"stage,block"`
	Outputs   []*named `hcl:"output,block"`
	Networks  []*named `hcl:"network,block"`
}

type bare struct {
	Header hcl.Range `hcl:",def_range"`
	Body   hcl.Body  `hcl:",remain"`
}

type named struct {
	Name      string    `hcl:"name,label"`
	NameRange hcl.Range `hcl:"name,label_range"`
	Header    hcl.Range `hcl:",def_range"`
	Body      hcl.Body  `hcl:",remain"`
}

type typed struct {
	Type      string    `hcl:"type,label"`
	TypeRange hcl.Range `hcl:"type,label_range"`
	Name      string    `hcl:"name,label"`
	NameRange hcl.Range `hcl:"name,label_range"`
	Header    hcl.Range `hcl:",def_range"`
	Body      hcl.Body  `hcl:",remain"`
}

// Decode reads the top level of the files.
func Decode(files *syntax.Files) (*Pipeline, diag.List) {
	var p Pipeline
	var list diag.List
	for _, f := range files.Files {
		if f.Body == nil {
			continue
		}
		var r root
		diags := gohcl.DecodeBody(f.Body, nil, &r)
		list = append(list, explain(diags, f.Body, &r, "a pipeline")...)
		p.add(&r)
	}
	return &p, list
}

// DecodeNetworks reads the top level of a file that has networks and nothing else.
func DecodeNetworks(body *hclsyntax.Body) ([]*Block, diag.List) {
	var r struct {
		Networks []*named `hcl:"network,block"`
	}
	diags := gohcl.DecodeBody(body, nil, &r)
	var p Pipeline
	p.add(&root{Networks: r.Networks})
	return p.Networks, explain(diags, body, &r, "a file of networks")
}

func (p *Pipeline) add(r *root) {
	for _, b := range r.Settings {
		p.Settings = append(p.Settings, &Block{Keyword: "qpipe", Header: b.Header, Body: b.Body})
	}
	for _, b := range r.Locals {
		p.Locals = append(p.Locals, &Block{Keyword: "locals", Header: b.Header, Body: b.Body})
	}
	one := func(to *[]*Block, keyword string, from []*named) {
		for _, b := range from {
			*to = append(*to, &Block{Keyword: keyword, Name: b.Name, NameRange: b.NameRange, Header: b.Header, Body: b.Body})
		}
	}
	two := func(to *[]*Block, keyword string, from []*typed) {
		for _, b := range from {
			*to = append(*to, &Block{
				Keyword: keyword, Type: b.Type, TypeRange: b.TypeRange, Name: b.Name, NameRange: b.NameRange,
				Header: b.Header, Body: b.Body,
			})
		}
	}
	one(&p.Variables, "variable", r.Variables)
	two(&p.Datasets, "dataset", r.Datasets)
	two(&p.Models, "model", r.Models)
	one(&p.QConfigs, "qconfig", r.QConfigs)
	one(&p.Stages, "stage", r.Stages)
	one(&p.Outputs, "output", r.Outputs)
	one(&p.Networks, "network", r.Networks)
}

// Loops is what dynamic blocks are expanded with. Check is asked before each
// expansion; a nil Loops leaves `dynamic` unknown.
type Loops struct {
	Context *hcl.EvalContext
	Check   LoopCheck
}

// Inside decodes the body of a block into T, one of this package's structs.
func Inside[T any](b *Block, loops *Loops) (*T, diag.List) {
	body := b.Body
	if loops != nil {
		body = dynblock.Expand(body, loops.Context, dynblock.OptCheckForEach(loops.Check))
	}
	out := new(T)
	diags := gohcl.DecodeBody(body, nil, out)
	list := explain(diags, b.Raw(), out, inBlock(b.Keyword))
	for _, d := range list {
		d.Address = b.Address()
	}
	return out, list
}

// LoopCheck judges the value of a `for_each`.
type LoopCheck = forEachCheck
