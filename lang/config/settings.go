package config

import "github.com/hashicorp/hcl/v2"

// Settings is the inside of `qpipe {}`.
type Settings struct {
	RequiredVersion *hcl.Attribute `hcl:"required_version,optional"`
	Seed            *hcl.Attribute `hcl:"seed,optional"`
	Threads         *hcl.Attribute `hcl:"threads,optional"`
}

// Locals is the inside of `locals {}`.
type Locals struct {
	Values hcl.Attributes `hcl:",remain"`
}
