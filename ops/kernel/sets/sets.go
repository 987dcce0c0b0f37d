// Package sets turns a name into a kernel set. It has the only table of all sets. It does not read the environment and
// decides only what the machine can run: the caller passes the name that a person wrote, or "".
package sets

import (
	"fmt"
	"strings"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/portable"
	"qpipe/ops/kernel/ref"
)

// row is a set and what it needs that the machine lacks, "" if nothing.
type row struct {
	name    string
	missing string
	set     func() *kernel.Set
}

// table has every set of this architecture, the slowest first.
func table() []row {
	return append([]row{
		{"ref", "", ref.Set},
		{"portable", "", portable.Set},
	}, machine()...)
}

// All returns every set that runs on this machine, ref first and the best one last.
func All() []*kernel.Set {
	var all []*kernel.Set
	for _, r := range table() {
		if r.missing == "" {
			all = append(all, r.set())
		}
	}
	return all
}

// Names returns the names of All.
func Names() []string {
	var names []string
	for _, s := range All() {
		names = append(names, s.Name)
	}
	return names
}

// ByName returns the set of that name, the best one that this machine can run for "".
func ByName(name string) (*kernel.Set, error) {
	if name == "" {
		all := All()
		return all[len(all)-1], nil
	}
	return find(table(), name)
}

func find(rows []row, name string) (*kernel.Set, error) {
	var names []string
	for _, r := range rows {
		if r.missing == "" {
			names = append(names, r.name)
		}
	}
	for _, r := range rows {
		switch {
		case r.name == name && r.missing == "":
			return r.set(), nil
		case r.name == name:
			return nil, fmt.Errorf("the kernel set %q needs what this processor lacks: %s; here are %s", name, r.missing, strings.Join(names, ", "))
		}
	}
	return nil, fmt.Errorf("no kernel set %q; there are %s", name, strings.Join(names, ", "))
}
