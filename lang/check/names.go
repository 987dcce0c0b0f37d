package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
)

// name is something that a reference can name.
type name struct {
	kind, name string
	where      hcl.Range // of its definition
	address    string
	block      *config.Block  // nil for a local
	expr       hcl.Expression // of a local
	value      cty.Value      // of a variable or local
	refs       []program.Ref  // of a local: the stages that it needs, also through others
	bad        bool           // a mistake in it has been reported
	used       bool
	state      int // of a local: 0 untouched, 1 being evaluated, 2 done
}

// word is what a person calls it.
func (n *name) word() string {
	if n.block == nil {
		return "local value"
	}
	return n.block.Keyword
}

// declare collects the names of all blocks: each must be an identifier, and
// unique among its kind.
func (c *checker) declare() {
	for _, set := range []struct {
		kind   string
		blocks []*config.Block
	}{
		{"var", c.cfg.Variables},
		{"dataset", c.cfg.Datasets},
		{"model", c.cfg.Models},
		{"qconfig", c.cfg.QConfigs},
		{"stage", c.cfg.Stages},
		{"output", c.cfg.Outputs},
	} {
		c.names[set.kind] = map[string]*name{}
		for _, b := range set.blocks {
			c.define(&name{kind: set.kind, name: b.Name, where: b.NameRange, address: b.Address(), block: b})
		}
	}
	c.names["local"] = map[string]*name{}
	for _, b := range c.cfg.Locals {
		c.declareLocals(b)
	}
}

func (c *checker) define(n *name) {
	if n.kind != "local" && !hclsyntax.ValidIdentifier(n.name) {
		c.errorf(diag.BadLabel, at{n.address, syntax.Range(n.where), diag.Range{}},
			"A name has letters, digits, _ and -, and begins with a letter: it is used in references.", "%q is not a name", n.name)
	}
	if n.kind == "stage" && hclsyntax.ValidIdentifier(n.name) {
		c.stageName(n)
	}
	first, taken := c.names[n.kind][n.name]
	if !taken {
		c.names[n.kind][n.name] = n
		return
	}
	word := n.kind
	if n.block != nil {
		word = n.block.Keyword
	}
	d := c.errorf(diag.DuplicateName, at{address: n.address, subject: syntax.Range(n.where)},
		"Rename one of the two; names are unique among the blocks of a kind.", "a second %s is named %q", word, n.name)
	d.Related = []diag.Related{{Message: "the first is here", Range: syntax.Range(first.where)}}
}

// stageName checks that the stage can have a folder of its name, of its own on every system.
func (c *checker) stageName(n *name) {
	where := at{n.address, syntax.Range(n.where), diag.Range{}}
	if err := program.StageName(n.name); err != nil {
		c.errorf(diag.BadLabel, where, "Rename the stage.", "%v", err)
	}
	folder := strings.ToLower(n.name)
	if other := c.folders[folder]; other != nil && other.name != n.name {
		d := c.errorf(diag.DuplicateName, where, "Rename one of the two: on some systems their folders would be one.", "the stages %q and %q differ in case alone", other.name, n.name)
		d.Related = []diag.Related{{Message: "the other is here", Range: syntax.Range(other.where)}}
	}
	c.folders[folder] = n
}

func (c *checker) declareLocals(b *config.Block) {
	inside, list := config.Inside[config.Locals](b, nil)
	c.add("locals", list)
	for _, attr := range sortedAttrs(inside.Values) {
		c.define(&name{kind: "local", name: attr.Name, where: attr.NameRange, address: "local." + attr.Name, expr: attr.Expr})
	}
}

// sortedAttrs returns attributes in the order of the text.
func sortedAttrs(attrs hcl.Attributes) []*hcl.Attribute {
	return slices.SortedFunc(maps.Values(attrs), func(a, b *hcl.Attribute) int {
		return a.NameRange.Start.Byte - b.NameRange.Start.Byte
	})
}

func (c *checker) known(kind string) []string {
	if len(c.sorted[kind]) != len(c.names[kind]) {
		if c.sorted == nil {
			c.sorted = map[string][]string{}
		}
		c.sorted[kind] = slices.Sorted(maps.Keys(c.names[kind]))
	}
	return c.sorted[kind]
}

// maxHints bounds the work of looking for names that are near to unknown ones: where
// thousands are unknown nobody reads what each was meant to be.
const maxHints = 4_000_000

// suggest words the way out for a name that is not there.
func (c *checker) suggest(kind, missing string) string {
	plural := map[string]string{
		"var": "variables", "local": "local values", "dataset": "datasets", "model": "models", "qconfig": "qconfigs", "stage": "stages",
	}[kind]
	names := c.known(kind)
	if c.hints -= diag.NearestCost(missing, names); c.hints < 0 {
		return "The text has too many unknown names to look for what each was meant to be."
	}
	if len(names) > 0 {
		return diag.DidYouMean(missing, names, plural)
	}
	keyword := map[string]string{
		"var": `variable "%s" {}`, "local": "locals { %s = … }", "dataset": `dataset "Type" "%s" {}`, "model": `model "Type" "%s" {}`,
		"qconfig": `qconfig "%s" {}`, "stage": `stage "%s" {}`,
	}[kind]
	return "There are no " + plural + ". Declare it: " + fmt.Sprintf(keyword, missing) + "."
}

// tooMany reports more blocks than a pipeline may have, which are not looked at then.
func (c *checker) tooMany() bool {
	for _, set := range []struct {
		word   string
		most   int
		blocks []*config.Block
	}{
		{"variable blocks", maxKind, c.cfg.Variables},
		{"dataset blocks", maxStages, c.cfg.Datasets},
		{"model blocks", maxStages, c.cfg.Models},
		{"qconfig blocks", maxStages, c.cfg.QConfigs},
		{"stages", maxStages, c.cfg.Stages},
		{"output blocks", maxKind, c.cfg.Outputs},
		{"locals blocks", maxKind, c.cfg.Locals},
	} {
		if n := len(set.blocks); n > set.most {
			return c.crowded(set.blocks[set.most], fmt.Sprintf("the pipeline has %d %s, and may have %d", n, set.word, set.most))
		}
		for _, b := range set.blocks {
			if n := mostInside(b.Raw()); n > maxInside {
				return c.crowded(b, fmt.Sprintf("there are %d blocks in one block here, and may be %d", n, maxInside))
			}
		}
	}
	return false
}

// mostInside is the largest number of blocks that stand directly in a block.
func mostInside(body *hclsyntax.Body) int {
	if body == nil {
		return 0
	}
	n := len(body.Blocks)
	for _, b := range body.Blocks {
		n = max(n, mostInside(b.Body))
	}
	return n
}

func (c *checker) crowded(b *config.Block, summary string) bool {
	d := c.errorf(diag.FileTooLarge, at{address: b.Address(), subject: syntax.Range(b.Header)},
		"A pipeline is a text that people write. Leave blocks out, or make several pipelines.", "%s", summary)
	d.Unfinished = true
	return true
}
