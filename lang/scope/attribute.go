package scope

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/hashicorp/hcl/v2"

	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
)

// Assign evaluates an attribute and decodes its value; given is false for a
// null, which leaves the variable as it is.
func (s *Scope) Assign(address string, a *hcl.Attribute, to reflect.Value) (refs []program.Ref, given, ok bool) {
	return s.assign(address, a, to, false)
}

// AssignSingle is Assign for a list that may be written as its only element.
func (s *Scope) AssignSingle(address string, a *hcl.Attribute, to reflect.Value) (refs []program.Ref, given, ok bool) {
	return s.assign(address, a, to, true)
}

func (s *Scope) assign(address string, a *hcl.Attribute, to reflect.Value, single bool) (refs []program.Ref, given, ok bool) {
	refs, ok = s.References(a.Expr, address, a.Name)
	if !ok {
		return refs, false, false
	}
	v, ok := s.Value(a.Expr, address)
	if !ok {
		return refs, false, false
	}
	p := At{Address: address, Subject: syntax.Range(a.Expr.Range())}
	form := example(a.Name, to.Type())
	fit := func() error { return assign(v, to) }
	if single && !v.IsNull() && v.IsKnown() && v.Type().IsPrimitiveType() {
		form = example(a.Name, to.Type().Elem())
		fit = func() error { return assignOnly(v, to) }
	}
	switch err := fit(); {
	case errors.Is(err, errUnknown):
		s.Errorf(diag.NotKnownYet, p, "Metrics can be used in outputs and in precondition and assert blocks.",
			"%q must be known before the run, and this is known only after it", a.Name)
		return refs, false, false
	case err != nil:
		s.Errorf(diag.WrongType, p, form, "%q %s", a.Name, err)
		return refs, false, false
	}
	return refs, !v.IsNull(), true
}

// example shows how an attribute of a Go type is written.
func example(name string, t reflect.Type) string {
	form := map[reflect.Kind]string{
		reflect.Bool: "true", reflect.Int: "10", reflect.Int64: "10", reflect.Float64: "0.1", reflect.String: `"…"`,
		reflect.Slice: "[…, …]", reflect.Map: `{ "…" = "…" }`, reflect.Struct: "stage.float.checkpoint.best",
	}[t.Kind()]
	return fmt.Sprintf("Write it as: %s = %s", name, form)
}

// Get evaluates an attribute of the language (not of a part) into a Go variable.
// Without the attribute the variable stays as it is.
func (s *Scope) Get(address string, a *hcl.Attribute, to any) bool {
	if a == nil {
		return true
	}
	_, _, ok := s.Assign(address, a, reflect.ValueOf(to).Elem())
	return ok
}

// Declared evaluates an attribute whose value is a reference to a block of the
// wanted kind, and returns the block's name, or "" without one. A null is as good as
// not written: the attribute is taken away.
func (s *Scope) Declared(address string, attr **hcl.Attribute, kind string) string {
	a := *attr
	if a == nil {
		return ""
	}
	refs, ok := s.References(a.Expr, address, a.Name)
	if !ok {
		return ""
	}
	p := At{Address: address, Subject: syntax.Range(a.Expr.Range())}
	if len(refs) > 0 {
		s.Errorf(diag.WrongType, p, s.oneOfKind(a.Name, kind), "%q needs a %s, not a stage's result", a.Name, kind)
		return ""
	}
	v, ok := s.Value(a.Expr, address)
	if !ok {
		return ""
	}
	if v.IsNull() {
		*attr = nil
		return ""
	}
	if !v.Type().Equals(capsules()[kind]) {
		s.Errorf(diag.WrongType, p, s.oneOfKind(a.Name, kind), "%q needs a %s, not %s", a.Name, kind, describe(v))
		return ""
	}
	return v.EncapsulatedValue().(*declared).name
}

func (s *Scope) oneOfKind(attr, kind string) string {
	return fmt.Sprintf("Write it as: %s = %s.%s", attr, kind, s.First(kind, "name"))
}
