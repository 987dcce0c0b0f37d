package scope

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"qpipe/lang/diag"
)

// absent is an element that an expression asks for and that is not there.
type absent struct {
	of   cty.Value
	text string // of what it is asked, as it is written: "layer.a"
	key  cty.Value
}

// absentIn finds what a diagnostic of hcl complains of, if it is an element that is not there.
func absentIn(d *hcl.Diagnostic, src []byte) (a absent, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	if d.Subject == nil || d.EvalContext == nil || d.Summary != "Invalid index" && d.Summary != "Unsupported attribute" {
		return a, false
	}
	switch e := d.Expression.(type) {
	case *hclsyntax.IndexExpr:
		a.of, _ = e.Collection.Value(d.EvalContext)
		a.key, _ = e.Key.Value(d.EvalContext)
		a.text = written(src, e.Collection.Range().Start.Byte, e.Collection.Range().End.Byte)
		return a, a.key.IsKnown() && !a.key.IsNull()
	case *hclsyntax.ScopeTraversalExpr:
		return stepIn(e.Traversal, nil, d, src)
	case *hclsyntax.RelativeTraversalExpr:
		of, _ := e.Source.Value(d.EvalContext)
		return stepIn(e.Traversal, &of, d, src)
	}
	return a, false
}

// stepIn finds the step of a traversal that a diagnostic is about; of is what it begins with, nil for a name.
func stepIn(t hcl.Traversal, of *cty.Value, d *hcl.Diagnostic, src []byte) (absent, bool) {
	for i, s := range t {
		if s.SourceRange() != *d.Subject {
			continue
		}
		var a absent
		if of != nil {
			a.of, _ = t[:i].TraverseRel(*of)
		} else {
			a.of, _ = t[:i].TraverseAbs(d.EvalContext)
		}
		switch s := s.(type) {
		case hcl.TraverseAttr:
			a.key = cty.StringVal(s.Name)
		case hcl.TraverseIndex:
			a.key = s.Key
		}
		a.text = written(src, d.Expression.Range().Start.Byte, s.SourceRange().Start.Byte)
		return a, a.key != cty.NilVal
	}
	return absent{}, false
}

func written(src []byte, from, to int) string {
	if from > to || to > len(src) {
		return ""
	}
	return strings.TrimSpace(string(src[from:to]))
}

// say puts what is there into the diagnostic.
func (a absent) say(d *diag.Diagnostic) {
	key := ""
	if k, err := convert.Convert(a.key, cty.String); err == nil && !k.IsNull() {
		key = k.AsString()
	}
	ty := a.of.Type()
	parts := "element"
	if strings.HasPrefix(a.text, "layer.") {
		parts = "instance"
	}
	switch {
	case key == "" || a.text == "" || len(a.text) > 60 || !a.of.IsKnown() || a.of.IsNull():
	case ty.Equals(wireType):
		d.Summary, d.Detail = fmt.Sprintf("%s is one layer, and has no %s", a.text, a.named(key)), fmt.Sprintf("Write %s alone.", a.text)
	case ty.IsTupleType() || ty.IsListType():
		n := a.of.LengthInt()
		d.Summary = fmt.Sprintf("%s has %s, and no %s", a.text, diag.Count(n, parts), a.named(key))
		switch {
		case n == 0:
			d.Detail = "There is none that could be read here."
		case n == 1:
			d.Detail = fmt.Sprintf("There is %s[0].", a.text)
		default:
			d.Detail = fmt.Sprintf("There are %s[0] to %s[%d].", a.text, a.text, n-1)
		}
	case ty.IsObjectType() || ty.IsMapType():
		var names []string
		for it := a.of.ElementIterator(); it.Next(); {
			k, _ := it.Element()
			names = append(names, k.AsString())
		}
		slices.Sort(names)
		d.Summary = fmt.Sprintf("%s has no %s", a.text, a.named(key))
		d.Detail = "There is none that could be read here."
		if len(names) > 0 {
			d.Detail = diag.DidYouMean(key, names, "names in it")
		}
	default:
		d.Summary, d.Detail = fmt.Sprintf("%s is %s, and has no %s", a.text, describe(a.of), a.named(key)), "Write it without what follows it."
	}
}

// named is a key as it is written.
func (a absent) named(key string) string {
	if a.key.Type() == cty.Number {
		return "[" + key + "]"
	}
	return fmt.Sprintf("%q", key)
}
