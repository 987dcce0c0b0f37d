package check

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/scope"
	"qpipe/lang/syntax"
)

// How large a network may be.
const (
	maxLayers = 10_000 // loops unrolled and definitions written out; uses of a definition count too, each variable and override in it, and loops that make nothing
	maxWithin = 100    // definitions inside of one another
)

// unroller writes a network out: it unrolls loops and puts the layers of definitions in the place of their instances.
type unroller struct {
	*checker
	out     program.Network
	origin  *program.Origin // of the model; it gets the places of the layers' arguments
	open    []*config.Block // the definitions that are being written out
	lib     *library        // where the present layers' definitions are
	defs    map[*config.Block]*config.Network
	said    map[mistake]bool // what has been reported: a definition's mistakes come once
	written int              // layers, of maxLayers
	crowded bool
	depth   int              // of once
	used    map[string]bool  // layers that something reads
	pending map[string]bool  // instances of the present loops that are not there yet
	unsure  bool             // mistakes leave open what is read
	gifts   map[string]*gift // by the layer that is the output
}

// mistake is what is the same in two reports of one mistake.
type mistake struct {
	code    diag.Code
	at      diag.Range
	summary string
}

// frame is the body of a network, or of a definition, while its layers are written out.
type frame struct {
	address string               // of the block
	prefix  string               // of its layers' names
	input   map[string]cty.Value // what `input` has; nil: it is the one value
	only    cty.Value            // what `input` is, where it is one value
	layers  map[string]cty.Value // what `layer` has so far
	last    string               // what the next layer reads, if it does not say; "" where that is not one value, program.Unknown after a mistake
}

// network decodes the layers of a model. What is left of the body are its other arguments.
func (c *checker) network(part *config.Part, o *program.Origin) (n program.Network, rest hcl.Body, ok bool) {
	var in config.Layers
	ok = c.Expand(scope.At{Address: o.Address, Subject: o.Header}, func(*config.Loops) (list diag.List) {
		in, list = config.LayersOf(part)
		return list
	})
	u := &unroller{checker: c, origin: o, lib: c.own(), defs: map[*config.Block]*config.Network{}, said: map[mistake]bool{}, used: map[string]bool{}, pending: map[string]bool{}, gifts: map[string]*gift{}}
	before := len(c.List)
	f := &frame{address: o.Address, only: scope.Wire(program.InputName), layers: map[string]cty.Value{}}
	u.inputs(f, in.Inputs)
	u.body(f, in.Layers)
	u.outputs(f, in.Outputs)
	u.unread()
	u.out.Partial = u.out.Partial || u.crowded || !ok
	if len(in.Layers) == 0 {
		u.Errorf(diag.MissingBlock, scope.At{Address: o.Address, Subject: o.Header}, `Add: layer "Type" "name" { … }`, "the network has no layer")
	}
	ok = ok && !c.List[before:].HasErrors()
	u.out.Faulty = !ok
	return u.out, in.Rest, ok
}

// inputs declares the inputs of the model's network.
func (u *unroller) inputs(f *frame, blocks []*config.Input) {
	if f.last = program.InputName; len(blocks) == 0 {
		return
	}
	values := map[string]cty.Value{}
	for _, b := range blocks {
		address := f.address + ".input." + b.Name
		if !u.fresh(address, "input", b.Name, b.NameRange, values) {
			u.out.Partial = true
			continue
		}
		name := program.InputName + "." + b.Name
		in := program.NetworkInput{Name: b.Name}
		u.origin.Attrs[name], u.origin.Names[name] = syntax.Range(b.Header), syntax.Range(b.NameRange)
		if b.Shape != nil {
			u.origin.Attrs[name+".shape"], u.origin.Names[name+".shape"] = syntax.Range(b.Shape.Expr.Range()), syntax.Range(b.Shape.NameRange)
			u.shape(&in, b.Shape, address)
		}
		u.out.Inputs = append(u.out.Inputs, in)
		values[b.Name] = scope.Wire(name)
	}
	f.input, f.last = values, ""
	if len(u.out.Inputs) == 1 {
		f.last = program.InputName + "." + u.out.Inputs[0].Name
	}
}

// shape evaluates the shape of an input. A wrong one counts as not written.
func (u *unroller) shape(in *program.NetworkInput, a *hcl.Attribute, address string) {
	const form = "Write height, width and channels: shape = [32, 32, 3]."
	at := scope.At{Address: address, Subject: syntax.Range(a.Expr.Range())}
	ok := u.Get(address, a, &in.Shape)
	if ok && in.Shape != nil && len(in.Shape) != 3 {
		u.Errorf(diag.BadValue, at, form, "a shape has three numbers, and this has %d", len(in.Shape))
		ok = false
	}
	if i := slices.IndexFunc(in.Shape, func(v int) bool { return v < 1 }); ok && i >= 0 {
		u.Errorf(diag.BadValue, at, form, "a %s of %d: all three numbers of a shape are at least 1", [...]string{"height", "width", "number of channels"}[i], in.Shape[i])
		ok = false
	}
	if !ok {
		in.Shape = nil
	}
}

