package view

import (
	"fmt"

	"qpipe/interp/console"
	"qpipe/interp/verify"
	"qpipe/lang/diag"
)

// Verification writes what a verification has found; at is where its certificate is.
func (s *Sheet) Verification(c *verify.Certificate, at string) {
	images := console.Count(c.Result.Images, "image") + " of " + c.Data.Name
	if c.Data.Name == "random" {
		images = console.Count(c.Result.Images, "random image")
	}
	fmt.Fprintf(s, "%s: %s of %s, %s\n\n", console.Printable(c.Model.Path), diag.Count(c.Integers, "integer"), console.Count(c.Result.Nodes, "node"), images)
	for _, x := range c.Comparisons {
		fmt.Fprintf(s, "%s %s\n", s.verdict(x), console.Printable(x.Name))
		if x.First == nil {
			continue
		}
		fmt.Fprintf(s, "      first %s", console.Printable(x.First.String()))
		if len(x.First.Operands) > 0 {
			fmt.Fprintf(s, ", which reads %s", console.Printable(fmt.Sprint(x.First.Operands)))
		}
		fmt.Fprintln(s)
		for _, n := range x.Nodes[:min(len(x.Nodes), 5)] {
			fmt.Fprintf(s, "      %s (%s): %d of %d differ, by up to %d\n", console.Printable(n.Node), n.Op, n.Differ, n.Total, n.Largest)
		}
		if more := len(x.Nodes) - 5; more > 0 {
			fmt.Fprintf(s, "      and %s more\n", console.Count(more, "node"))
		}
	}
	fmt.Fprintln(s)
	if c.Equal {
		fmt.Fprintf(s, "%s what promises the same integers has them. Written: %s\n", s.paint.Bold("Equal:"), console.Printable(at))
	} else {
		fmt.Fprintf(s, "%s Written: %s\n", s.paint.Bold("Not equal."), console.Printable(at))
	}
}

// verdict is the beginning of a line.
func (s *Sheet) verdict(x *verify.Comparison) string {
	switch {
	case x.Error != "":
		return fmt.Sprintf("error: %s:", console.Printable(x.Error))
	case x.Skipped != "":
		return fmt.Sprintf("not compared (%s):", console.Printable(x.Skipped))
	case x.Exact && x.OutputsDiffer > 0:
		return s.paint.Bold(fmt.Sprintf("%d of %d differ, and %s:", x.Differ, x.Integers, diag.Count(x.OutputsDiffer, "output value")))
	case x.Differ == 0:
		return fmt.Sprintf("0 of %d differ:", x.Integers)
	case !x.Exact:
		return fmt.Sprintf("%d of %d differ (float ops promise nothing), the same top-1 of %d of %d:", x.Differ, x.Integers, x.Top1, x.Images)
	}
	return s.paint.Bold(fmt.Sprintf("%d of %d differ:", x.Differ, x.Integers))
}
