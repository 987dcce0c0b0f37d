// Package reference describes the parts of a catalogue: what each takes, for the reference page and for listings.
package reference

import (
	"cmp"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"qpipe/interp/part"
	"qpipe/lang/program"
)

// Doc describes a part for the reference pages.
type Doc struct {
	Kind     program.Kind `json:"kind"`
	Name     string       `json:"name"`
	Doc      string       `json:"doc"`
	Args     []ArgDoc     `json:"args"`
	When     string       `json:"when,omitempty"`    // "optional" or "required"; "" if the part does not take it
	Modules  string       `json:"modules,omitempty"` // the same
	From, To program.Form `json:",omitempty"`
}

// ArgDoc describes an argument of a part.
type ArgDoc struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Required bool     `json:"required"`
	Default  string   `json:"default,omitempty"` // as written in a pipeline, "" if the argument is required
	OneOf    []string `json:"oneof,omitempty"`
	Doc      string   `json:"doc"`
	Many     bool     `json:"many,omitempty"`   // for a block: it may be written more than once
	Labels   []string `json:"labels,omitempty"` // for a block: the names of its labels
	Args     []ArgDoc `json:"args,omitempty"`   // for a block: the arguments inside
}

// Block reports whether the argument is written as a block.
func (a *ArgDoc) Block() bool { return a.Type == blockType }

const blockType = "block"

// Header returns a block as it is written, without its arguments: `layer "name" {}`.
func (a *ArgDoc) Header() string {
	text := a.Name
	for _, l := range a.Labels {
		text += " " + strconv.Quote(l)
	}
	return text + " {}"
}

// Count says in words how often a block may be written.
func (a *ArgDoc) Count() string {
	switch {
	case a.Many && a.Required:
		return "once or more"
	case a.Many:
		return "any number of times"
	case a.Required:
		return "once"
	}
	return "at most once"
}

// kinds lists the kinds of parts in the order of the reference page, with the title and
// the introduction of each section.
var kinds = []struct {
	kind         program.Kind
	title, about string
}{
	{program.DatasetKind, "Data sets", "`dataset \"Type\" \"name\" {}`\n\nA pixel becomes the network's input pixel/127.5 - 1, in every channel, unless a `Normalize` says otherwise."},
	{program.TransformKind, "Transforms", "`transform \"Type\" {}` inside a dataset, in written order"},
	{program.ModelKind, "Models", "`model \"Type\" \"name\" {}`"},
	{program.OptimizerKind, "Optimizers", "`optimizer \"Type\" {}` inside `trainer {}`"},
	{program.LRUpdaterKind, "Learning rate", "`lr_updater \"Type\" {}` inside `trainer {}`; without one the rate stays"},
	{program.LossKind, "Losses", "`loss \"Type\" {}` inside `trainer {}`"},
	{program.MetricKind, "Metrics", "`metric \"Type\" {}` inside `validation {}`"},
	{program.CallbackKind, "Callbacks", "`callback \"Type\" {}` inside a stage"},
	{program.ConverterKind, "Converters", "`converter \"Type\" {}` inside `model_convert_pipeline {}`, in written order"},
	{program.ObserverKind, "Observers", "`observer = \"name\"` inside `activation {}` of a qconfig; its arguments are in the same block. A weight has none: its scale follows from its present values"},
	{program.ExportKind, "Exports", "`export \"Type\" {}` inside a stage"},
	{program.LayerKind, "Layers", "`layer \"Type\" \"name\" {}` inside `model \"Network\"` and `network`; every layer also takes `from`, `count` and `for_each`"},
}

// Of describes every part of a catalogue, sorted by kind and then by name.
func Of(c part.Catalog) []Doc {
	var docs []Doc
	for _, k := range kinds {
		for _, name := range c.Names(k.kind) {
			p, _ := c.Signature(k.kind, name)
			docs = append(docs, Doc{
				Kind: p.Kind, Name: p.Name, Doc: p.Doc, Args: argDocs(p.Args()),
				When: needs[p.When], Modules: needs[p.Modules], From: p.From, To: p.To,
			})
		}
	}
	return docs
}

var needs = [...]string{program.NotTaken: "", program.Optional: "optional", program.Required: "required"}