// fresh reports whether a name can be given, and reports it where not.
func (u *unroller) fresh(address, word, name string, where hcl.Range, taken map[string]cty.Value) bool {
	at := scope.At{Address: address, Subject: syntax.Range(where)}
	if !hclsyntax.ValidIdentifier(name) {
		u.Errorf(diag.BadLabel, at, "A name has letters, digits, _ and -, and begins with a letter: it is used in references.", "%q is not a name", name)
		return false
	}
	if _, again := taken[name]; again {
		u.once(func() {
			u.Errorf(diag.DuplicateName, at, "Rename one of the two.", "a second %s is named %q", word, name)
		})
		return false
	}
	return true
}

// once keeps what do reports only where it has not been reported: a definition is written out several times.
func (u *unroller) once(do func()) {
	before := len(u.List)
	u.depth++
	do()
	if u.depth--; u.depth > 0 {
		return // whoever is around looks at all of it
	}
	var kept diag.List
	for _, d := range u.List[before:] {
		m := mistake{d.Code, d.Subject, d.Summary}
		if d.Code == diag.EvaluationFailed || d.Code == diag.UnknownReference {
			m.summary = "" // it may count instances
		}
		if !u.said[m] {
			u.said[m] = true
			kept = append(kept, d)
		}
	}
	u.Keep(before, kept)
}

// body writes out layers in their order.
func (u *unroller) body(f *frame, layers []*config.Layer) {
	for _, l := range layers {
		address := f.address + ".layer." + l.Name
		if u.crowded || !u.fresh(address, "layer", l.Name, l.NameRange, f.layers) {
			u.unsure, f.last = true, program.Unknown
			continue
		}
		u.once(func() { f.layers[l.Name] = u.layer(f, l, address) })
	}
}

// layer writes out a layer, or the several that its loop makes, and returns what `layer.NAME` is.
func (u *unroller) layer(f *frame, l *config.Layer, address string) cty.Value {
	at := scope.At{Address: address, Subject: syntax.Range(l.Header)}
	if l.Count != nil && l.ForEach != nil {
		u.Errorf(diag.BadValue, at, "Remove one of the two.", "a layer has either count or for_each")
		return u.lost(f)
	}
	if l.Count == nil && l.ForEach == nil {
		return u.instance(f, l, address, f.prefix+l.Name, nil)
	}
	keys, values, ok := u.loop(f, l, address)
	if len(keys) == 0 && !u.room(at, 1) || !ok {
		return u.lost(f)
	}
	var list []cty.Value
	object := map[string]cty.Value{}
	all := func() cty.Value {
		if l.Count != nil {
			return cty.TupleVal(list)
		}
		return cty.ObjectVal(object)
	}
	own := l.From != nil && slices.ContainsFunc(l.From.Expr.Variables(), func(t hcl.Traversal) bool { return t.RootName() == "layer" })
	foreseen := own && u.foreseen(f, l, keys)
	for i, key := range keys {
		if u.crowded {
			return u.lost(f)
		}
		loop := map[string]cty.Value{}
		if l.Count != nil {
			loop["count"] = cty.ObjectVal(map[string]cty.Value{"index": cty.NumberIntVal(int64(i))})
		} else {
			loop["each"] = cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(key), "value": values[i]})
		}
		if !foreseen && (own || i == 0) { // it may read those that it has made so far
			f.layers[l.Name] = all()
		}
		v := u.instance(f, l, fmt.Sprintf("%s[%s]", address, key), f.prefix+l.Name+"."+key, loop)
		list, object[key] = append(list, v), v
		delete(u.pending, f.prefix+l.Name+"."+key)
	}
	return all()
}

// lost is what `layer.NAME` is after a mistake because of which it is not known: whoever reads it is not checked further.
func (u *unroller) lost(f *frame) cty.Value {
	u.unsure, f.last = true, program.Unknown
	return cty.DynamicVal
}

// loop evaluates count or for_each: the keys of the instances, and for for_each their values.
func (u *unroller) loop(f *frame, l *config.Layer, address string) (keys []string, values []cty.Value, ok bool) {
	u.Within(f.inner(nil, exprs(l)...), func() {
		if l.Count != nil {
			n := 0
			if ok = u.Get(address, l.Count, &n); !ok {
				return
			}
			if n < 0 || n > maxLayers {
				u.Errorf(diag.BadValue, scope.At{Address: address, Subject: syntax.Range(l.Count.Expr.Range())},
					fmt.Sprintf("Write a number from 0 to %d.", maxLayers), "count cannot be %d", n)
				ok = false
				return
			}
			for i := range n {
				keys = append(keys, strconv.Itoa(i))
			}
			return
		}
		keys, values, ok = u.each(l.ForEach, address)
	})
	return keys, values, ok
}

