package config

import "github.com/hashicorp/hcl/v2"

// Output is the inside of `output "name" {}`.
type Output struct {
	Value         *hcl.Attribute `hcl:"value,optional"`
	Description   *hcl.Attribute `hcl:"description,optional"`
	Preconditions []*Condition   `hcl:"precondition,block"`
	Asserts       []*Condition   `hcl:"assert,block"`
}
