package config

import "github.com/hashicorp/hcl/v2"

// QConfig is the inside of `qconfig "name" {}`.
type QConfig struct {
	Target     *hcl.Attribute `hcl:"target,optional"`
	Activation *Quant         `hcl:"activation,block"`
	Weight     *Quant         `hcl:"weight,block"`
	Overrides  []*Override    `hcl:"override,block"`
}

// Override is `override "selector" {}`.
type Override struct {
	Selector      string    `hcl:"selector,label"`
	SelectorRange hcl.Range `hcl:"selector,label_range"`
	Header        hcl.Range `hcl:",def_range"`
	Activation    *Quant    `hcl:"activation,block"`
	Weight        *Quant    `hcl:"weight,block"`
}

// Quant is `activation {}` or `weight {}`. Its other attributes are the
// observer's arguments.
type Quant struct {
	DType      *hcl.Attribute `hcl:"dtype,optional"`
	Scheme     *hcl.Attribute `hcl:"scheme,optional"`
	ScaleRule  *hcl.Attribute `hcl:"scale_rule,optional"`
	Rounding   *hcl.Attribute `hcl:"rounding,optional"`
	PerChannel *hcl.Attribute `hcl:"per_channel,optional"`
	Observer   *hcl.Attribute `hcl:"observer,optional"`
	Header     hcl.Range      `hcl:",def_range"`
	Rest       hcl.Body       `hcl:",remain"`
}
