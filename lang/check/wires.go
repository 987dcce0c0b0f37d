package check

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/scope"
	"qpipe/lang/syntax"
)

// from evaluates what a layer reads: as it is written, else the layer above it.
func (u *unroller) from(f *frame, l *config.Layer, address string) (names []string) {
	ok := f.last != ""
	switch {
	case l.From != nil:
		names, ok = u.wires(l.From, address)
		ok = ok && u.made(l.From, address, names)
	case ok:
		names = []string{f.last}
	default:
		u.Errorf(diag.MissingAttribute, scope.At{Address: address, Subject: syntax.Range(l.Header)}, "Say what it reads: from = layer.NAME, or a list of them.", `"from" is missing: what is above gives more than one value`)
	}
	if !ok {
		names = []string{program.Unknown}
	}
	u.unsure = u.unsure || slices.Contains(names, program.Unknown)
	return names
}

// wires evaluates a `from`.
func (u *unroller) wires(a *hcl.Attribute, address string) ([]string, bool) {
	if _, ok := u.References(a.Expr, address, a.Name); !ok {
		return nil, false
	}
	v, ok := u.Value(a.Expr, address)
	if !ok {
		return nil, false
	}
	if !v.IsWhollyKnown() { // of a layer with a mistake
		return nil, false
	}
	names, ok := scope.Wires(v)
	if !ok || len(names) == 0 {
		u.Errorf(diag.WrongType, scope.At{Address: address, Subject: syntax.Range(a.Expr.Range())},
			"Write: from = layer.NAME, from = input, or a list: from = [layer.a, layer.b].", "%q needs a layer or a list of layers", a.Name)
		return nil, false
	}
	return names, true
}

// made reports a layer of a loop that reads itself, or a later one.
func (u *unroller) made(a *hcl.Attribute, address string, names []string) bool {
	i := slices.IndexFunc(names, func(n string) bool { return u.pending[n] })
	if i < 0 {
		return true
	}
	u.Errorf(diag.UnknownReference, scope.At{Address: address, Subject: syntax.Range(a.Expr.Range())},
		"In a loop, only layers above and instances before it can be read.", "layer %q cannot be read here: it is not there yet", names[i])
	return false
}

// operands notes where a layer says what it reads: all of it, and each value of a list.
func (u *unroller) operands(l *config.Layer, name string, from []string) {
	path, all, names := program.LayerPath(name)+".from", l.Header, l.Header
	var each []hclsyntax.Expression
	if l.From != nil {
		all, names = l.From.Expr.Range(), l.From.NameRange
		if list, ok := l.From.Expr.(*hclsyntax.TupleConsExpr); ok && len(list.Exprs) == len(from) {
			each = list.Exprs
		}
	}
	u.origin.Attrs[path], u.origin.Names[path] = syntax.Range(all), syntax.Range(names)
	for i := range from {
		at := all
		if each != nil {
			at = each[i].Range()
		}
		u.origin.Attrs[program.OperandPath(name, i)] = syntax.Range(at)
	}
}

// use notes that something reads layers.
func (u *unroller) use(names []string) {
	for _, name := range names {
		u.used[name] = true
		u.unsure = u.unsure || name == program.Unknown
	}
}

// outputs names what the model's network gives.
func (u *unroller) outputs(f *frame, blocks []*config.Result) {
	taken := map[string]cty.Value{}
	for _, b := range blocks {
		address := f.address + ".output." + b.Name
		if !u.fresh(address, "output", b.Name, b.NameRange, taken) {
			continue
		}
		path := "output." + b.Name
		u.origin.Attrs[path], u.origin.Names[path] = syntax.Range(b.Header), syntax.Range(b.NameRange)
		name, ok := u.result(f, b, address)
		u.use([]string{name})
		if taken[b.Name] = scope.Wire(name); ok && name != program.Unknown {
			u.out.Outputs = append(u.out.Outputs, program.NetworkOutput{Name: b.Name, From: name})
		}
	}
	if len(blocks) == 0 && f.last != "" {
		u.use([]string{f.last})
	}
	if len(blocks) == 0 && len(u.out.Layers) > 0 && f.last == "" {
		u.Errorf(diag.MissingBlock, scope.At{Address: f.address, Subject: u.origin.Header}, `Add: output "name" { from = layer.NAME }`, "the network does not say what its output is")
	}
}

// result is the layer that an output block names, or the last one.
func (u *unroller) result(f *frame, b *config.Result, address string) (name string, ok bool) {
	if b.From == nil {
		if f.last == "" {
			u.Errorf(diag.MissingAttribute, scope.At{Address: address, Subject: syntax.Range(b.Header)}, "Say what it gives: from = layer.NAME.", `"from" is missing: the last layer gives more than one value`)
		}
		return cmp.Or(f.last, program.Unknown), f.last != ""
	}
	u.Within(f.inner(nil, b.From.Expr), func() {
		var names []string
		if names, ok = u.wires(b.From, address); ok && len(names) != 1 {
			u.Errorf(diag.WrongType, scope.At{Address: address, Subject: syntax.Range(b.From.Expr.Range())}, "Give each of them an output block of its own.", "an output is one layer, and these are %d", len(names))
			ok = false
		}
		if name = program.Unknown; ok {
			name = names[0]
		}
	})
	return name, ok
}

// unread reports layers that nothing reads, each place in the text once. Where mistakes leave open what is read, it says nothing.
func (u *unroller) unread() {
	if u.unsure || u.crowded {
		return
	}
	type found struct {
		*diag.Diagnostic
		others int
	}
	var list []*found
	at := map[diag.Range]*found{}
	for _, l := range u.out.Layers {
		if u.used[l.Name] {
			continue
		}
		where, name, way := scope.At{Address: l.Origin.Address, Subject: l.Origin.Header}, fmt.Sprintf("layer %q", l.Name), "Read it in a layer below, or leave it out."
		if g := u.gifts[l.Name]; g != nil {
			where, name = g.at, fmt.Sprintf("layer %q", g.layer)
			if g.output != "" {
				name = fmt.Sprintf("output %q of layer %q", g.output, g.layer)
				way = fmt.Sprintf("Read it in a layer below, or use a network without the output %q: layer %q of it would be computed for nothing.", g.output, l.Name)
			}
		}
		summary := fmt.Sprintf("nothing reads %s, and it is not an output of the network", name)
		if f := at[where.Subject]; f != nil {
			f.others++
			continue
		}
		f := &found{Diagnostic: u.Errorf(diag.UnreadLayer, where, way, "%s", summary)}
		at[where.Subject], list = f, append(list, f)
	}
	for _, f := range list {
		if f.others > 0 {
			f.Summary += fmt.Sprintf(" (and so %s made from the same text)", diag.Count(f.others, "other layer"))
		}
	}
}

// gift is an output of an instance of a definition: the one of that name, or "" for the only one.
type gift struct {
	output, layer string
	at            scope.At
}
