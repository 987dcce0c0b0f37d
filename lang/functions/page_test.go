package functions

import (
	"strings"
	"testing"

	"qpipe/lang/syntax"
)

// TestPage: every function has an example, every example can be evaluated, and calls a
// function that there is.
func TestPage(t *testing.T) {
	left := Table(".", NewBudget())
	delete(left, syntax.Charge)
	known := len(left)
	for _, g := range groups() {
		calls, _ := g.lines()
		for _, call := range calls {
			name, _, _ := strings.Cut(call, "(")
			if _, ok := left[name]; !ok {
				t.Errorf("%s: there is no such function, or it has an example already", call)
			}
			delete(left, name)
			if _, err := result(call); g.evaluated() && err != nil {
				t.Errorf("%s: %v", call, err)
			}
		}
	}
	for name := range left {
		t.Errorf("%s has no example", name)
	}
	if known < 70 {
		t.Errorf("only %d functions", known)
	}
}
