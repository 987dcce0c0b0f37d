package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/scope"
	"qpipe/lang/syntax"
)

// definition puts the layers of a `network` block in the place of a layer of its name.
func (u *unroller) definition(l *config.Layer, def *config.Block, address, name string, from []string) cty.Value {
	at := scope.At{Address: address, Subject: syntax.Range(l.TypeRange)}
	def, lib, ok := u.sourced(def)
	if !ok {
		return cty.DynamicVal
	}
	if slices.Contains(u.open, def) {
		var names []string
		for _, d := range append(u.open, def) {
			names = append(names, d.Name)
		}
		u.Errorf(diag.LocalCycle, at, "A network cannot be a part of itself.", "network %q contains itself: %s", def.Name, strings.Join(names, " → "))
		return cty.DynamicVal
	}
	if len(u.open) >= maxWithin {
		u.Errorf(diag.FileTooLarge, at, "Leave some of them out.", "more than %d networks are inside of one another", maxWithin)
		u.crowded = true
		return cty.DynamicVal
	}
	in := u.decoded(def)
	if !u.room(at, len(in.Variables)+len(in.Overrides)) {
		return cty.DynamicVal
	}
	values, bad := u.given(l, in, def, address)
	u.use(from)
	inner := u.inside(l, in, def, address, name, from)
	outer := u.lib
	u.open, u.lib = append(u.open, def), lib
	defer func() { u.open, u.lib = u.open[:len(u.open)-1], outer }()
	v := cty.DynamicVal
	u.Within(scope.Inner{Closed: true}, func() {
		u.Parameters(def.Address(), in.Parameters(), values, bad)
		u.overrides(in, def, name)
		u.body(inner, in.Layers)
		v = u.results(inner, in, def)
	})
	u.note(l, address, name, v)
	return v
}

// inside is the frame of an instance: what its layers read as the input. What is not known is program.Unknown.
func (u *unroller) inside(l *config.Layer, in *config.Network, def *config.Block, address, name string, from []string) *frame {
	f := &frame{address: def.Address(), prefix: name + ".", layers: map[string]cty.Value{}}
	if !u.connected(l, in, def, address, from) {
		from = slices.Repeat([]string{program.Unknown}, max(len(in.Inputs), 1))
	}
	f.only, f.last = scope.Wire(from[0]), from[0]
	if len(in.Inputs) == 0 {
		return f
	}
	f.input = map[string]cty.Value{}
	for i, b := range in.Inputs {
		f.input[b.Name] = scope.Wire(from[i])
	}
	if len(from) > 1 {
		f.last = ""
	}
	return f
}

// note keeps which layers are the outputs of an instance.
func (u *unroller) note(l *config.Layer, address, name string, v cty.Value) {
	outputs := map[string]cty.Value{"": v}
	if v.IsKnown() && v.Type().IsObjectType() {
		outputs = v.AsValueMap()
	}
	for output, w := range outputs {
		if names, ok := scope.Wires(w); ok && strings.HasPrefix(names[0], name+".") {
			u.gifts[names[0]] = &gift{output: output, layer: name, at: scope.At{Address: address, Subject: syntax.Range(l.Header)}}
		}
	}
}

// decoded is the inside of a definition.
func (u *unroller) decoded(def *config.Block) *config.Network {
	if in := u.defs[def]; in != nil {
		return in
	}
	in, list := config.Inside[config.Network](def, nil)
	u.Add(def.Address(), list)
	u.defs[def] = in
	if in.Source != nil {
		return in
	}
	for _, b := range in.Variables {
		if slices.Contains(metaArguments(), b.Name) {
			u.Errorf(diag.BadValue, scope.At{Address: def.Address() + ".variable." + b.Name, Subject: syntax.Range(b.NameRange)},
				"Rename the variable.", "%q of a layer is no argument of its network: no variable can get it", b.Name)
		}
	}
	seen := map[string]cty.Value{}
	for _, b := range in.Inputs {
		u.fresh(def.Address()+".input."+b.Name, "input", b.Name, b.NameRange, seen)
		if b.Shape != nil {
			u.Errorf(diag.BadValue, scope.At{Address: def.Address() + ".input." + b.Name, Subject: syntax.Range(b.Shape.NameRange)}, "Leave it out: shapes are those of what each layer reads.", "an input of a definition has no shape of its own")
		}
		seen[b.Name] = cty.DynamicVal
	}
	if len(in.Layers) == 0 {
		u.Errorf(diag.MissingBlock, scope.At{Address: def.Address(), Subject: syntax.Range(def.Header)}, `Add: layer "Type" "name" { … }`, "network %q has no layer", def.Name)
	}
	return in
}

// metaArguments are those of any layer: what it reads, and how often there is one.
func metaArguments() []string { return []string{"from", "count", "for_each"} }

