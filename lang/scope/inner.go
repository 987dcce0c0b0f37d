package scope

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/syntax"
)

// Inner is what expressions can refer to inside of a network: values by their first word ("count", "each"), and members of
// objects ("layer", "input"). The variables, locals and blocks of the pipeline are there as well, unless it is Closed.
type Inner struct {
	Closed  bool
	Values  map[string]cty.Value
	Objects map[string]map[string]cty.Value
	// Exprs are the expressions that will be evaluated: of the objects they see the members that they name, so that
	// many layers stay cheap.
	Exprs []hcl.Expression
}

// Within lets do evaluate expressions inside of a network.
func (s *Scope) Within(in Inner, do func()) {
	names, context, inner := s.names, s.context, s.inner
	defer func() { s.names, s.context, s.inner, s.sorted = names, context, inner, nil }()
	if s.inner = maps.Clone(inner); in.Closed || s.inner == nil {
		s.inner = map[string]map[string]cty.Value{}
	}
	if in.Closed {
		s.names, s.sorted = map[string]map[string]*Name{"var": {}}, nil
		s.context = &hcl.EvalContext{Variables: map[string]cty.Value{"var": cty.EmptyObjectVal}, Functions: outermost(context).Functions}
	}
	s.context = s.context.NewChild()
	s.context.Variables = map[string]cty.Value{}
	for word, v := range in.Values {
		s.inner[word], s.context.Variables[word] = nil, v
	}
	for word, members := range in.Objects {
		s.inner[word], s.context.Variables[word] = members, cty.ObjectVal(named(word, members, in.Exprs))
	}
	do()
}

// named are the members of an object that expressions name.
func named(word string, members map[string]cty.Value, exprs []hcl.Expression) map[string]cty.Value {
	out := map[string]cty.Value{}
	for _, e := range exprs {
		for _, t := range e.Variables() {
			id, _ := step(t, 1)
			if v, ok := members[id]; ok && t.RootName() == word {
				out[id] = v
			}
		}
	}
	return out
}

func outermost(c *hcl.EvalContext) *hcl.EvalContext {
	for c.Parent() != nil {
		c = c.Parent()
	}
	return c
}

// Argument is a value that is given for a variable of a network.
type Argument struct {
	Value cty.Value
	At    hcl.Range
}

// Parameters declares the variables of a network and gives them their values; one without a value keeps its default.
// It is called inside of a closed Within. Of bad ones it has been reported why they have no value; what refers to them is not checked.
func (s *Scope) Parameters(network string, blocks []*config.Block, values map[string]Argument, bad map[string]bool) {
	context := outermost(s.context)
	own := map[string]cty.Value{}
	for _, b := range blocks {
		s.define(&Name{Kind: "var", Name: b.Name, Where: b.NameRange, Address: network + "." + b.Address(), Block: b})
		n := s.names["var"][b.Name]
		if n.Block != b {
			continue
		}
		if n.value = cty.DynamicVal; bad[b.Name] {
			n.Bad, own[b.Name] = true, n.value
			continue
		}
		v, fine := s.decodeVariable(n)
		if fine {
			var g *given
			if a, found := values[b.Name]; found {
				g = &given{value: a.Value, at: a.At}
			}
			fine = s.setVariable(v, g)
		}
		n.Bad = !fine
		own[b.Name] = n.value
	}
	context.Variables["var"] = cty.ObjectVal(own)
	for _, b := range blocks {
		if n := s.names["var"][b.Name]; n.Block == b && !n.Bad {
			before := len(s.List)
			s.validateVariable(n)
			for _, d := range s.List[before:] {
				if a, given := values[b.Name]; given {
					d.Related = append(d.Related, diag.Related{Message: "the value is given here", Range: syntax.Range(a.At)})
				}
			}
			n.Bad = len(s.List) > before
		}
	}
}

// HasDefault reports whether a variable's block gives a default.
func HasDefault(b *config.Block) bool {
	return b.Raw() != nil && b.Raw().Attributes["default"] != nil
}

// TakesNull reports whether null can be given for a variable of a network: it has a default, or says something of nulls by itself.
func TakesNull(b *config.Block) bool {
	return HasDefault(b) || b.Raw() != nil && b.Raw().Attributes["nullable"] != nil
}

// inside resolves a reference to a value of a network, or to a member of one of its objects.
func (s *Scope) inside(t hcl.Traversal, members map[string]cty.Value, address string) bool {
	root := t.RootName()
	id, named := step(t, 1)
	if _, ok := members[id]; ok || members == nil {
		return true
	}
	at := At{Address: address, Subject: syntax.Range(t.SourceRange())}
	switch names := slices.Sorted(maps.Keys(members)); {
	case !named && len(names) > 0:
		s.Errorf(diag.UnknownReference, at, fmt.Sprintf("Name one of them: %s.%s.", root, names[0]), "%s alone is not a value", root)
	case len(names) == 0:
		s.Errorf(diag.UnknownReference, at, "There is none above it in this network.", "there is no %s.%s here", root, id)
	default:
		s.Errorf(diag.UnknownReference, at, diag.DidYouMean(id, names, root+"s above it in this network"), "there is no %s.%s here", root, id)
	}
	return false
}

// wire is the Go value behind a reference to what a layer of a network gives.
type wire struct{ name string }

var wireType = cty.Capsule("layer", reflect.TypeFor[wire]())

// Wire is the value of a reference to what a layer, or an input of a network, gives.
func Wire(name string) cty.Value { return cty.CapsuleVal(wireType, &wire{name}) }

// Wires are the names behind the value of a `from`: one, or a list of them. ok is false for another value.
func Wires(v cty.Value) (names []string, ok bool) {
	switch ty := v.Type(); {
	case !v.IsKnown() || v.IsNull():
		return nil, false
	case ty.Equals(wireType):
		return []string{v.EncapsulatedValue().(*wire).name}, true
	case !ty.IsTupleType() && !ty.IsListType() && !ty.IsObjectType():
		return nil, false
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		inside, ok := Wires(e)
		if !ok {
			return nil, false
		}
		names = append(names, inside...)
	}
	return names, true
}
