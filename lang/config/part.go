package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
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
}

// Arguments returns the attributes of a body that the block's own struct did not
// take. Blocks are not among a part's arguments; those that the block itself takes
// are named for suggestions.
func Arguments(rest hcl.Body, what string, blocks ...string) (hcl.Attributes, diag.List) {
	raw, _ := rest.JustAttributes() // the names only: hidden and looping ones are sorted out below
	schema := &hcl.BodySchema{}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
	}
	content, diags := rest.Content(schema)
	var list diag.List
	for _, d := range diags {
		t := syntax.Translate(hcl.Diagnostics{d})[0]
		if t.Code == diag.UnknownBlock {
			name := quotedIn(d.Detail)
			t.Summary = fmt.Sprintf("%s takes no block %q", what, name)
			t.Detail = "An argument is written with an equals sign: name = value."
			if t.Meant = diag.Nearest(name, blocks); t.Meant != "" {
				t.Detail = fmt.Sprintf("Did you mean %q?", t.Meant)
			}
		}
		list = append(list, t)
	}
	if content == nil {
		return nil, list
	}
	return content.Attributes, list
}

// quotedIn returns the first quoted word of one of hcl's sentences.
func quotedIn(text string) string {
	_, rest, _ := strings.Cut(text, `"`)
	word, _, _ := strings.Cut(rest, `"`)
	return word
}
