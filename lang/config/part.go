package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"qpipe/lang/diag"
	"qpipe/lang/syntax"
)

type forEachCheck = func(cty.Value, hcl.Expression, *hcl.EvalContext) hcl.Diagnostics

// Part is a block whose label is a registered type and whose attributes are
// that type's arguments.
type Part struct {
	Type      string    `hcl:"type,label"`
	TypeRange hcl.Range `hcl:"type,label_range"`
	Header    hcl.Range `hcl:",def_range"`
	Rest      hcl.Body  `hcl:",remain"`

	Raw *hclsyntax.Body // as it is written, where that is known
}

// Content is what the body of a part holds, or in a block of one.
type Content struct {
	Attributes hcl.Attributes
	Blocks     []*hcl.Block
}

// Arguments returns the attributes and blocks of a body that the block's own struct did not take. own has the blocks
// that are arguments, with the names of their labels; the names of the block's own are used for suggestions.
func Arguments(rest hcl.Body, what string, own map[string][]string, taken ...string) (Content, diag.List) {
	raw, _ := rest.JustAttributes() // only the names: hidden and looping ones are removed below
	schema := &hcl.BodySchema{}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
	}
	blocks := slices.Sorted(maps.Keys(own))
	for _, name := range blocks {
		schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: name, LabelNames: own[name]})
	}
	content, diags := rest.Content(schema)
	var list diag.List
	for _, d := range diags {
		t := syntax.TranslateAs(hcl.Diagnostics{d}, diag.BadDynamic)[0]
		switch t.Code {
		case diag.UnknownBlock:
			name := quotedIn(d.Detail)
			t.Summary = fmt.Sprintf("%s takes no block %q", what, name)
			if t.Detail = Belongs(name, what); t.Detail == "" {
				t.Detail = "An argument is written with an equals sign: name = value."
			}
			if t.Meant = diag.Nearest(name, append(blocks, taken...)); t.Meant != "" {
				t.Detail = fmt.Sprintf("Did you mean %q?", t.Meant)
			}
		case diag.BadLabel:
			_, t.Meant, _ = strings.Cut(d.Summary, " for ")
			t.Detail = "It is written: " + Written(t.Meant, own[t.Meant])
		}
		list = append(list, t)
	}
	if content == nil {
		return Content{}, list
	}
	return Content{content.Attributes, content.Blocks}, list
}

// Belongs says where a block is written that a model or a layer has none of; "" where it is not known. what is the part: `layer "Conv2d"`.
func Belongs(name, what string) string {
	model, layer := strings.HasPrefix(what, "model "), strings.HasPrefix(what, "layer ")
	switch {
	case layer && (name == "activation" || name == "weight" || name == "qconfig"):
		return "How a layer is quantized is said in the qconfig that a stage names: qconfig \"name\" { override \"layer\" { activation { … } } }."
	case model && name == "qconfig":
		return "Write it outside of the model, as qconfig \"name\" { … }, and name it in a stage: model_convert_pipeline { qconfig = qconfig.name }."
	case model && name == "override":
		return "Write it in the qconfig that a stage names: qconfig \"name\" { override \"layer\" { … } }."
	case model && (name == "variable" || name == "network"):
		return fmt.Sprintf("Write it outside of the model, at the top level of the file: %s.", Written(name, []string{"name"}))
	}
	return ""
}

// Written shows how a block with labels is written.
func Written(name string, labels []string) string {
	for _, l := range labels {
		name += ` "` + l + `"`
	}
	return name + " { … }"
}

// quotedIn returns the first quoted word of one of hcl's sentences.
func quotedIn(text string) string {
	_, rest, _ := strings.Cut(text, `"`)
	word, _, _ := strings.Cut(rest, `"`)
	return word
}