// argDocs describes the arguments of a part or of a block, given a pointer to their struct. around has
// the types of the enclosing blocks: a block that may contain itself is described only once.
func argDocs(args any, around ...reflect.Type) []ArgDoc {
	var docs []ArgDoc
	for f, v := range program.Arguments(args) {
		switch {
		case f.Label || f.Network:
			continue
		case f.Block:
			d := ArgDoc{Name: f.Name, Type: blockType, Required: !f.Optional, Doc: f.Doc, Many: f.Many(), Labels: f.Labels()}
			if inside := f.Inside(); !slices.Contains(around, inside) {
				d.Args = argDocs(program.NewBlock(inside).Addr().Interface(), append(around, inside)...)
			}
			docs = append(docs, d)
			continue
		}
		d := ArgDoc{Name: f.Name, Type: typeName(f.Type), Required: !f.Optional, OneOf: f.OneOf, Doc: f.Doc}
		if f.Optional {
			d.Default = literal(v)
		}
		docs = append(docs, d)
	}
	return docs
}

// typeName returns what the language calls a type.
func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[program.Checkpoint]():
		return "checkpoint"
	case t == reflect.TypeFor[program.Source]():
		return "dataset"
	case t.Kind() == reflect.Slice:
		return "list(" + typeName(t.Elem()) + ")"
	case t.Kind() == reflect.Map:
		return "map(" + typeName(t.Elem()) + ")"
	case t.Kind() == reflect.Bool:
		return "bool"
	case t.Kind() == reflect.String:
		return "string"
	default:
		return "number"
	}
}

// literal returns a value as it is written in a pipeline.
func literal(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		return strconv.Quote(v.String())
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = literal(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
		items := make([]string, len(keys))
		for i, k := range keys {
			items[i] = strconv.Quote(k.String()) + " = " + literal(v.MapIndex(k))
		}
		return "{" + strings.Join(items, ", ") + "}"
	case reflect.Struct: // a checkpoint
		return "none"
	default:
		return fmt.Sprint(v.Interface())
	}
}

// Write writes the reference page of a catalogue as Markdown.
func Write(w io.Writer, c part.Catalog) error {
	var b strings.Builder
	b.WriteString("# The parts\n\nThis page is generated from the catalogue. Every callback that takes them has the meta-arguments `when` and `modules` (docs/language.md).\n")
	docs := Of(c)
	for _, k := range kinds {
		first := true
		for _, d := range docs {
			if d.Kind != k.kind {
				continue
			}
			if first {
				fmt.Fprintf(&b, "\n## %s\n\n%s\n", k.title, k.about)
				first = false
			}
			d.markdown(&b)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdown writes the section of a part.
func (d *Doc) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n%s\n", d.Name, d.Doc)
	if d.Kind == program.ConverterKind {
		fmt.Fprintf(b, "\nTakes a model in %s and gives %s.\n", formText(d.From, "any form"), formText(d.To, "the same form"))
	}
	var meta []string
	for _, m := range [][2]string{{"when", d.When}, {"modules", d.Modules}} {
		if m[1] != "" {
			meta = append(meta, fmt.Sprintf("`%s` (%s)", m[0], m[1]))
		}
	}
	if len(meta) > 0 {
		fmt.Fprintf(b, "\nMeta-arguments: %s.\n", strings.Join(meta, ", "))
	}
	argTable(b, d.Args, "")
}

// argTable writes a table of the arguments, then each block with a table of its own. inside names the enclosing block.
func argTable(b *strings.Builder, args []ArgDoc, inside string) {
	blocks := slices.Clone(args)
	blocks = slices.DeleteFunc(blocks, func(a ArgDoc) bool { return !a.Block() })
	if len(args) > len(blocks) {
		b.WriteString("\n| argument | type | default | |\n|---|---|---|---|\n")
	}
	for _, a := range args {
		if !a.Block() {
			fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", a.Name, a.Type, a.defaultText(), cell(a.text()))
		}
	}
	for _, a := range blocks {
		fmt.Fprintf(b, "\nBlock `%s`%s, %s. %s\n", a.Header(), inside, a.Count(), a.Doc)
		argTable(b, a.Args, fmt.Sprintf(" inside `%s`", a.Header()))
	}
}

// formText names a form, or returns otherwise for AnyForm.
func formText(f program.Form, otherwise string) string {
	if f == program.AnyForm {
		return otherwise
	}
	return fmt.Sprintf("form `%s`", f)
}

// defaultText returns the entry in the column "default".
func (a *ArgDoc) defaultText() string {
	if a.Required {
		return "required"
	}
	return "`" + cell(a.Default) + "`"
}

// text returns the argument's description and its allowed values.
func (a *ArgDoc) text() string {
	if len(a.OneOf) == 0 {
		return a.Doc
	}
	quoted := make([]string, len(a.OneOf))
	for i, v := range a.OneOf {
		quoted[i] = "`" + strconv.Quote(v) + "`"
	}
	return strings.TrimSpace(a.Doc + " One of " + strings.Join(quoted, ", ") + ".")
}

// cell escapes a text for a cell of a Markdown table.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s) }
