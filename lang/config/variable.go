package config

import "github.com/hashicorp/hcl/v2"

// Variable is the inside of `variable "name" {}`.
type Variable struct {
	Type        *hcl.Attribute `hcl:"type,optional"`
	Default     *hcl.Attribute `hcl:"default,optional"`
	Description *hcl.Attribute `hcl:"description,optional"`
	Nullable    *hcl.Attribute `hcl:"nullable,optional"`
	Validations []*Condition   `hcl:"validation,block"`
}

// Condition is a `validation`, `precondition` or `assert` block.
type Condition struct {
	Condition *hcl.Attribute `hcl:"condition,optional"`
	Message   *hcl.Attribute `hcl:"error_message,optional"`
	Header    hcl.Range      `hcl:",def_range"`
}
