// Package sets turns a name into a kernel set. It is the one table of the sets
// that exist; it reads no environment and decides nothing: the caller passes the
// name that a person wrote, or "".
package sets

import (
	"fmt"
	"strings"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/portable"
	"qpipe/ops/kernel/ref"
)

// Default is the name of the set that is used where nobody names one.
const Default = "portable"

// All returns every set that runs on this machine, ref first.
func All() []*kernel.Set { return []*kernel.Set{ref.Set(), portable.Set()} }

// Names returns the names of All.
func Names() []string {
	var names []string
	for _, s := range All() {
		names = append(names, s.Name)
	}
	return names
}

// ByName returns the set of that name, the default one for "".
func ByName(name string) (*kernel.Set, error) {
	if name == "" {
		name = Default
	}
	for _, s := range All() {
		if s.Name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("no kernel set %q; there are %s", name, strings.Join(Names(), ", "))
}
