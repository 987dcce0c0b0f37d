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
				report(found(place{address: n.Address, subject: n.Where},
					fmt.Sprintf("Remove it, or refer to it as %s.%s.", n.Kind, n.Name), "%s %q is never used", n.Word, n.Name))
			}
		},
	}
}
