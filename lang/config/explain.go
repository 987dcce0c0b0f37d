package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"qpipe/lang/diag"
	"qpipe/lang/syntax"
)

// explain says gohcl's diagnostics in the language's words: an unknown name gets
// the names that could stand there, from the struct that was decoded into.
func explain(diags hcl.Diagnostics, body *hclsyntax.Body, into any, what string) diag.List {
	var list diag.List
	for _, d := range diags {
		t := syntax.TranslateAs(hcl.Diagnostics{d}, diag.BadDynamic)[0]
		if strings.HasPrefix(d.Summary, "Duplicate ") {
			t.Code = diag.DuplicateBlock
		}
		if f, ok := find(body, reflect.TypeOf(into).Elem(), what, d.Subject); ok {
			f.reword(t)
		} else if t.Code == diag.BadLabel {
			rewordLabel(t, reflect.TypeOf(into).Elem())
		} else if t.Code == diag.UnknownBlock && strings.Contains(d.Detail, `"dynamic"`) {
			t.Summary = "no dynamic block in " + what
			t.Detail = "Blocks of the top level are written out; a dynamic block stands inside one of them."
		}
		list = append(list, t)
	}
	return list
}

// rewordLabel shows how a block is written whose labels are too few or too many.
func rewordLabel(d *diag.Diagnostic, typ reflect.Type) {
	_, keyword, _ := strings.Cut(d.Summary, " for ")
	if t := blockType(typ, keyword); t != nil {
		d.Detail = "It is written: " + header(keyword, t) + " { … }"
	}
}

// found is the place of a diagnostic in the tree of blocks: the name that it is
// about, and the struct of the block around it.
type found struct {
	name  string
	typ   reflect.Type
	what  string // the block around, in words
	given map[string]bool
	block bool
	first *hclsyntax.Block // of the same name, when the one found is not the first
}

// find walks the blocks and the types of their structs side by side.
func find(body *hclsyntax.Body, typ reflect.Type, what string, at *hcl.Range) (found, bool) {
	if body == nil || at == nil || typ == nil {
		return found{}, false
	}
	given := map[string]bool{}
	for name := range body.Attributes {
		given[name] = true
	}
	for name, attr := range body.Attributes {
		if attr.NameRange == *at {
			return found{name: name, typ: typ, what: what, given: given}, true
		}
	}
	first := map[string]*hclsyntax.Block{}
	for _, b := range body.Blocks {
		name, inner, where := b.Type, b.Body, b.TypeRange
		if b.Type == "dynamic" && len(b.Labels) == 1 {
			name, inner, where = b.Labels[0], content(b.Body), b.LabelRanges[0]
		}
		if where == *at || b.DefRange() == *at {
			return found{name: name, typ: typ, what: what, given: given, block: true, first: first[name]}, true
		}
		if first[name] == nil {
			first[name] = b
		}
		if f, ok := find(inner, blockType(typ, name), inBlock(name), at); ok {
			return f, ok
		}
	}
	return found{}, false
}

// inBlock says "a trainer block", "an output block".
func inBlock(keyword string) string {
	if strings.ContainsAny(keyword[:1], "aeiou") {
		return "an " + keyword + " block"
	}
	return "a " + keyword + " block"
}

func content(body *hclsyntax.Body) *hclsyntax.Body {
	for _, b := range body.Blocks {
		if b.Type == "content" {
			return b.Body
		}
	}
	return nil
}

func (f found) reword(d *diag.Diagnostic) {
	attrs, blocks := names(f.typ)
	switch {
	case d.Code == diag.UnknownAttribute:
		d.Summary = fmt.Sprintf("no attribute %q in %s", f.name, f.what)
		d.Detail = f.way(attrs, blocks)
	case d.Code == diag.UnknownBlock:
		d.Summary = fmt.Sprintf("no block %q in %s", f.name, f.what)
		d.Detail = f.way(attrs, blocks)
	case d.Code == diag.DuplicateBlock:
		d.Summary = fmt.Sprintf("a second %s block in %s", f.name, f.what)
		d.Detail = "Keep one of the two."
		if f.first != nil {
			d.Related = []diag.Related{{Message: "the first is here", Range: syntax.Range(f.first.DefRange())}}
		}
	case d.Code == diag.BadLabel:
		d.Detail = "It is written: " + header(f.name, blockType(f.typ, f.name)) + " { … }"
	}
}

// way tells where the name belongs, or which names there are.
func (f found) way(attrs, blocks []string) string {
	same, other, form := attrs, blocks, "%q is a block: write it without the equals sign, as %[1]s { … }."
	kind := "attributes of this block"
	if f.block {
		same, other, form = blocks, attrs, "%q is an attribute: write it with an equals sign, as %[1]s = value."
		kind = "blocks that can stand here"
	}
	if slices.Contains(other, f.name) {
		return fmt.Sprintf(form, f.name)
	}
	free := slices.DeleteFunc(slices.Clone(same), func(n string) bool { return f.given[n] })
	if near := diag.Nearest(f.name, free); near != "" {
		return fmt.Sprintf("Did you mean %q?", near)
	}
	if homes := elsewhere(f.typ, f.name, f.block); len(homes) > 0 {
		return fmt.Sprintf("It belongs in %s.", strings.Join(homes, " or "))
	}
	if len(same) == 0 {
		return fmt.Sprintf("Only blocks can stand here: %s.", diag.Enumerate(other))
	}
	return diag.DidYouMean(f.name, same, kind)
}

// names lists the attributes and blocks of a struct, sorted.
func names(typ reflect.Type) (attrs, blocks []string) {
	for name, kind := range fields(typ) {
		if kind == nil {
			attrs = append(attrs, name)
		} else {
			blocks = append(blocks, name)
		}
	}
	slices.Sort(attrs)
	slices.Sort(blocks)
	return attrs, blocks
}

// fields maps the names of a struct's attributes to nil and of its blocks to
// their structs.
func fields(typ reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, kind, _ := strings.Cut(f.Tag.Get("hcl"), ",")
		switch {
		case name == "":
		case kind == "block":
			out[name] = element(f.Type)
		case kind == "optional" || kind == "attr" || kind == "":
			out[name] = nil
		}
	}
	return out
}

func element(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func blockType(typ reflect.Type, name string) reflect.Type { return fields(typ)[name] }

// elsewhere names the blocks below that have an attribute (or block) of the name.
func elsewhere(typ reflect.Type, name string, block bool) []string {
	below := fields(typ)
	if typ == reflect.TypeFor[root]() {
		below = insides()
	}
	var out []string
	for _, n := range slices.Sorted(maps.Keys(below)) {
		if below[n] == nil {
			continue
		}
		if t, ok := fields(below[n])[name]; ok && (t != nil) == block {
			out = append(out, n+" {}")
		}
	}
	return out
}

// insides maps the blocks of the top level to the structs of their bodies.
func insides() map[string]reflect.Type {
	return map[string]reflect.Type{
		"qpipe": reflect.TypeFor[Settings](), "variable": reflect.TypeFor[Variable](), "dataset": reflect.TypeFor[Dataset](),
		"qconfig": reflect.TypeFor[QConfig](), "stage": reflect.TypeFor[Stage](), "output": reflect.TypeFor[Output](),
	}
}

// header shows how a block's type and labels are written.
func header(name string, typ reflect.Type) string {
	for i := range typ.NumField() {
		label, kind, _ := strings.Cut(typ.Field(i).Tag.Get("hcl"), ",")
		if kind == "label" {
			name += ` "` + label + `"`
		}
	}
	return name
}
