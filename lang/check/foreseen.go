package check

import (
	"github.com/zclconf/go-cty/cty"

	"qpipe/lang/config"
	"qpipe/lang/program"
	"qpipe/lang/scope"
)

// foreseen puts what `layer.NAME` will be of a loop of parts in its place before there are any, if its instances read single ones of
// it: so that no list is made for each instance. Until they are there, they are pending. It reports whether it could: what a
// definition gives is not known before, and an expression may use the list as a whole, which has what has been made so far.
func (u *unroller) foreseen(f *frame, l *config.Layer, keys []string) bool {
	_, part := u.opt.Signatures.Signature(program.LayerKind, l.Type)
	if !part || len(keys) == 0 || !scope.OnlyIndexed(l.From.Expr, "layer", l.Name) {
		return false
	}
	var list []cty.Value
	object := map[string]cty.Value{}
	for _, key := range keys {
		name := f.prefix + l.Name + "." + key
		u.pending[name] = true
		list, object[key] = append(list, scope.Wire(name)), scope.Wire(name)
	}
	if f.layers[l.Name] = cty.ObjectVal(object); l.Count != nil {
		f.layers[l.Name] = cty.TupleVal(list)
	}
	return true
}
