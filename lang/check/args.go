package check

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
)

// call decodes a part: its type must be registered, its attributes are the
// type's arguments. The result has the kind and type also when ok is false.
func (c *checker) call(kind program.Kind, part *config.Part, address string, others ...string) (call program.Call, ok bool) {
	call = program.Call{Kind: kind, Type: part.Type, Origin: c.origin(address, part.Header)}
	sig, known := c.signature(kind, part.Type, at{address: address, subject: syntax.Range(part.TypeRange)})
	if !known {
		return call, false
	}
	var blocks []string
	if kind == program.DatasetKind {
		blocks = []string{string(program.TransformKind)}
	}
	attrs, list := config.Arguments(part.Rest, fmt.Sprintf("%s %q", kind, part.Type), blocks...)
	ok = c.add(address, list)
	call.Args, call.Refs, known = c.arguments(sig, nil, attrs, &call.Origin, others...)
	call.Faulty = !ok || !known
	return call, !call.Faulty
}

func (c *checker) origin(address string, header hcl.Range) program.Origin {
	return program.Origin{
		Address: address, Header: syntax.Range(header),
		Attrs: map[string]diag.Range{}, Names: map[string]diag.Range{},
	}
}

func (c *checker) signature(kind program.Kind, typ string, p at) (program.Signature, bool) {
	sig, ok := c.opt.Signatures.Signature(kind, typ)
	if !ok {
		names := c.opt.Signatures.Names(kind)
		detail := diag.DidYouMean(typ, names, plural(kind))
		c.errorf(diag.UnknownType, p, detail, "there is no %s %q", kind, typ)
	}
	return sig, ok
}

func plural(k program.Kind) string {
	if k == program.LossKind {
		return "losses"
	}
	return string(k) + "s"
}

// arguments decodes attributes into the part's Args. With a base (an Args value)
// they change that; otherwise they start from the defaults, and the required
// ones must be there. The block's other attributes are named for suggestions.
func (c *checker) arguments(sig program.Signature, base any, attrs hcl.Attributes, o *program.Origin, others ...string) (any, []program.Ref, bool) {
	ptr := reflect.ValueOf(sig.Args())
	if base != nil {
		ptr.Elem().Set(reflect.ValueOf(base))
	}
	fields, ok, set := program.Fields(ptr.Elem().Type()), true, map[string]bool{}
	var refs []program.Ref
	for _, a := range sortedAttrs(attrs) {
		i := slices.IndexFunc(fields, func(f program.Field) bool { return f.Name == a.Name })
		if i < 0 {
			c.unknownArgument(sig, a, fields, attrs, o.Address, others)
			ok = false
			continue
		}
		r, given, fine := c.argument(fields[i], a, ptr.Elem().FieldByIndex(fields[i].Index), o)
		refs, ok = append(refs, r...), ok && fine
		set[a.Name] = given || !fine
	}
	for _, f := range fields {
		if !f.Optional && !set[f.Name] && base == nil {
			ok = false
			if c.meant(o.Address, f.Name) {
				continue
			}
			c.errorf(diag.MissingAttribute, at{address: o.Address, subject: o.Header},
				fmt.Sprintf("Add: %s = …", f.Name), "%q is missing: %s %q requires it", f.Name, sig.Kind, sig.Name)
		}
	}
	if ok {
		ok = c.validate(sig, fields, ptr.Interface(), o)
	}
	return ptr.Elem().Interface(), refs, ok
}

func (c *checker) unknownArgument(sig program.Signature, a *hcl.Attribute, fields []program.Field, given hcl.Attributes, address string, others []string) {
	names, free := slices.Clone(others), slices.Clone(others)
	for _, f := range fields {
		names = append(names, f.Name)
		if given[f.Name] == nil {
			free = append(free, f.Name)
		}
	}
	detail := diag.DidYouMean(a.Name, names, "arguments of "+sig.Name)
	near := diag.Nearest(a.Name, free)
	if near != "" {
		detail = fmt.Sprintf("Did you mean %q?", near)
	}
	if len(names) == 0 {
		detail = fmt.Sprintf("%s takes no arguments. Remove it.", sig.Name)
	}
	c.errorf(diag.UnknownAttribute, at{address: address, subject: syntax.Range(a.NameRange)}, detail,
		"%s %q has no argument %q", sig.Kind, sig.Name, a.Name).Meant = cmp.Or(near, diag.Nearest(a.Name, names))
}

// argument evaluates one attribute into its field; given is false for a null.
func (c *checker) argument(f program.Field, a *hcl.Attribute, to reflect.Value, o *program.Origin) (refs []program.Ref, given, ok bool) {
	o.Attrs[a.Name], o.Names[a.Name] = syntax.Range(a.Expr.Range()), syntax.Range(a.NameRange)
	refs, given, ok = c.assignAttr(o.Address, a, to)
	if !ok || !given {
		return refs, given, ok
	}
	if len(f.OneOf) > 0 && to.Kind() == reflect.String && !slices.Contains(f.OneOf, to.String()) {
		c.errorf(diag.BadValue, at{address: o.Address, subject: o.Attrs[a.Name]},
			diag.DidYouMean(to.String(), f.OneOf, "values allowed"), "%q cannot be %q", a.Name, to.String())
		return refs, true, false
	}
	return refs, true, true
}

// assignAttr evaluates an attribute and decodes its value; given is false for a
// null, which leaves the variable as it is.
func (c *checker) assignAttr(address string, a *hcl.Attribute, to reflect.Value) (refs []program.Ref, given, ok bool) {
	refs, ok = c.references(a.Expr, address, a.Name)
	if !ok {
		return refs, false, false
	}
	v, ok := c.value(a.Expr, address)
	if !ok {
		return refs, false, false
	}
	p := at{address: address, subject: syntax.Range(a.Expr.Range())}
	switch err := assign(v, to); {
	case errors.Is(err, errUnknown):
		c.errorf(diag.NotKnownYet, p, "Metrics can be used in outputs and in precondition and assert blocks.",
			"%q must be known before the run, and this is known only after it", a.Name)
		return refs, false, false
	case err != nil:
		c.errorf(diag.WrongType, p, example(a.Name, to.Type()), "%q %s", a.Name, err)
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

// get evaluates an attribute of the language (not of a part) into a Go variable.
// Without the attribute the variable stays as it is.
func (c *checker) get(address string, a *hcl.Attribute, to any) bool {
	if a == nil {
		return true
	}
	_, _, ok := c.assignAttr(address, a, reflect.ValueOf(to).Elem())
	return ok
}

// validate asks the Args themselves.
func (c *checker) validate(sig program.Signature, fields []program.Field, args any, o *program.Origin) bool {
	v, ok := args.(interface{ Validate() error })
	if !ok {
		return true
	}
	err := guarded(v.Validate)
	if err == nil {
		return true
	}
	p := at{address: o.Address, subject: o.Header}
	text, detail := err.Error(), sig.Doc
	var ae *program.ArgError
	if errors.As(err, &ae) {
		p.subject, text = o.At(ae.Attr), fmt.Sprintf("%q %s", ae.Attr, ae.Err)
		if i := slices.IndexFunc(fields, func(f program.Field) bool { return f.Name == ae.Attr }); i >= 0 && fields[i].Doc != "" {
			detail = fmt.Sprintf("%s: %s", ae.Attr, fields[i].Doc)
		}
	}
	c.errorf(diag.BadValue, p, detail, "%s: %s", sig.Name, text)
	return false
}

func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("its check of the arguments failed: %v", r)
		}
	}()
	return f()
}
