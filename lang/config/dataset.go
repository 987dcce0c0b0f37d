package config

import "github.com/hashicorp/hcl/v2"

// Dataset is the inside of `dataset "Type" "name" {}`.
type Dataset struct {
	Transforms []*Part  `hcl:"transform,block"`
	Rest       hcl.Body `hcl:",remain"`
}

// Model is the inside of `model "Type" "name" {}`.
type Model struct {
	Rest hcl.Body `hcl:",remain"`
}