// given evaluates what an instance gives for the variables of its definition.
// bad has the variables that get no value because of a mistake.
func (u *unroller) given(l *config.Layer, in *config.Network, def *config.Block, address string) (values map[string]scope.Argument, bad map[string]bool) {
	content, list := config.Arguments(l.Rest, fmt.Sprintf("network %q", def.Name), nil)
	u.Add(address, list)
	var names []string
	for _, b := range in.Parameters() {
		names = append(names, b.Name)
	}
	values, bad = map[string]scope.Argument{}, map[string]bool{}
	for _, a := range scope.SortedAttrs(content.Attributes) {
		if !slices.Contains(names, a.Name) {
			u.Errorf(diag.UnknownAttribute, scope.At{Address: address, Subject: syntax.Range(a.NameRange)},
				diag.DidYouMean(a.Name, append(names, metaArguments()...), "variables of network "+def.Name),
				"network %q has no variable %q", def.Name, a.Name).Meant = diag.Nearest(a.Name, names)
			bad[diag.Nearest(a.Name, names)] = true
			continue
		}
		v, fine := u.argument(a, address)
		if i := slices.Index(names, a.Name); fine && v.IsNull() && !scope.TakesNull(in.Parameters()[i]) {
			d := u.Errorf(diag.WrongType, scope.At{Address: address, Subject: syntax.Range(a.Expr.Range())},
				"Give it a value, or give the variable a default or nullable = true.", "%q cannot be null: network %q requires it", a.Name, def.Name)
			d.Related, fine = []diag.Related{{Message: "the variable is here", Range: syntax.Range(in.Parameters()[i].Header)}}, false
		}
		values[a.Name], bad[a.Name] = scope.Argument{Value: v, At: a.Expr.Range()}, !fine
	}
	for _, b := range in.Parameters() {
		if slices.Contains(metaArguments(), b.Name) {
			bad[b.Name] = true // decoded says so
			continue
		}
		if _, set := values[b.Name]; set || scope.HasDefault(b) {
			continue
		}
		if bad[b.Name] = true; !u.Meant(address, b.Name) {
			d := u.Errorf(diag.MissingAttribute, scope.At{Address: address, Subject: syntax.Range(l.Header)}, fmt.Sprintf("Add: %s = …", b.Name), "%q is missing: network %q requires it", b.Name, def.Name)
			d.Related = []diag.Related{{Message: "the variable is here", Range: syntax.Range(b.Header)}}
		}
	}
	return values, bad
}

// argument evaluates what is given for a variable.
func (u *unroller) argument(a *hcl.Attribute, address string) (cty.Value, bool) {
	refs, ok := u.References(a.Expr, address, a.Name)
	if !ok {
		return cty.DynamicVal, false
	}
	u.noStages(refs, address)
	v, ok := u.Value(a.Expr, address)
	return v, ok && len(refs) == 0
}

// connected reports an instance that does not read as many values as its definition has inputs.
func (u *unroller) connected(l *config.Layer, in *config.Network, def *config.Block, address string, from []string) bool {
	want := max(len(in.Inputs), 1)
	if len(from) == want || slices.Contains(from, program.Unknown) {
		return len(from) == want
	}
	at := scope.At{Address: address, Subject: syntax.Range(l.Header)}
	if l.From != nil {
		at.Subject = syntax.Range(l.From.Expr.Range())
	}
	detail := "Write one: from = layer.NAME."
	if want > 1 {
		var names []string
		for _, b := range in.Inputs {
			names = append(names, "layer."+b.Name)
		}
		detail = "Write them in this order: from = [" + strings.Join(names, ", ") + "]."
	}
	d := u.Errorf(diag.WrongType, at, detail, "network %q has %s, and %d are given", def.Name, diag.Count(want, "input"), len(from))
	d.Related = []diag.Related{{Message: "the network is here", Range: syntax.Range(def.Header)}}
	return false
}

// results is what an instance gives: the layer that the output block names, or the last one; of several output blocks an object.
func (u *unroller) results(f *frame, in *config.Network, def *config.Block) cty.Value {
	if len(in.Outputs) == 0 {
		if f.last == "" {
			if len(in.Layers) > 0 {
				u.Errorf(diag.MissingBlock, scope.At{Address: def.Address(), Subject: syntax.Range(def.Header)}, `Add: output "name" { from = layer.NAME }`, "network %q does not say what its output is", def.Name)
			}
			return cty.DynamicVal
		}
		return scope.Wire(f.last)
	}
	all := map[string]cty.Value{}
	for _, b := range in.Outputs {
		address := def.Address() + ".output." + b.Name
		if !u.fresh(address, "output", b.Name, b.NameRange, all) {
			continue
		}
		name, _ := u.result(f, b, address)
		all[b.Name] = scope.Wire(name)
	}
	if len(in.Outputs) == 1 {
		return all[in.Outputs[0].Name]
	}
	return cty.ObjectVal(all)
}