// each evaluates a for_each: a map, an object, or a set or list of strings.
func (u *unroller) each(a *hcl.Attribute, address string) (keys []string, values []cty.Value, ok bool) {
	at := scope.At{Address: address, Subject: syntax.Range(a.Expr.Range())}
	if _, ok = u.References(a.Expr, address, a.Name); !ok {
		return nil, nil, false
	}
	v, ok := u.Value(a.Expr, address)
	if !ok {
		return nil, nil, false
	}
	if v.IsNull() || !v.IsWhollyKnown() || !v.CanIterateElements() || v.LengthInt() > maxLayers {
		u.Errorf(diag.WrongType, at, `Write a list of names, for_each = ["a", "b"], or an object, { a = 1, b = 2 }.`, "for_each cannot make layers of this")
		return nil, nil, false
	}
	named, seen := v.Type().IsObjectType() || v.Type().IsMapType(), map[string]bool{}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if !named {
			k = e
		}
		if k.Type() != cty.String || k.IsNull() || !hclsyntax.ValidIdentifier(k.AsString()) || seen[k.AsString()] {
			u.Errorf(diag.WrongType, at, "They become parts of the layers' names: letters, digits, _ and -, beginning with a letter.", "the keys of for_each must be different names")
			return nil, nil, false
		}
		seen[k.AsString()] = true
		keys, values = append(keys, k.AsString()), append(values, e)
	}
	return keys, values, true
}

// inner is what expressions of a layer can refer to.
func (f *frame) inner(loop map[string]cty.Value, exprs ...hcl.Expression) scope.Inner {
	in := scope.Inner{Values: loop, Objects: map[string]map[string]cty.Value{"layer": f.layers}, Exprs: exprs}
	if f.input != nil {
		in.Objects["input"] = f.input
		return in
	}
	in.Values = maps.Clone(loop)
	if in.Values == nil {
		in.Values = map[string]cty.Value{}
	}
	in.Values["input"] = f.only
	return in
}

// exprs are the expressions of a layer.
func exprs(l *config.Layer) (list []hcl.Expression) {
	for _, a := range []*hcl.Attribute{l.From, l.Count, l.ForEach} {
		if a != nil {
			list = append(list, a.Expr)
		}
	}
	attrs, _ := l.Rest.JustAttributes()
	for _, a := range attrs {
		list = append(list, a.Expr)
	}
	return list
}

// instance writes out one layer under its full name, and returns the reference to what it gives.
func (u *unroller) instance(f *frame, l *config.Layer, address, name string, loop map[string]cty.Value) (v cty.Value) {
	at := scope.At{Address: address, Subject: syntax.Range(l.Header)}
	if !u.room(at, 1) {
		return u.lost(f)
	}
	u.Within(f.inner(loop, exprs(l)...), func() {
		from := u.from(f, l, address)
		_, part := u.opt.Signatures.Signature(program.LayerKind, l.Type)
		if def := u.find(l.Type); def != nil && !part {
			v = u.definition(l, def, address, name, from)
		} else {
			v = u.part(l, address, name, from)
		}
		switch names, ok := scope.Wires(v); {
		case !ok:
			u.lost(f)
		case len(names) == 1:
			f.last = names[0]
		default:
			f.last = ""
		}
	})
	return v
}

// room counts layers, and reports the one that is too many.
func (u *unroller) room(at scope.At, n int) bool {
	if u.written += n; u.written <= maxLayers {
		return true
	}
	if !u.crowded {
		u.Errorf(diag.FileTooLarge, at, "Is a count larger than meant?", "the network has more than %d layers, with the networks in it, their variables and their overrides", maxLayers)
	}
	u.crowded = true
	return false
}

// part writes out a layer that is a part.
func (u *unroller) part(l *config.Layer, address, name string, from []string) cty.Value {
	if _, known := u.opt.Signatures.Signature(program.LayerKind, l.Type); !known {
		names := slices.Concat(u.opt.Signatures.Names(program.LayerKind), u.lib.names())
		slices.Sort(names)
		u.Errorf(diag.UnknownType, scope.At{Address: address, Subject: syntax.Range(l.TypeRange)}, diag.DidYouMean(l.Type, names, "layers"), "there is no layer or network %q", l.Type)
		u.use(from)
		return cty.DynamicVal
	}
	if name == program.InputName || slices.ContainsFunc(u.out.Inputs, func(in program.NetworkInput) bool { return in.Name == name }) {
		u.Errorf(diag.DuplicateName, scope.At{Address: address, Subject: syntax.Range(l.NameRange)}, "Rename the layer.", "%q is what an input of the network is called, and cannot name a layer, too", name)
		u.out.Partial = true
	}
	call, _ := u.call(program.LayerKind, l.Part(), address, metaArguments()...)
	u.noStages(call.Refs, address)
	path := program.LayerPath(name)
	u.origin.Attrs[path], u.origin.Names[path] = call.Origin.Header, call.Origin.Header
	for attr, at := range call.Origin.Attrs {
		u.origin.Attrs[path+"."+attr], u.origin.Names[path+"."+attr] = at, call.Origin.Names[attr]
	}
	u.operands(l, name, from)
	u.use(from)
	u.out.Layers = append(u.out.Layers, program.Layer{Call: call, Name: name, From: from})
	return scope.Wire(name)
}
