package lint

import (
	"fmt"

	"qpipe/lang/diag"
)

func unused() Rule {
	return Rule{
		About: diag.About{
			Name: "unused", Code: "QP265", Severity: diag.Warning,
			Summary: "a declared name is never used",
			Doc:     "A name that nothing refers to is often a typing mistake elsewhere.",
		},
		Last: true,
		Check: func(p *Pipeline, report diag.Reporter) {
			for _, n := range p.Names {
				if n.Used {
					continue
				}
				way := fmt.Sprintf("Remove it, or refer to it as %s.%s.", n.Kind, n.Name)
				if n.Kind == "network" {
					way = fmt.Sprintf("Remove it, or write a layer of it: layer %q \"name\" {}.", n.Name)
				}
				report(found(place{address: n.Address, subject: n.Where}, way, "%s %q is never used", n.Word, n.Name))
			}
		},
	}
}
