package check

import (
	"fmt"
	"reflect"

	"github.com/hashicorp/hcl/v2"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/scope"
	"qpipe/lang/syntax"
)

// call decodes a part: its type must be registered, its attributes and blocks are the
// type's arguments. The result has the kind and type also when ok is false.
func (c *checker) call(kind program.Kind, part *config.Part, address string, others ...string) (call program.Call, ok bool) {
	call = program.Call{Kind: kind, Type: part.Type, Origin: c.origin(address, part.Header)}
	sig, known := c.signature(kind, part.Type, scope.At{Address: address, Subject: syntax.Range(part.TypeRange)})
	if !known {
		return call, false
	}
	var taken []string
	if kind == program.DatasetKind {
		taken = []string{string(program.TransformKind)}
	}
	args := reflect.ValueOf(sig.Args()).Elem()
	fine, rest := true, part.Rest
	for _, f := range c.fieldsOf(args.Type()) {
		if f.Network {
			var n program.Network
			n, rest, fine = c.network(part, &call.Origin)
			args.FieldByIndex(f.Index).Set(reflect.ValueOf(n))
		}
	}
	if rest == nil {
		call.Args, call.Faulty = args.Interface(), true
		return call, false
	}
	content, ok := c.content(rest, fmt.Sprintf("%s %q", kind, part.Type), scope.At{Address: address, Subject: call.Origin.Header}, c.fieldsOf(args.Type()), taken...)
	call.Args, call.Refs, known = c.arguments(sig, args, false, content, &call.Origin, others...)
	call.Faulty = !ok || !known || !fine
	return call, !call.Faulty
}

// fieldsOf lists the arguments of a type of Args; there are many parts of few types.
func (c *checker) fieldsOf(t reflect.Type) []program.Field {
	list, known := c.fields[t]
	if !known {
		list = program.Fields(t)
		c.fields[t] = list
	}
	return list
}

func (c *checker) origin(address string, header hcl.Range) program.Origin {
	return program.Origin{
		Address: address, Header: syntax.Range(header),
		Attrs: map[string]diag.Range{}, Names: map[string]diag.Range{},
	}
}

func (c *checker) signature(kind program.Kind, typ string, p scope.At) (program.Signature, bool) {
	sig, ok := c.opt.Signatures.Signature(kind, typ)
	if !ok {
		names := c.opt.Signatures.Names(kind)
		detail := diag.DidYouMean(typ, names, plural(kind))
		c.Errorf(diag.UnknownType, p, detail, "there is no %s %q", kind, typ)
	}
	return sig, ok
}

func plural(k program.Kind) string {
	if k == program.LossKind {
		return "losses"
	}
	return string(k) + "s"
}

func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("its check of the arguments failed: %v", r)
		}
	}()
	return f()
}
