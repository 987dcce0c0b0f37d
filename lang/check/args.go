package check

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/hashicorp/hcl/v2"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
)

// call decodes a part: its type must be registered, its attributes and blocks are the
// type's arguments. The result has the kind and type also when ok is false.
func (c *checker) call(kind program.Kind, part *config.Part, address string, others ...string) (call program.Call, ok bool) {
	call = program.Call{Kind: kind, Type: part.Type, Origin: c.origin(address, part.Header)}
	sig, known := c.signature(kind, part.Type, at{address: address, subject: syntax.Range(part.TypeRange)})
	if !known {
		return call, false
	}
	var taken []string
	if kind == program.DatasetKind {
		taken = []string{string(program.TransformKind)}
	}
	args := reflect.ValueOf(sig.Args()).Elem()
	content, ok := c.content(part.Rest, fmt.Sprintf("%s %q", kind, part.Type), at{address: address, subject: call.Origin.Header}, program.Fields(args.Type()), taken...)
	call.Args, call.Refs, known = c.arguments(sig, args, false, content, &call.Origin, others...)
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

func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("its check of the arguments failed: %v", r)
		}
	}()
	return f()
}
