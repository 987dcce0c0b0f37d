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

// explain rewrites gohcl's diagnostics in the language's words: for an unknown name it lists the names that are allowed
// there, from the struct that was decoded into. The diagnostics are sorted by the order of the text, and those after
// the ones that are shown keep hcl's words.
func explain(diags hcl.Diagnostics, body *hclsyntax.Body, into any, what string) diag.List {
	if len(diags) == 0 {
		return nil
	}
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int { return startOf(a) - startOf(b) })
	var list diag.List
	typ := reflect.TypeOf(into).Elem()
	places := map[hcl.Range]found{}
	index(places, body, typ, what)
	for i, d := range diags {
		t := syntax.TranslateAs(hcl.Diagnostics{d}, diag.BadDynamic)[0]
		if strings.HasPrefix(d.Summary, "Duplicate ") {
			t.Code = diag.DuplicateBlock
		}
		if t.Code == diag.BadLabel {
			_, t.Meant, _ = strings.Cut(d.Summary, " for ")
		}
		if i < diag.Most {
			explainOne(t, d, places, typ, what)
		}
		list = append(list, t)
	}
	return list
}

func startOf(d *hcl.Diagnostic) int {
	if d.Subject == nil {
		return 0
	}
	return d.Subject.Start.Byte
}

func explainOne(t *diag.Diagnostic, d *hcl.Diagnostic, places map[hcl.Range]found, typ reflect.Type, what string) {
	var f found
	ok := false
	if d.Subject != nil {
		f, ok = places[*d.Subject]
	}
	switch {
	case ok:
		f.reword(t)
	case t.Code == diag.BadLabel:
		rewordLabel(t, typ)
	case t.Code == diag.UnknownBlock && strings.Contains(d.Detail, `"dynamic"`):
		t.Summary = "no dynamic block in " + what
		t.Detail = "Blocks of the top level are written out; a dynamic block belongs inside one of them."
	}
}

// rewordLabel shows how a block is written whose labels are too few or too many.
func rewordLabel(d *diag.Diagnostic, typ reflect.Type) {
	if t := blockType(typ, d.Meant); t != nil {
		d.Detail = "It is written: " + header(d.Meant, t)
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

// index walks the blocks and the types of their structs side by side, and notes the
// places that gohcl's diagnostics can be about.
func index(places map[hcl.Range]found, body *hclsyntax.Body, typ reflect.Type, what string) {
	if body == nil || typ == nil {
		return
	}
	note := func(at hcl.Range, f found) {
		if _, taken := places[at]; !taken {
			places[at] = f
		}
	}
	given := map[string]bool{}
	for name := range body.Attributes {
		given[name] = true
	}
	for name, attr := range body.Attributes {
		note(attr.NameRange, found{name: name, typ: typ, what: what, given: given})
	}
	types := fields(typ)
	first := map[string]*hclsyntax.Block{}
	for _, b := range body.Blocks {
		name, inner, where := b.Type, b.Body, b.TypeRange
		if b.Type == "dynamic" && len(b.Labels) == 1 {
			name, inner, where = b.Labels[0], content(b.Body), b.LabelRanges[0]
		}
		f := found{name: name, typ: typ, what: what, given: given, block: true, first: first[name]}
		note(where, f)
		note(b.DefRange(), f)
		if first[name] == nil {
			first[name] = b
		}
		index(places, inner, types[name], inBlock(name))
	}
}

// inBlock says "a trainer block", "an output block".
func inBlock(keyword string) string { return diag.Article(keyword) + " block" }

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
		f.way(d, attrs, blocks)
	case d.Code == diag.UnknownBlock:
		d.Summary = fmt.Sprintf("no block %q in %s", f.name, f.what)
		f.way(d, attrs, blocks)
	case d.Code == diag.DuplicateBlock:
		d.Summary, d.Meant = fmt.Sprintf("a second %s block in %s", f.name, f.what), f.name
		d.Detail = "Keep one of the two."
		if f.first != nil {
			d.Related = []diag.Related{{Message: "the first is here", Range: syntax.Range(f.first.DefRange())}}
		}
	case d.Code == diag.BadLabel:
		d.Detail = "It is written: " + header(f.name, blockType(f.typ, f.name))
	}
}

// way says where the name belongs, or which names there are.
func (f found) way(d *diag.Diagnostic, attrs, blocks []string) {
	same, other, form := attrs, blocks, "%q is a block: write it without the equals sign, as %[1]s { … }."
	kind := "attributes of this block"
	if f.block {
		same, other, form = blocks, attrs, "%q is an attribute: write it with an equals sign, as %[1]s = value."
		kind = "blocks that are allowed here"
	}
	if d.Swapped = slices.Contains(other, f.name); d.Swapped {
		d.Detail = fmt.Sprintf(form, f.name)
		return
	}
	free := slices.DeleteFunc(slices.Clone(same), func(n string) bool { return f.given[n] })
	if d.Meant = diag.Nearest(f.name, free); d.Meant != "" {
		d.Detail = fmt.Sprintf("Did you mean %q?", d.Meant)
		return
	}
	homes := elsewhere(f.typ, f.name, f.block)
	if _, ok := fields(reflect.TypeFor[QConfig]())[f.name]; ok && f.typ == reflect.TypeFor[OwnQConfig]() {
		d.Detail = ofPipeline(f.name)
		return
	}
	switch {
	case len(homes) > 0:
		d.Detail = fmt.Sprintf("It belongs in %s.", strings.Join(homes, " or "))
	case len(same) == 0:
		d.Detail = fmt.Sprintf("Only blocks are allowed here: %s.", diag.Enumerate(other))
	default:
		d.Detail, d.Meant = diag.DidYouMean(f.name, same, kind), diag.Nearest(f.name, same)
	}
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

// ofPipeline says what to do about something in the qconfig of a definition that only a qconfig of the pipeline has.
func ofPipeline(name string) string {
	if name == "override" {
		return "Write it beside this block, in the network itself."
	}
	return fmt.Sprintf("A %s holds for whole stages: write it in the qconfig that they name, qconfig \"name\" { %[1]s = … }.", name)
}

// insides maps the blocks of the top level to the structs of their bodies.
func insides() map[string]reflect.Type {
	return map[string]reflect.Type{
		"qpipe": reflect.TypeFor[Settings](), "variable": reflect.TypeFor[Variable](), "dataset": reflect.TypeFor[Dataset](),
		"qconfig": reflect.TypeFor[QConfig](), "stage": reflect.TypeFor[Stage](), "output": reflect.TypeFor[Output](),
		"network": reflect.TypeFor[Network](),
	}
}

// header shows how a block is written.
func header(name string, typ reflect.Type) string {
	var labels []string
	for i := range typ.NumField() {
		if label, kind, _ := strings.Cut(typ.Field(i).Tag.Get("hcl"), ","); kind == "label" {
			labels = append(labels, label)
		}
	}
	return Written(name, labels)
}
